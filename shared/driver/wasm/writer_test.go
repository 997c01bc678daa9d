package wasm

import (
	"slices"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

// A made is a module that a test writes, instruction by instruction. It has types 0 (i32) → i32, 1 (i32 i32) → i64, 2 () → (),
// 3 (i32 i32) → (), 4 (i32) → ();
// its imports come first in the numbering of functions.
type made struct {
	imports [][3]string // module, name; the third is a type of function, or raw bytes of another kind
	pages   [2]int      // of memory: at first, at most (0 = as many as may be)
	alloc   []byte      // its body; nil = returns 1024
	exports map[string][]byte
	start   []byte // its body
	globals [][]byte
	table   []byte // its type and limits
	data    []byte // from address 4096 on
}

func vec(items ...[]byte) []byte {
	return append(leb(nil, len(items)), slices.Concat(items...)...)
}

func text(s string) []byte { return append(leb(nil, len(s)), s...) }

func section(id byte, body []byte) []byte {
	return append(leb([]byte{id}, len(body)), body...)
}

func function(code []byte) []byte {
	b := append(append([]byte{1, 2, 0x7e}, code...), 0x0b) // two locals of i64, after the parameters
	return append(leb(nil, len(b)), b...)
}

func (m made) bytes() []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = append(out, section(1, vec([]byte{0x60, 1, 0x7f, 1, 0x7f}, []byte{0x60, 2, 0x7f, 0x7f, 1, 0x7e}, []byte{0x60, 0, 0}, []byte{0x60, 2, 0x7f, 0x7f, 0}, []byte{0x60, 1, 0x7f, 0}))...)
	var imports [][]byte
	for _, i := range m.imports {
		imports = append(imports, slices.Concat(text(i[0]), text(i[1]), []byte(i[2])))
	}
	out = append(out, section(importSection, vec(imports...))...)
	if m.alloc == nil {
		m.alloc = i32(1024)
	}
	types, bodies := [][]byte{{0}}, [][]byte{function(m.alloc)}
	exports := [][]byte{append(text("alloc"), aFunction, byte(len(imports))), append(text("memory"), aMemory, 0)}
	for _, n := range []string{"decode", "encode", "on_event", "normalize", "_initialize"} {
		if body, ok := m.exports[n]; ok {
			exports = append(exports, append(text(n), aFunction, byte(len(imports)+len(types))))
			bodies = append(bodies, function(body))
			if types = append(types, []byte{1}); n == "_initialize" {
				types[len(types)-1] = []byte{2}
			}
		}
	}
	start := len(imports) + len(types)
	if m.start != nil {
		types, bodies = append(types, []byte{2}), append(bodies, function(m.start))
	}
	out = append(out, section(3, vec(types...))...)
	if m.table != nil {
		out = append(out, section(4, vec(m.table))...)
	}
	memory := leb([]byte{0}, max(m.pages[0], 1))
	if m.pages[1] > 0 {
		memory = leb(leb([]byte{1}, m.pages[0]), m.pages[1])
	}
	out = append(out, section(memorySection, vec(memory))...)
	if m.globals != nil {
		out = append(out, section(globalSection, vec(m.globals...))...)
	}
	out = append(out, section(exportSection, vec(exports...))...)
	if m.start != nil {
		out = append(out, section(8, leb(nil, start))...)
	}
	out = append(out, section(codeSection, vec(bodies...))...)
	if m.data != nil {
		out = append(out, section(11, vec(slices.Concat([]byte{0}, i32(4096), []byte{0x0b}, text(string(m.data)))))...)
	}
	return out
}

// Instructions.

func i32(n int64) []byte { return append([]byte{0x41}, signed(n)...) }
func i64(n int64) []byte { return append([]byte{0x42}, signed(n)...) }

func signed(n int64) (b []byte) {
	for {
		c := byte(n & 0x7f)
		n >>= 7
		if n == 0 && c&0x40 == 0 || n == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func code(parts ...any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = append(b, byte(p))
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

// answer returns what lies at 4096, n bytes.
func answer(n int) []byte { return i64(4096<<32 | int64(n)) }

func cborOf(t testing.TB, v any) []byte {
	t.Helper()
	b, err := deterministic.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// says is a module that answers decode with v, always.
func says(t testing.TB, v any) []byte {
	b := cborOf(t, v)
	return made{pages: [2]int{8, 0}, data: b, exports: map[string][]byte{"decode": answer(len(b)), "encode": answer(len(b)), "on_event": answer(len(b))}}.bytes()
}

func open(t testing.TB, module []byte, l Limits) *Engine {
	t.Helper()
	e, err := New(module, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func call(e *Engine, c driver.Call) driver.Result { return Read(c.Op, e.Call(c)) }

var up = driver.Call{Op: driver.DecodeUplink, Bytes: []byte{1, 2, 3}}

type object = map[string]any
