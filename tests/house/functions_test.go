package house

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/castor-iot/castor/functions"
	"go.yaml.in/yaml/v3"
)

// Folders, functions.All, stack.yml and openapi.yaml name the same functions and say the same of them.
func TestFunctionsAgree(t *testing.T) {
	var all []string
	for _, f := range functions.All {
		all = append(all, f.Name)
	}
	if !slices.IsSorted(all) {
		t.Error("functions.All is not sorted by name")
	}
	same(t, "functions.All", all, "folders of functions/", folders(t))

	stack := readStack(t)
	var stacked []string
	for name := range stack.Functions {
		stacked = append(stacked, name)
	}
	same(t, "functions.All", all, "stack.yml", stacked)
	for _, f := range functions.All {
		s := stack.Functions[f.Name]
		for what, pair := range map[string][2]string{
			"topic":               {f.Topics, s.Annotations["topic"]},
			"schedule":            {f.Schedule, s.Annotations["schedule"]},
			"castor.capabilities": {f.Capabilities, s.Annotations["castor.capabilities"]},
			"handler":             {"./functions/" + f.Name, s.Handler},
			"lang":                {"castor-go", s.Lang},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s: %s is %q in functions.All and %q in stack.yml", f.Name, what, pair[0], pair[1])
			}
		}
		if !slices.Contains(s.Secrets, "castor-part-"+f.Name) {
			t.Errorf("%s: stack.yml does not give it its own secret castor-part-%s", f.Name, f.Name)
		}
	}

	var described []string
	for p := range readOpenAPI(t).Paths {
		rest, ok := strings.CutPrefix(p, "/function/")
		if p == "/stream" { // a connector's: a function answers whole
			continue
		}
		if !ok {
			t.Errorf("openapi.yaml: path %s is not below /function/", p)
			continue
		}
		name, _, _ := strings.Cut(rest, "/")
		if !slices.Contains(described, name) {
			described = append(described, name)
		}
	}
	same(t, "functions.All", all, "paths of openapi.yaml", described)
}

// Each function folder has what OpenFaaS calls, and no package below it (faas-cli would not find it).
func TestFunctionFolders(t *testing.T) {
	for dir, p := range packages(t) {
		rest, ok := strings.CutPrefix(dir, "functions/")
		if !ok {
			continue
		}
		if strings.Contains(rest, "/") {
			t.Errorf("%s: a function's folder has no package below it", dir)
			continue
		}
		if want := strings.ReplaceAll(rest, "-", ""); p.Files[0].AST.Name.Name != want && p.Files[0].AST.Name.Name != want+"_test" {
			t.Errorf("%s: its package is %s, want %s", dir, p.Files[0].AST.Name.Name, want)
		}
		if !slices.ContainsFunc(p.Files, func(f File) bool {
			return !f.Test && strings.Contains(f.Text, "func Handle(req handler.Request) (handler.Response, error)")
		}) {
			t.Errorf("%s: there is no func Handle(req handler.Request) (handler.Response, error)", dir)
		}
	}
}

func folders(t *testing.T) (names []string) {
	entries, err := os.ReadDir(filepath.Join(root, "functions"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

type stackFile struct {
	Functions map[string]struct {
		Lang        string            `yaml:"lang"`
		Handler     string            `yaml:"handler"`
		Secrets     []string          `yaml:"secrets"`
		Annotations map[string]string `yaml:"annotations"`
	} `yaml:"functions"`
}

func readStack(t *testing.T) (s stackFile) {
	readYAML(t, "stack.yml", &s)
	return s
}

func readOpenAPI(t *testing.T) (o struct {
	Paths map[string]any `yaml:"paths"`
}) {
	readYAML(t, "functions/openapi.yaml", &o)
	return o
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err == nil {
		err = yaml.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func same(t *testing.T, aName string, a []string, bName string, b []string) {
	t.Helper()
	for _, x := range a {
		if !slices.Contains(b, x) {
			t.Errorf("%s has %q, %s has not", aName, x, bName)
		}
	}
	for _, x := range b {
		if !slices.Contains(a, x) {
			t.Errorf("%s has %q, %s has not", bName, x, aName)
		}
	}
}
