// Package secrets makes the files that keep a platform's secrets: its keys, its certificate authority, the parts' secrets and
// the passwords of what it stands on. There is one way to make them, for `castor up` and for `castor init`: whole or not at
// all, synced, for their owner's eyes only, and never over what is there. It gives them to nobody.
package secrets

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/castor-iot/castor/shared/platform"
)

// A Dir is a folder of secrets, one file each.
type Dir string

// Path is the file of a secret.
func (d Dir) Path(name string) string { return filepath.Join(string(d), name) }

// Has tells whether there is a file of that name.
func (d Dir) Has(name string) bool {
	_, err := os.Lstat(d.Path(name))
	return err == nil
}

// Read reads a secret; white space at its ends does not count. An empty one is an error that names the remedy.
func (d Dir) Read(name string) ([]byte, error) { return platform.SecretFiles(string(d))(name) }

// Create makes the folder if need be. One that others could look into is refused, unless nothing is in it.
func (d Dir) Create() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("the folder cannot be made: %w", err)
	}
	info, err := os.Stat(string(d))
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	files, err := os.ReadDir(string(d))
	if err != nil {
		return err
	}
	if len(files) > 0 {
		return fmt.Errorf("others can look into %s (mode %o): run chmod 700 %[1]s, or name a folder that is for secrets alone", d, info.Mode().Perm())
	}
	return os.Chmod(string(d), 0o700)
}

// Add writes a secret that is not there. It returns fs.ErrExist, and changes nothing, if it is.
func (d Dir) Add(name string, value []byte) error {
	return d.write(name, value, func(from, to string) error {
		err := os.Link(from, to)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
		if d.Has(name) { // a file system without links
			return fs.ErrExist
		}
		return os.Rename(from, to)
	})
}

// Replace writes a secret whether it is there or not. Who may read it stays as it was: an operator may have opened the file to
// the containers that it is mounted into.
func (d Dir) Replace(name string, value []byte) error {
	return d.write(name, value, func(from, to string) error {
		if old, err := os.Stat(to); err == nil {
			if err := os.Chmod(from, old.Mode().Perm()); err != nil {
				return err
			}
		}
		return os.Rename(from, to)
	})
}

func (d Dir) write(name string, value []byte, place func(from, to string) error) error {
	tmp, err := os.CreateTemp(string(d), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(value)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := place(tmp.Name(), d.Path(name)); err != nil {
		return fmt.Errorf("secret %s: %w", name, err)
	}
	folder, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Random is n random bytes as text that any file, header and URL can carry.
func Random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails since Go 1.24
	return []byte(base64.RawURLEncoding.EncodeToString(b))
}

// same tells whether two secrets are one, but for white space at their ends.
func same(a, b []byte) bool { return bytes.Equal(bytes.TrimSpace(a), bytes.TrimSpace(b)) }
