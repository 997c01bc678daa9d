package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// What `make new NAME=twin-energy` makes is in all four places, and each is still well formed.
func TestANewFunctionIsInAllItsPlaces(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"functions/functions.go", "functions/openapi.yaml", "stack.yml"} {
		b, err := os.ReadFile(filepath.Join("..", "..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(root, []string{"twin-energy"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"functions/functions.go", "functions/twin-energy/handler.go"} {
		if _, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.AllErrors); err != nil {
			t.Error(err)
		}
	}
	list := read(t, root, "functions/functions.go")
	before, after := strings.Index(list, `Name: "twin-energy"`), strings.Index(list, `Name: "twin-history"`)
	if before < 0 || before > after {
		t.Error("functions.All does not have it in its place")
	}
	for name, key := range map[string]string{"functions/openapi.yaml": "paths", "stack.yml": "functions"} {
		var doc map[string]any
		if err := yaml.Unmarshal([]byte(read(t, root, name)), &doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		within, _ := doc[key].(map[string]any)
		if within["twin-energy"] == nil && within["/function/twin-energy/hello"] == nil {
			t.Errorf("%s does not have it", name)
		}
	}
	for _, args := range [][]string{{"twin-energy"}, {"Twin"}, {"../x"}, {}} {
		if run(root, args) == nil {
			t.Errorf("%q is taken", args)
		}
	}
}

func read(t *testing.T, root, name string) string {
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
