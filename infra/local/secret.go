package local

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

var errDamaged = errors.New("file is damaged; remove it to have a new one made")

var validSecret = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// secretFile returns the secret kept in a file, and makes both if the file is missing.
func secretFile(path string) (string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		secret := rand.Text()
		return secret, writeFile(path, secret)
	}
	if err != nil {
		return "", err
	}
	if !validSecret.Match(data) {
		return "", fmt.Errorf("%s: %w", path, errDamaged)
	}
	return string(data), nil
}

// writeFile writes a whole file or none, for the owner's eyes only.
func writeFile(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // it makes files that only their owner may read
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
