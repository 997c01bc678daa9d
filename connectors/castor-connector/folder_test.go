package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a folder says is set where the environment says nothing, and its secrets are found wherever it was moved to.
func TestAFolderOfSettings(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, folderSettings), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# a remark\n\nCASTOR_GATEWAY_ID=op-2\nCASTOR_REGION=eu\nCASTOR_MOSQUITTO_CRL=${DIR}/mosquitto/revoked.pem\n")
	env, err := folder(dir, func(name string) string { return map[string]string{"CASTOR_REGION": "us"}[name] })
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"CASTOR_GATEWAY_ID": "op-2", "CASTOR_REGION": "us", "CASTOR_SECRETS": filepath.Join(dir, "secrets"), "CASTOR_DIR": filepath.Join(dir, "data"),
		"CASTOR_MOSQUITTO_CRL": filepath.Join(dir, "mosquitto", "revoked.pem"), "CASTOR_LISTEN": ""} {
		if got := env(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	write("CASTOR_REGION=eu\nPATH=/bin\n")
	if _, err := folder(dir, os.Getenv); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a line that is no setting is told as: %v", err)
	}
	if _, err := folder(filepath.Join(dir, "none"), os.Getenv); err == nil || !strings.Contains(err.Error(), "castor gateway join") {
		t.Errorf("a folder that is not there is told as: %v", err)
	}
}
