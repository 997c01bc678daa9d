package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/castor-iot/castor/functions"
)

func castor(t *testing.T, args ...string) (string, error) {
	t.Helper()
	c := initCommand()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&out)
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetArgs(args)
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

const stackFile = "../../stack.yml"

func TestInitSaysWhatIsThereAndNoSecret(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	out, err := castor(t, dir, "--host", "pump.example.com")
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	fixed := map[string]bool{"basic-auth-user": true, "castor-s3-access": true, "minio-root-user": true, "castor-smtp": true}
	for _, f := range files {
		value, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(f.Name(), ".") && !strings.Contains(out, "  "+f.Name()+"\n") {
			t.Errorf("it does not say %s", f.Name())
		}
		if len(value) > 0 && !fixed[f.Name()] && strings.Contains(out, string(value)) {
			t.Errorf("it says the value of %s", f.Name())
		}
	}
	for _, f := range functions.All {
		if _, err := os.Stat(filepath.Join(dir, "castor-part-"+f.Name)); err != nil {
			t.Error(err)
		}
	}
	for _, want := range []string{"user admin", filepath.Join(dir, "castor-admin"), "faas-cli secret create", "kubectl"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	out, err = castor(t, dir)
	if err != nil || !strings.Contains(out, "nothing was made") || strings.Contains(out, "kubectl") {
		t.Errorf("the second time: %v\n%s", err, out)
	}
}

// What the list names for functions is what castor init makes, and all that stack.yml asks for.
func TestEverySecretThatAProcessNeedsIsMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	if _, err := castor(t, dir, "--host", "localhost"); err != nil {
		t.Fatal(err)
	}
	out, err := castor(t, "--list", "--stack", stackFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) < len(functions.All)+6 {
		t.Errorf("%d processes:\n%s", len(lines), out)
	}
	for _, line := range lines {
		for _, word := range strings.Fields(line) {
			if strings.HasPrefix(word, "castor-part") || strings.HasPrefix(word, "basic-") || strings.HasPrefix(word, "castor-ca") {
				if _, err := os.Stat(filepath.Join(dir, word)); err != nil {
					t.Errorf("%s: %v", line, err)
				}
			}
		}
	}
	for gateway, want := range map[string]bool{"operational-1": true, "provisioning-1": false} {
		names, err := castor(t, "--list", "--stack", stackFile, "castor-connector mqtt "+gateway)
		if err != nil || strings.Contains(names, "castor-verifier\n") != want {
			t.Errorf("gateway %s is given the key of verifiers: %v, %v\n%s", gateway, !want, err, names)
		}
	}
	out, err = castor(t, "--list", "--stack", stackFile, "function")
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(out) {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("a function needs %s: %v", name, err)
		}
	}
	if strings.Contains(out, "basic-auth") || strings.Contains(out, "castor-gateway-key") || strings.Contains(out, "connector") {
		t.Errorf("functions are given what they do not need:\n%s", out)
	}
	if out, err := castor(t, "--list", "--stack", stackFile, "function alerts"); err != nil || !strings.Contains(out, "castor-part-alerts\n") || strings.Contains(out, "castor-parts") {
		t.Errorf("one function: %v\n%s", err, out)
	}
}

func TestInitTellsWhatIsWrong(t *testing.T) {
	for says, args := range map[string][]string{
		"name the folder":              nil,
		"--host pump.example.com":      {filepath.Join(t.TempDir(), "a")},
		"neither a host name nor":      {filepath.Join(t.TempDir(), "b"), "--host", "a:80"},
		"name the platform's stack":    {"--list", "--stack", "none.yml"},
		`no process is called "nobod"`: {"--list", "--stack", stackFile, "nobod"},
	} {
		if _, err := castor(t, args...); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("it says %v, want %q", err, says)
		}
	}
}
