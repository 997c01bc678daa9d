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

// A key of a platform that is not new is missing, empty or unreadable: it does not start, says which file and what to do, and
// starts again when the file is back.
func TestAKeyIsMissingEmptyOrUnreadable(t *testing.T) {
	path := t.TempDir()
	start := func() error {
		d, err := openDir(path)
		if err != nil {
			return err
		}
		defer d.close()
		if err := d.makeSecrets(time.Now()); err != nil {
			return err
		}
		_, err = d.secrets()
		return err
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(path, "nats"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{platform.SecretParts, platform.SecretSeal, platform.SecretVerify, platform.SecretCACert, platform.SecretCAKey} {
		file := filepath.Join(path, keysDir, name)
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for what, spoil := range map[string]func() error{
			"missing":    func() error { return nil },
			"empty":      func() error { return os.WriteFile(file, nil, 0o600) },
			"unreadable": func() error { return os.Mkdir(file, 0o700) }, // for root too
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
				if err := spoil(); err != nil {
					t.Fatal(err)
				}
				err := start()
				if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "backup") && !strings.Contains(err.Error(), "castor init") {
					t.Errorf("it says %v, want %s and the remedy", err, name)
				}
				_ = os.Remove(file) // it may be missing
				if err := os.WriteFile(file, good, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := start(); err != nil {
					t.Errorf("with the file back: %v", err)
				}
			})
		}
	}
}
