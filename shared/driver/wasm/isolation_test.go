package wasm

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
)

// counting is the answer {"data": {"n": 0}, "version": 1} and where its 0 is; a body that stores a digit there tells it.
var counting, digit = func() ([]byte, []byte) {
	b, err := deterministic.Marshal(object{"version": 1, "data": object{"n": 0}})
	if err != nil {
		panic(err)
	}
	return b, i32(int64(4096 + slices.Index(b, 0)))
}()

const (
	store8     = 0x3a
	load8      = 0x2d
	add        = 0x6a
	unreached  = 0x00
	globalGet  = 0x23
	globalSet  = 0x24
	memoryGrow = 0x40
	memorySize = 0x3f
	drop       = 0x1a
)

// What a call leaves in memory, in globals that are not exported, in the size of memory or in a table is not there for the next.
func TestNothingIsKept(t *testing.T) {
	at := []byte{0, 0} // alignment and offset of a load or store
	for name, c := range map[string]struct {
		m    made
		kept bool // the instance is used again
	}{
		"memory":             {made{Exports: map[string][]byte{"decode": code(digit, digit, load8, at, i32(1), add, store8, at, answer(len(counting)))}}, true},
		"globals":            {made{Globals: [][]byte{code(0x7f, 0, i32(7), 0x0b), code(0x7f, 1, i32(0), 0x0b)}, Exports: map[string][]byte{"decode": code(globalGet, 1, i32(1), add, globalSet, 1, digit, globalGet, 1, store8, at, answer(len(counting)))}}, true},
		"the size of memory": {made{Exports: map[string][]byte{"decode": code(digit, memorySize, 0, store8, at, i32(3), memoryGrow, 0, drop, answer(len(counting)))}}, true},
		"grown memory": {made{Exports: map[string][]byte{"decode": code(i32(1), memoryGrow, 0, drop,
			i32(page+5), i32(page+5), load8, at, i32(1), add, store8, at, digit, i32(page+5), load8, at, store8, at, answer(len(counting)))}}, true},
		"at its own maximum": {made{Pages: [2]int{1, 2}, Exports: map[string][]byte{"decode": code(digit, memorySize, 0, store8, at, i32(1), memoryGrow, 0, drop, answer(len(counting)))}}, false},
		"a table": {made{Table: []byte{0x70, 0, 1}, Exports: map[string][]byte{"decode": code(
			digit, i32(0), 0x25, 0, 0xd1, i32(1), add, store8, at, // table.get, ref.is_null: 2 where the place is empty
			i32(0), i32(0), 0x25, 0, 0x26, 0, // table.set, to what it is
			0xd0, 0x70, i32(1), 0xfc, 15, 0, drop, // table.grow
			digit, 0xfc, 16, 0, store8, at, answer(len(counting)))}}, false}, // table.size
		"a vector": {made{Globals: [][]byte{code(0x7b, 1, 0xfd, 12, make([]byte, 16), 0x0b)}, Exports: map[string][]byte{"decode": code(
			digit, globalGet, 0, 0xfd, 27, 3, i32(1), add, store8, at, // i32x4.extract_lane 3
			globalGet, 0, i32(1), 0xfd, 28, 3, globalSet, 0, answer(len(counting)))}}, false}, // i32x4.replace_lane 3
	} {
		t.Run(name, func(t *testing.T) {
			c.m.Data = counting
			if name != "at its own maximum" {
				c.m.Pages = [2]int{1, 0}
			}
			e := open(t, c.m.Bytes(), Limits{})
			first := call(e, up)
			if data, _ := first.Data.(object); !first.OK() || data["n"] == 0.0 {
				t.Fatalf("%+v", first)
			}
			was := e.instance
			for range 3 {
				if again := call(e, up); !reflect.DeepEqual(again, first) {
					t.Errorf("the next call sees what one left: %+v, at first %+v", again, first)
				}
			}
			if kept := was != nil && e.instance == was; kept != c.kept {
				t.Errorf("the instance is used again: %v, want %v (%s)", kept, c.kept, e.lasting)
			}
		})
	}
}

// Each of these fails with its reason, and the next call, of another message, is answered.
func TestMisconduct(t *testing.T) {
	logs := [][3]string{{"castor", "log", "\x00\x03"}}
	endless := func(body ...any) []byte { return code(0x03, 0x40, code(body...), 0x0c, 0, 0x0b, unreached) }
	for want, c := range map[string]struct {
		m    made
		body []byte // of decode
		kind driver.Failure
	}{
		"unreachable":                                   {made{}, code(unreached), driver.Exception},
		"integer divide by zero":                        {made{}, code(i32(1), i32(0), 0x6d, drop, answer(1)), driver.Exception},
		"out of bounds memory access":                   {made{}, code(i32(-1), load8, 0, 0, drop, answer(1)), driver.Exception},
		"stack overflow":                                {made{}, code(0x20, 0, 0x20, 1, 0x10, 1), driver.Exception},
		"is outside its memory of 65536":                {made{}, i64(65530<<32 | 100), driver.Invalid},
		"pointer 4294967295 and length 16":              {made{}, i64(-1<<32 | 16), driver.Invalid},
		"returned nothing":                              {made{}, i64(4096 << 32), driver.Invalid},
		"the result has 4294967295 bytes":               {made{}, i64(-1), driver.Output},
		"the result has 262145 bytes":                   {made{}, answer(driver.MaxOutput + 1), driver.Output},
		"what it returned cannot be read":               {made{Data: []byte("\xa1\x61")}, answer(2), driver.Invalid},
		"no place for so many bytes":                    {made{Alloc: i32(65530)}, answer(1), driver.Invalid},
		"alloc(33) returned 0, which":                   {made{Alloc: i32(0)}, answer(1), driver.Invalid},
		"more memory than it may have, 1 MiB":           {made{}, endless(i32(1), memoryGrow, 0, i32(-1), 0x46, 0x04, 0x40, unreached, 0x0b), driver.Memory},
		"castor.log: pointer 65535":                     {made{Imports: logs}, code(i32(65535), i32(2), 0x10, 0, answer(1)), driver.Exception},
		"it ended itself with code 7":                   {made{Imports: [][3]string{{preview1, "proc_exit", "\x00\x04"}}}, code(i32(7), 0x10, 0, unreached), driver.Exception},
		"[_initialize] failed: wasm error: unreachable": {made{Exports: map[string][]byte{"_initialize": {unreached}}}, answer(1), driver.Exception},
		"its initialisation: start function[3] failed":  {made{Start: code(unreached)}, answer(1), driver.Exception},
	} {
		t.Run(want, func(t *testing.T) {
			if c.m.Exports == nil {
				c.m.Exports = map[string][]byte{}
			}
			c.m.Exports["decode"] = c.body
			c.m.Exports["normalize"] = answer(len(counting))
			sound := c.m.Alloc == nil && c.m.Start == nil && c.m.Exports["_initialize"] == nil
			if c.m.Data == nil {
				c.m.Data = counting
			}
			e := open(t, c.m.Bytes(), Limits{Memory: 1 << 20})
			for range 2 {
				if r := call(e, driver.Call{Op: driver.DecodeUplink}); r.Failure != c.kind || !strings.Contains(r.Reason, want) {
					t.Errorf("%s: %s, want %s", r.Failure, r.Reason, c.kind)
				}
			}
			if r := call(e, driver.Call{Op: driver.NormalizeUplink, Data: object{}}); sound && c.m.Data[0] == counting[0] && !r.OK() {
				t.Errorf("the next call: %+v", r)
			}
		})
	}
}

// A module that writes very much has a log of a few lines; one that never ends writing is stopped at that.
func TestALogThatIsFlooded(t *testing.T) {
	logs := [][3]string{{"castor", "log", "\x00\x03"}}
	line := code(i32(4096), i32(60_000), 0x10, 0)
	e := open(t, made{Imports: logs, Data: counting, Exports: map[string][]byte{"decode": append(slices.Repeat(line, 1000), answer(len(counting))...)}}.Bytes(), Limits{})
	r := call(e, up)
	if !r.OK() || len(r.Log) != driver.MaxNotes || r.Log[driver.MaxNotes-1] != "and 981 more" {
		t.Errorf("%d lines: %.1000v", len(r.Log), r)
	}
	e = open(t, made{Imports: logs, Exports: map[string][]byte{"decode": code(0x03, 0x40, line, 0x0c, 0, 0x0b, unreached)}}.Bytes(), Limits{})
	time.AfterFunc(50*time.Millisecond, e.Interrupt)
	if r := call(e, up); r.Failure != driver.Timeout || len(r.Log) != driver.MaxNotes {
		t.Errorf("%.1000v", fmt.Sprint(r))
	}
}

// What is written is not kept only to be thrown away at the end.
func TestALogKeepsFewLines(t *testing.T) {
	h := &host{}
	for range 10_000 {
		h.write([]byte(strings.Repeat("x", 1000) + "\n"))
	}
	if len(h.log) != maxLines || len(h.log[0]) > maxLine+1 || h.more != 10_000-maxLines {
		t.Errorf("%d lines of %d bytes are kept, %d are only counted", len(h.log), len(h.log[0]), h.more)
	}
}
