//go:build !linux

package sandbox

import (
	"errors"
	"runtime/debug"
	"syscall"
	"time"
)

var began = time.Now()

// confine bounds memory as Go does it; the limits of processes are Linux's.
func confine(megabytes int) error {
	debug.SetMemoryLimit(int64(megabytes) << 20 / 2)
	return nil
}

// crowded is not known.
func crowded(int) bool { return false }

// computed is how long this process is there: without a clock of its computing, time is what is measured.
func computed() time.Duration { return time.Since(began) }

func computedBy(int) (time.Duration, error) {
	return 0, errors.New("the computing time of processes is not known on this system")
}

func apart() *syscall.SysProcAttr { return nil }
