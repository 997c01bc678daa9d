package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

var (
	fenced = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```")
	quoted = regexp.MustCompile(`"[^"]*"|\S+`)
)

// The guide for makers of drivers, typed in order: what it says is printed is printed.
func TestDriversGuide(t *testing.T) {
	text, err := os.ReadFile("../../../docs/drivers.md")
	if err != nil {
		t.Fatal(err)
	}
	p := newMaker(t)
	p.login("admin")
	p.does(words("user create con --role configurator --group press --password-stdin"), functiontest.Password)
	p.login("con")
	typed, printed := 0, ""
	for _, b := range fenced.FindAllStringSubmatch(string(text), -1) {
		switch kind, body := b[1], b[2]; kind {
		case "yaml":
			name, _, _ := strings.Cut(strings.TrimPrefix(body, "# "), "\n")
			if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
		case "sh":
			printed = ""
			for line := range strings.Lines(body) {
				if strings.Contains(line, "publish next") {
					p.next("acme-th1", "next")
				}
				if strings.Contains(line, "driver canary") { // a device has come in meanwhile
					if _, err := p.Admin().CreateTwin(t.Context(), api.NewTwin{ID: "th-1", Kind: twin.Instance, Definition: twin.Definition{Type: "th", Owner: "press"}}); err != nil {
						t.Fatal(err)
					}
				}
				var args []string
				for _, w := range quoted.FindAllString(strings.TrimPrefix(line, "castor "), -1) {
					args = append(args, strings.Trim(w, `"`))
				}
				out, hints, err := p.castor("", args...)
				if err != nil {
					t.Fatalf("%s: %v\n%s%s", strings.TrimSpace(line), err, out, hints)
				}
				printed += out + hints
				typed++
			}
		case "text":
			for line := range strings.Lines(body) {
				if line = strings.TrimSpace(line); !strings.HasPrefix(line, "castor ") && !strings.Contains(printed, line) {
					t.Errorf("the commands do not print %q:\n%s", line, printed)
				}
			}
		}
	}
	if typed < 10 {
		t.Errorf("%d commands were found: is the guide read right?", typed)
	}
}

// next makes a folder with the next version of a driver.
func (p *person) next(dir, to string) {
	p.t.Helper()
	for _, name := range []string{"driver.yaml", "codec.js"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.MkdirAll(to, 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), text, 0o600)
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
	p.version(to, "0.1.0", "0.2.0", "raw", "hundredths")
}
