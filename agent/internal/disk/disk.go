// Package disk writes the agent's few small files so that a crash or power failure leaves either the old or the new
// content, and lets one process at a time use a directory. It does not know what the files hold.
package disk

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// ErrInUse tells that another process holds a directory's lock.
var ErrInUse = errors.New("in use by another process")

// WriteFile replaces the file at path by data, durably: the content is synced before it gets the name, and the name
// before WriteFile returns. The file can be read by its owner only.
func WriteFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes the names in dir durable. Where directories cannot be synced (Windows) it does nothing.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
