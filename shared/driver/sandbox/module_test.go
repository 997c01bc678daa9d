package sandbox

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/wasm/wasmtest"
	"github.com/fxamacker/cbor/v2"
)

// answers is a module that runs body for messages of more than one byte, and answers {"version": 1, "data": {"ok": true}} to all. It
// tells them by the length of what it is given: usual for a message of one byte of frames.
func answers(t testing.TB, m wasmtest.Module, body []byte) []byte {
	t.Helper()
	said, err := cbor.Marshal(map[string]any{"version": 1, "data": map[string]any{"ok": true}})
	if err != nil {
		t.Fatal(err)
	}
	c := wasmtest.Code
	m.Data = said
	m.Exports = map[string][]byte{"decode": c(0x20, 1, wasmtest.I32(usual), 0x4b, 0x04, 0x40, body, 0x0b, wasmtest.Answer(len(said)))}
	return m.Bytes()
}

const usual = 54

func module(p *Pool, code []byte) driver.Codec {
	return p.Codec(&driver.Driver{Kind: driver.WASM, Code: code})
}

func TestAModulesMisconductCostsItsMessage(t *testing.T) {
	c, i32 := wasmtest.Code, wasmtest.I32
	loop := func(body ...any) []byte { return c(0x03, 0x40, c(body...), 0x0c, 0, 0x0b) }
	log := [][3]string{{"castor", "log", "\x00\x03"}}
	for name, m := range map[string]struct {
		m    wasmtest.Module
		body []byte
		want []driver.Failure
	}{
		"endless loop":    {wasmtest.Module{}, loop(), []driver.Failure{driver.Timeout}},
		"endless growth":  {wasmtest.Module{}, loop(i32(1), 0x40, 0, i32(-1), 0x46, 0x04, 0x40, 0x00, 0x0b), []driver.Failure{driver.Memory, driver.Timeout}},
		"endless log":     {wasmtest.Module{Imports: log}, loop(i32(0), i32(60_000), 0x10, 0), []driver.Failure{driver.Timeout}},
		"endless filling": {wasmtest.Module{Pages: [2]int{32, 0}}, loop(i32(0), i32(1), i32(1<<20), 0xfc, 11, 0), []driver.Failure{driver.Timeout}},
		"recursion":       {wasmtest.Module{}, c(0x20, 0, 0x20, 1, 0x10, 1, 0x1a), []driver.Failure{driver.Exception, driver.Timeout}},
		"a trap":          {wasmtest.Module{}, c(0x00), []driver.Failure{driver.Exception}},
		"output":          {wasmtest.Module{Pages: [2]int{32, 0}}, c(wasmtest.I64(1<<20), 0x0f), []driver.Failure{driver.Output}},
		"100 MB of text":  {wasmtest.Module{}, c(wasmtest.I64(4096<<32|100<<20), 0x0f), []driver.Failure{driver.Output}},
		"a hostile place": {wasmtest.Module{}, c(wasmtest.I64(-1<<32|100), 0x0f), []driver.Failure{driver.Invalid}},
		"no map":          {wasmtest.Module{}, c(wasmtest.I64(8192<<32|1), 0x0f), []driver.Failure{driver.Invalid}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pool(t, Config{Workers: 2})
			bad, good := module(p, answers(t, m.m, m.body)), module(p, answers(t, wasmtest.Module{}, nil))
			var all sync.WaitGroup
			all.Go(func() {
				for _, r := range ask(t, good, frames("00", "01", "02", "03")) {
					if !r.OK() {
						t.Errorf("another driver's message: %+v", r)
					}
				}
			})
			for i, r := range ask(t, bad, frames("00", "01", "ffffff", "02", "03")) {
				switch {
				case i == 2 && (!slices.Contains(m.want, r.Failure) || r.Reason == ""):
					t.Errorf("the bad message: %+v, want %v", r, m.want)
				case i != 2 && !r.OK():
					t.Errorf("message %d: %+v", i, r)
				}
			}
			all.Wait()
		})
	}
}

// A module that loops before it is called at all fails as if it did in the call.
func TestAModuleThatLoopsAtItsStart(t *testing.T) {
	loop := wasmtest.Code(0x03, 0x40, 0x0c, 0, 0x0b)
	p := pool(t, Config{Workers: 1})
	for name, m := range map[string][]byte{
		"start":       answers(t, wasmtest.Module{Start: loop}, nil),
		"_initialize": wasmtest.Module{Exports: map[string][]byte{"_initialize": loop, "decode": wasmtest.Answer(1)}}.Bytes(),
	} {
		for _, r := range ask(t, module(p, m), frames("00", "01")) {
			if r.Failure != driver.Timeout {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
	if r := ask(t, module(p, answers(t, wasmtest.Module{}, nil)), frames("00")); !r[0].OK() {
		t.Errorf("another one after that: %+v", r)
	}
}

func TestNoModule(t *testing.T) {
	for _, r := range ask(t, module(pool(t, Config{}), []byte("\x00asm\x0d\x00\x01\x00")), frames("00", "01")) {
		if r.Failure != driver.Invalid || !strings.Contains(r.Reason, "component") {
			t.Errorf("%+v", r)
		}
	}
}

// A driver that cannot be read in time costs one worker for all calls that wait, not one for each.
func TestADriverThatIsReadTooSlowly(t *testing.T) {
	defer func(was, more time.Duration) { loading, loadingKiB = was, more }(loading, loadingKiB)
	loading, loadingKiB = time.Microsecond, 0
	p := pool(t, Config{Workers: 1})
	defer p.Close() // before the time is set back
	large := answers(t, wasmtest.Module{}, slices.Repeat(wasmtest.Code(wasmtest.I32(1), 0x1a), 200_000))
	for _, r := range ask(t, module(p, large), frames("00", "01", "02", "03")) {
		if r.Failure != driver.Timeout || !strings.Contains(r.Reason, "reading the driver") {
			t.Errorf("%+v", r)
		}
	}
	if p.Killed() != 1 {
		t.Errorf("%d workers were killed for it", p.Killed())
	}
}

// A worker has room for few large modules, or many small ones.
func TestRoomForModules(t *testing.T) {
	p := &process{loaded: map[string]held{"a": {1, 10}, "b": {2, 1}, "c": {3, 5}}, clock: 4}
	if got := p.makeRoom(4, 20); got != nil {
		t.Errorf("%v was forgotten, though there is room", got)
	}
	if got := p.makeRoom(14, 20); !slices.Equal(got, []string{"a"}) || len(p.loaded) != 2 {
		t.Errorf("%v was forgotten", got)
	}
	if got := p.makeRoom(30, 20); len(got) != 2 || len(p.loaded) != 0 {
		t.Errorf("%v was forgotten", got)
	}
}
