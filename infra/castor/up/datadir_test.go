package up

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/platform"
)

// A platform whose keys are lost does not start with new ones: its devices would trust nobody and its parts no one.
func TestLostKeysAreNotMadeAnew(t *testing.T) {
	path := t.TempDir()
	start := func() error {
		d, err := openDir(path)
		if err != nil {
			return err
		}
		defer d.close()
		return d.makeSecrets(time.Now())
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	parts := filepath.Join(path, keysDir, platform.SecretParts)
	if err := os.Remove(parts); err != nil {
		t.Fatal(err)
	}
	if err := start(); err != nil {
		t.Fatalf("a first start that was interrupted does not go on: %v", err)
	}
	if err := os.Mkdir(filepath.Join(path, "nats"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(path, keysDir)); err != nil {
		t.Fatal(err)
	}
	if err := start(); err == nil || !strings.Contains(err.Error(), "backup") {
		t.Errorf("a platform without its keys starts: %v, want the remedy", err)
	}
	if _, err := os.Stat(parts); err == nil {
		t.Error("new keys were made")
	}
}
