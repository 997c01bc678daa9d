package wasm

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
)

// curious is the driver in testdata, built with the Go that runs the tests.
var curious = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "curious")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	to := filepath.Join(dir, "driver.wasm")
	c := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", to, ".")
	c.Dir = "testdata/curious"
	c.Env = append(c.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off")
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return nil, err
	}
	return os.ReadFile(to)
})

func goModule(t testing.TB) []byte {
	t.Helper()
	module, err := curious()
	if err != nil {
		t.Fatalf("a driver in Go cannot be built: %v", err)
	}
	return module
}

func TestADriverInGo(t *testing.T) {
	e := open(t, goModule(t), Limits{})
	at := time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC)
	ask := func(what string) driver.Result {
		return call(e, driver.Call{Op: driver.DecodeUplink, Topic: what, Time: at, Bytes: []byte{1}})
	}
	first := ask("random")
	for _, c := range []struct {
		ask, say string
		log      []string
		failure  driver.Failure
	}{
		{ask: "counters", say: "1 1 1"},
		{ask: "counters", say: "1 1 1"},
		{ask: "clock", say: "2026-03-01T12:00:00.005Z 1h0m0s"},
		{ask: "files", say: "true true true true 0 0 0"},
		{ask: "close", say: "closed"},
		{ask: "print", say: "printed", log: []string{"to standard output", "to standard error"}},
		{ask: "panic", say: "wasm error: unreachable; its log begins with: panic: out of ideas", failure: driver.Exception},
		{ask: "exit", say: "it ended itself with code 3", failure: driver.Exception},
		{ask: "memory", say: "it wanted more memory than it may have, 32 MiB", failure: driver.Memory},
		{ask: "recursion", failure: driver.Memory}, // Go keeps its stack in the module's memory,
		{ask: "counters", say: "1 1 1"},
		{ask: "random", say: first.Data.(object)["said"].(string)},
	} {
		r := ask(c.ask)
		said, _ := r.Data.(object)
		switch {
		case r.Failure != c.failure:
			t.Errorf("%s: %+v", c.ask, r)
		case c.say != "" && r.Reason != c.say && said["said"] != c.say:
			t.Errorf("%s: %v %s, want %s", c.ask, said, r.Reason, c.say)
		case c.log != nil && !reflect.DeepEqual(r.Log, c.log):
			t.Errorf("%s: log %q", c.ask, r.Log)
		}
	}
	if e.lasting != "" {
		t.Errorf("Go's modules get an instance for each call, because of %s", e.lasting)
	}
}

// Another message has other random numbers, so that they are of some use.
func TestRandomNumbersFollowFromTheMessage(t *testing.T) {
	e := open(t, goModule(t), Limits{})
	seen := map[any]bool{}
	for i := range 20 {
		r := call(e, driver.Call{Op: driver.DecodeUplink, Topic: "random", Bytes: []byte{byte(i)}})
		seen[r.Data.(object)["said"]] = true
	}
	if len(seen) != 20 {
		t.Errorf("20 messages have %d different random numbers", len(seen))
	}
}
