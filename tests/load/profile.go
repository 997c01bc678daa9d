package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// profile has the platform write where its time goes during the next seconds (cpu.pprof), then what it has allocated since it
// started (allocs.pprof), into the folder of flag -profile. The function returned waits for both.
func (c *castor) profile(ctx context.Context, b *bench, seconds int) (wait func() error) {
	if b.profiles == "" {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() {
		done <- errors.Join(
			c.fetch(ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%d", seconds), filepath.Join(b.profiles, "cpu.pprof")),
			c.fetch(ctx, "/debug/pprof/allocs", filepath.Join(b.profiles, "allocs.pprof")))
	}()
	return func() error { return <-done }
}

func (c *castor) fetch(ctx context.Context, path, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.profiles+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, resp.Status, body)
	}
	return os.WriteFile(file, body, 0o644)
}

// ticks is how many clock ticks of /proc make a second: 100 on all Linux systems that Go runs on.
const ticks = 100

// used is the processor time that a process has taken so far. Unlike a rate it is the same on a busy machine, nearly.
func used(pid int) (time.Duration, error) { return timesOf(pid, 11) }

// usedByEnded is that of its children that have ended.
func usedByEnded(pid int) (time.Duration, error) { return timesOf(pid, 13) }

// timesOf are the two times of a process that begin with a field of its line in /proc.
func timesOf(pid, first int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(data), ") ") // a program's name may have spaces
	fields := strings.Fields(rest)
	if len(fields) < first+2 {
		return 0, fmt.Errorf("the system does not tell the time of process %d", pid)
	}
	user, err1 := strconv.ParseInt(fields[first], 10, 64)
	system, err2 := strconv.ParseInt(fields[first+1], 10, 64)
	return time.Duration(user+system) * time.Second / ticks, errors.Join(err1, err2)
}

// usedHere is that of this process, which plays the devices.
func usedHere() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
