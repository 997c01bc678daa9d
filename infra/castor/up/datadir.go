package up

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/castor-iot/castor/infra/castor/secrets"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/gofrs/flock"
)

// The platform's own keys are apart from the secrets that operators put in by `faas-cli secret`.
const (
	keysDir    = "keys"
	secretsDir = "secrets"
)

// A dataDir is the platform's data directory, locked for this process.
type dataDir struct {
	path string
	lock *flock.Flock
	new  bool // nothing was in it before
}

// openDir makes the directory if need be and locks it. The error for one in use names its user.
func openDir(path string) (*dataDir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{keysDir, secretsDir} {
		if err := os.MkdirAll(filepath.Join(path, sub), 0o700); err != nil {
			return nil, fmt.Errorf("the data directory %s cannot be made: %w", path, err)
		}
	}
	pidFile := filepath.Join(path, "castor.pid")
	lock := flock.New(filepath.Join(path, "castor.lock"), flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("the data directory %s cannot be locked: %w", path, err)
	}
	if !ok {
		pid, _ := os.ReadFile(pidFile)
		return nil, fmt.Errorf("the data directory %s is in use by another castor (process %s): stop that one, or use another with --data", path, strings.TrimSpace(string(pid)))
	}
	if err := os.WriteFile(pidFile, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o600); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	_, err = os.Stat(filepath.Join(path, keysDir, platform.SecretParts))
	return &dataDir{path: path, lock: lock, new: errors.Is(err, os.ErrNotExist)}, nil
}

func (d *dataDir) close() error {
	_ = os.Remove(d.sub(addressesFile)) // it is not there if the start was broken off
	return errors.Join(os.Remove(filepath.Join(d.path, "castor.pid")), d.lock.Unlock())
}

func (d *dataDir) sub(name ...string) string {
	return filepath.Join(append([]string{d.path}, name...)...)
}

// makeSecrets makes what a new platform needs (see secrets.Dir.Platform).
func (d *dataDir) makeSecrets(now time.Time) error {
	if d.new {
		// The bus is started when all secrets are there: it has data, so this is not a platform's first start.
		if _, err := os.Stat(d.sub("nats")); err == nil {
			return fmt.Errorf("secret %s is missing in %s, of a platform that is not new: put it back from your backup", platform.SecretParts, d.sub(keysDir))
		}
	}
	_, err := secrets.Dir(d.sub(keysDir)).Platform(now)
	return err
}

// secrets reads keys and secrets, and derives the secrets of parts: they need no file where all parts are in one process.
func (d *dataDir) secrets() (platform.Secrets, error) {
	keys, files := platform.SecretFiles(d.sub(keysDir)), platform.SecretFiles(d.sub(secretsDir))
	parts, err := keys(platform.SecretParts)
	if err != nil {
		return nil, err
	}
	return func(name string) ([]byte, error) {
		rest, ok := strings.CutPrefix(name, "castor-part-")
		if !ok {
			if b, err := keys(name); !errors.Is(err, platform.ErrNoSecret) {
				return b, err
			}
			return files(name)
		}
		part, gateway := rest, ""
		if g, ok := strings.CutPrefix(rest, "connector-"); ok {
			part, gateway = "connector", g
		}
		return []byte(platform.DerivePart(parts, part, gateway)), nil
	}, nil
}
