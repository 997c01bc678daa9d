package house

import (
	"go/ast"
	"os"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

func packages(t *testing.T) map[string]*Package {
	t.Helper()
	all, err := Packages(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d packages found: the tests look at the wrong place", len(all))
	}
	return all
}

func TestEveryPackageSaysItsJob(t *testing.T) {
	for _, p := range packages(t) {
		said, code := false, false
		for _, f := range p.Files {
			if f.Test {
				continue
			}
			code = true
			if f.AST.Doc != nil && len(f.AST.Doc.Text()) > 60 {
				said = true
			}
		}
		if code && !said {
			t.Errorf("%s: no package comment that says what it does and what it does not", p.Dir)
		}
	}
}

func TestFilesCanBeTakenIn(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.Files {
			if f.Lines > 500 && !ast.IsGenerated(f.AST) {
				t.Errorf("%s has %d lines: split it, at most 500", f.Path, f.Lines)
			}
		}
	}
}

var (
	environment = regexp.MustCompile(`os\.(Getenv|LookupEnv|Environ)\b`)
	unfinished  = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)
	sleep       = regexp.MustCompile(`time\.Sleep\(`)
	badName     = regexp.MustCompile(`^(utils?|common|types|helpers?|misc|base)$`)
)

func TestHabits(t *testing.T) {
	for _, p := range packages(t) {
		if strings.HasPrefix(p.Dir, "tests/house") {
			continue
		}
		for _, f := range p.Files {
			name := f.AST.Name.Name
			if badName.MatchString(name) {
				t.Errorf("%s: package %s is named by what it is made of, not by what it provides", f.Path, name)
			}
			if unfinished.MatchString(f.Text) {
				t.Errorf("%s: unfinished work is marked in it: finish it or say it in an issue", f.Path)
			}
			if f.Test && sleep.MatchString(f.Text) {
				t.Errorf("%s sleeps: poll with a deadline", f.Path)
			}
			if !f.Test && name != "main" && p.Dir != "shared/platform" && !strings.HasPrefix(p.Dir, "tests") && environment.MatchString(f.Text) {
				t.Errorf("%s reads the environment: only shared/platform and mains do", f.Path)
			}
		}
	}
}

func TestTopLevel(t *testing.T) {
	allowed := map[string]bool{}
	for _, n := range strings.Fields("functions stack.yml shared connectors agent infra tests go.mod go.sum Makefile README.md ARCHITECTURE.md docs template .ci .git .gitignore LICENSE bench bin build data") {
		allowed[n] = true
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !allowed[e.Name()] {
			t.Errorf("%s does not belong at the top of the repository", e.Name())
		}
	}
}
