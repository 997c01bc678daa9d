//go:build unix

package disk

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// Lock takes the lock at path until it is closed or the process ends, however it ends. It returns ErrInUse if another
// process, or another part of this one, has it.
func Lock(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, err
	}
	return f, nil
}
