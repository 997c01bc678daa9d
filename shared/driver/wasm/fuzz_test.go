package wasm

import (
	"context"
	"encoding/json"
	"runtime"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

// Whatever a module answers becomes a result that is within its bounds and can be said in JSON.
func FuzzRead(f *testing.F) {
	for _, v := range []any{
		object{"version": 1, "data": object{"a": 1.5, "b": []any{nil, true, "x", -1, object{}}}, "time": 1, "warnings": []string{"w"}},
		object{"version": 1, "records": []any{object{"time": 1, "data": object{"a": nan()}}}},
		object{"version": 1, "bytes": []byte{1}, "port": 3, "topic": "a"},
		object{"version": 1, "state": []byte{1}, "commands": []any{object{"name": "off"}}},
		object{"version": 1, "errors": []string{"no"}}, object{"version": 1, "data": object{"n": uint64(1<<64 - 1)}}, []any{}, nil,
	} {
		b := cborOf(f, v)
		for op := range 5 {
			f.Add(b, byte(op))
		}
	}
	for _, s := range []string{"\xbf\x67version\x01\xff", "\xa1\x61\xff\x01", "\xa1\x67version\xc1\x01", "\xa2\x67version\x01\x67version\x01", "\xa1\x01\x02",
		"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", "\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81",
		"\xa2\x67version\x01\x64data\xa1\x61a\xf7", "\xa2\x67version\x01\x64data\xa1\x61a\xe0", "\xa2\x67version\x01\x64data\xa1\x61a\x3b\xff\xff\xff\xff\xff\xff\xff\xff", "\xa1\x67version\xf9\x3c\x00", "\x7f\x61a\xff"} {
		f.Add([]byte(s), byte(0))
	}
	ops := []driver.Op{driver.DecodeUplink, driver.EncodeDownlink, driver.DecodeDownlink, driver.NormalizeUplink, driver.OnEvent}
	f.Fuzz(func(t *testing.T, out []byte, op byte) {
		r := Read(ops[int(op)%len(ops)], pack(reply{Out: out}))
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("%x: %v", out, err)
		}
		if r.Failure == driver.Output {
			return
		}
		data, _ := json.Marshal(r.Data)
		if len(data) > driver.MaxOutput || len(r.Bytes) > driver.MaxInput || len(r.State) > driver.MaxState || len(r.Commands) > driver.MaxCommands || len(r.Warnings) > driver.MaxNotes || len(r.Errors) > driver.MaxNotes {
			t.Errorf("%x: out of bounds: %.300s", out, b)
		}
		if r.Failure == "" && len(r.Errors) > 0 && (r.Data != nil || r.Records != nil || r.State != nil) {
			t.Errorf("%x: errors and data: %.300s", out, b)
		}
		Read(driver.DecodeUplink, string(out)) // a worker that is not itself any more
	})
}

// Whatever is uploaded as a module is read without harm and does not need gigabytes to be compiled, and one that the engine takes it also takes with its globals exported.
func FuzzModule(f *testing.F) {
	f.Add(says(f, object{"version": 1}))
	f.Add(made{Globals: [][]byte{code(0x7f, 1, i32(0), 0x0b), code(0x7e, 1, i64(0), 0x0b)}, Table: []byte{0x70, 1, 1, 5}, Start: []byte{}, Data: []byte("x"), Exports: map[string][]byte{
		"decode": code(0x02, 0x40, 0x0e, 1, 0, 0, 0x0b, 0x43, []byte{0, 0, 0, 0}, drop, 0x44, make([]byte, 8), drop, i32(0), 0x25, 0, 0xd1, drop, i32(0), i32(0), i32(0), 0xfc, 10, 0, 0, 0xfd, 12, make([]byte, 16), drop, answer(3))}}.Bytes())
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x07\x05\xff\xff\xff\xff\x0f"))
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x0a\x08\x01\xff\xff\xff\xff\x0f\xff\xff"))
	for _, c := range greedy {
		f.Add(with(says(f, object{"version": 1}), c.section))
	}
	f.Add(with(says(f, object{"version": 1}), section(0, text("name"), 1, 6, most, 0)))
	f.Fuzz(func(t *testing.T, module []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		defer func() {
			if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 256<<20 {
				t.Errorf("it needs %d MiB to be compiled: %x", (after.TotalAlloc-before.TotalAlloc)>>20, module)
			}
		}()
		b, err := read(module)
		if err != nil || b.check(1<<20) != nil {
			return
		}
		changed, _ := b.withGlobals()
		r, err := machine()
		if err != nil {
			t.Fatal(err)
		}
		was, err := r.CompileModule(context.Background(), b.bare)
		if err != nil {
			return
		}
		defer was.Close(context.Background())
		is, err := r.CompileModule(context.Background(), changed)
		if err != nil {
			t.Fatalf("the engine takes the module, but not with its globals exported: %v\n%x\n%x", err, module, changed)
		}
		_ = is.Close(context.Background())
	})
}
