package sandbox

import (
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

// A worker that begins, and ends while it reads what it is given: so it looks when the kernel or the Go runtime ends it for want of memory.
func TestAWorkerThatEndsWhileItReadsADriver(t *testing.T) {
	p := pool(t, Config{Workers: 1, Command: []string{"/bin/sh", "-c", `printf '\000\000\000\001\240'; head -c 9 >/dev/null`}})
	for _, r := range ask(t, module(p, make([]byte, 1<<20)), frames("00", "01", "02")) {
		if r.Failure != driver.Crash || r.Reason != "it needs more memory to be compiled than a worker has: leave out what it does not need" {
			t.Errorf("%+v", r)
		}
	}
	if p.Killed() != 1 {
		t.Errorf("%d workers were killed for it", p.Killed())
	}
}

// A worker that has served may end for what came before, so who meets that is not to blame.
func TestAWorkerThatIsGone(t *testing.T) {
	p := pool(t, Config{Workers: 1})
	c := script(p, "function decodeUplink() { return {data: {n: 1}}; }")
	ask(t, c, frames("00"))
	p.mu.Lock()
	p.serving[0].kill()
	p.mu.Unlock()
	if r := ask(t, c, frames("01", "02")); !r[0].OK() || !r[1].OK() {
		t.Errorf("%+v", r)
	}
	if p.Killed() != 0 {
		t.Errorf("it counts as killed by the driver")
	}
}
