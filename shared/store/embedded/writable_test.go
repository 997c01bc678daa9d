package embedded_test

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/store/embedded"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// forbidden is a file system in which no file can be made.
type forbidden struct{ vfs.FS }

func (forbidden) Create(string, vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, fs.ErrPermission
}

// A directory that cannot be written to is told at once.
func TestDirectoryThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	opened := make(chan error, 1)
	go func() {
		_, err := embedded.Open(dir, embedded.WithFS(forbidden{vfs.Default}))
		opened <- err
	}()
	select {
	case err := <-opened:
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("error %v, want that of the file system", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it is tried for ever")
	}
}
