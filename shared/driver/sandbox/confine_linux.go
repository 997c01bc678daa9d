package sandbox

import (
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// first is the score of a process that the kernel ends before all others when memory runs out (proc(5), oom_score_adj).
const first = "1000"

// confine gives up what a worker does not need: memory above megabytes, files, other privileges. Should memory run out, workers go before
// what they work for: the calls that they lose are made again.
func confine(megabytes int) error {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte(first), 0) // raising it needs no privilege; there may be no /proc
	debug.SetMemoryLimit(int64(megabytes) << 20 / 2)
	for what, most := range map[int]uint64{
		unix.RLIMIT_DATA:   uint64(megabytes) << 20, // of private memory; address space is reserved without being used
		unix.RLIMIT_FSIZE:  0,
		unix.RLIMIT_CORE:   0,
		unix.RLIMIT_NOFILE: 32,
	} {
		if err := unix.Setrlimit(what, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return fmt.Errorf("limit %d: %w", what, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// crowded tells whether most of the private memory that this process may have is used, and most of it by scripts: their heaps are outside of
// Go's. A heap is bounded, but what a script leaves lying about in it stays there, and together they could take the memory of who comes next.
func crowded(limit int) bool {
	var size, resident, shared, text, library, data int
	b, err := os.ReadFile("/proc/self/statm")
	if _, bad := fmt.Sscan(string(b), &size, &resident, &shared, &text, &library, &data); err != nil || bad != nil { // there may be no /proc
		return false
	}
	if data *= os.Getpagesize(); data < limit/8*7 {
		return false
	}
	own := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(own)
	return own[0].Value.Kind() == metrics.KindUint64 && data-int(own[0].Value.Uint64()) > limit/4
}

// computed is how long this process has computed.
func computed() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// computedBy is how long another process has computed (clock_getcpuclockid(3)).
func computedBy(pid int) (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}

// apart keeps signals of the parent's terminal from the worker, and ends it with its parent, even while it is in a module's loop, where
// nothing of its own runs that would see that.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
