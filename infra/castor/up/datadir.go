package up

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/pki"
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
	return errors.Join(os.Remove(filepath.Join(d.path, "castor.pid")), d.lock.Unlock())
}

func (d *dataDir) sub(name ...string) string {
	return filepath.Join(append([]string{d.path}, name...)...)
}

// makeSecrets makes what a new platform needs: keys, the CA and the first administrator's password. What is there stays, so
// that a first start that was interrupted goes on. The CA's two files belong together: one alone is an error, not a new CA.
func (d *dataDir) makeSecrets(now time.Time) error {
	random := func(n int) []byte {
		b := make([]byte, n)
		rand.Read(b) // never fails since Go 1.24
		return []byte(base64.RawURLEncoding.EncodeToString(b))
	}
	if d.new {
		// The bus is started when all secrets are there: it has data, so this is not a platform's first start.
		if _, err := os.Stat(d.sub("nats")); err == nil {
			return fmt.Errorf("secret %s is missing in %s, of a platform that is not new: put it back from your backup", platform.SecretParts, d.sub(keysDir))
		}
	}
	haveCert, haveKey := d.has(platform.SecretCACert), d.has(platform.SecretCAKey)
	switch {
	case haveCert && haveKey:
	case !d.new && haveCert != haveKey:
		return fmt.Errorf("%s has only one of %s and %s: put the other back from your backup", d.sub(keysDir), platform.SecretCACert, platform.SecretCAKey)
	default:
		cert, key, err := pki.NewCA(now)
		if err != nil {
			return err
		}
		if err := errors.Join(d.write(platform.SecretCACert, cert), d.write(platform.SecretCAKey, key)); err != nil {
			return err
		}
	}
	if d.new {
		if err := errors.Join(d.write(platform.SecretAdmin, random(15)), d.write(platform.SecretSeal, random(32))); err != nil {
			return err
		}
		// Written last: its being there says that all are.
		return d.write(platform.SecretParts, random(32))
	}
	for _, name := range []string{platform.SecretSeal, platform.SecretParts} {
		if !d.has(name) {
			return fmt.Errorf("secret %s is missing in %s: put it back from your backup", name, d.sub(keysDir))
		}
	}
	return nil
}

func (d *dataDir) has(secret string) bool {
	_, err := os.Stat(d.sub(keysDir, secret))
	return err == nil
}

// write puts a secret into its file, whole or not at all.
func (d *dataDir) write(secret string, value []byte) error {
	return writeFile(d.sub(keysDir, secret), value)
}

func writeFile(path string, value []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(value)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
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
