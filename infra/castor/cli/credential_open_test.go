package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/seal"
)

// What the platform seals to the printed key opens with its file, and with nothing else; no platform is asked.
func TestSealedSecretIsOpenedOffline(t *testing.T) {
	t.Chdir(t.TempDir())
	run := func(in string, args ...string) (string, error) {
		c := (&app{}).credentialCommand()
		var out bytes.Buffer
		c.SetIn(strings.NewReader(in))
		c.SetOut(&out)
		c.SetErr(&bytes.Buffer{})
		c.SilenceErrors, c.SilenceUsage = true, true
		c.SetArgs(args)
		err := c.Execute()
		return strings.TrimSpace(out.String()), err
	}
	text, err := run("", "key", "--out", "p-7.key")
	if err != nil {
		t.Fatal(err)
	}
	public, err := seal.ReadPublicKey(text)
	if err != nil {
		t.Fatalf("%q is no public key: %v", text, err)
	}
	if again, err := run("", "key", "--out", "p-7.key"); err != nil || again != text {
		t.Errorf("asked again for the same file it prints %q, %v", again, err)
	}
	if f, err := os.Stat("p-7.key"); err != nil || runtime.GOOS != "windows" && f.Mode().Perm() != 0o600 {
		t.Errorf("the key file is %v, %v", f, err)
	}
	const secret = `{"kind":"token","ref":"p-7","secret":"p-7.s3cret"}`
	sealed, err := seal.Seal(public, api.SealInfo("p-7"), []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := json.Marshal(api.ProvisionAnswer{Status: "accepted", Bundle: &api.Bundle{Ref: "p-7", Sealed: sealed}})
	if err != nil {
		t.Fatal(err)
	}
	renewal, err := json.Marshal(api.RenewAnswer{Ref: "p-7", Sealed: sealed})
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]struct {
		in   string
		args []string
	}{
		"the sealed text": {"", []string{"--ref", "p-7", sealed}},
		"an answer":       {string(answer), nil},
		"a renewal":       {string(renewal), nil},
	} {
		if got, err := run(in.in, append([]string{"open", "--key", "p-7.key"}, in.args...)...); err != nil || got != secret {
			t.Errorf("%s opens to %q, %v", name, got, err)
		}
	}
	if _, err := run("", "key", "--out", "other.key"); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"not for this key":  {"--key", "other.key", "--ref", "p-7", sealed},
		"device \"p-8\"":    {"--key", "p-7.key", "--ref", "p-8", sealed},
		"--ref is missing":  {"--key", "p-7.key", sealed},
		"no answer in JSON": {"--key", "p-7.key"},
		"--ref is for":      {"--key", "p-7.key", "--ref", "p-7"},
		"none.key":          {"--key", "none.key", "--ref", "p-7", sealed},
	} {
		if got, err := run("", append([]string{"open"}, args...)...); err == nil || !strings.Contains(err.Error(), want) || got != "" {
			t.Errorf("%v: %q, %v; want an error with %q", args, got, err, want)
		}
	}
	if _, err := run(`{"status":"pending"}`, "open", "--key", "p-7.key"); err == nil || !strings.Contains(err.Error(), "ref and sealed") {
		t.Errorf("a pending answer: %v", err)
	}
}
