// Package wasmtest writes small WebAssembly modules for tests, instruction by instruction, where there is no assembler.
package wasmtest

import "slices"

// A Module is a driver in the making. Functions have one of the types 0 (i32) → i32, 1 (i32 i32) → i64, 2 () → (),
// 3 (i32 i32) → () and 4 (i32) → (); the imports come first in their numbering, then alloc. Exported functions are of type 1,
// _initialize of type 2.
type Module struct {
	Imports [][3]string       // module, name, and as bytes the kind and what belongs to it: "\x00\x03" = a function of type 3
	Pages   [2]int            // of memory: at first (0 = 1), at most (0 = as many as may be)
	Alloc   []byte            // the body of alloc; nil = it returns 1024
	Exports map[string][]byte // bodies of decode, encode, on_event, normalize, _initialize
	Start   []byte            // the body of the start function; nil = none
	Globals [][]byte          // type, whether it can change, and its first value
	Table   []byte            // its type and limits; nil = none
	Data    []byte            // what lies from address 4096 on
}

func vec(items ...[]byte) []byte {
	return append(unsigned(nil, len(items)), slices.Concat(items...)...)
}

func text(s string) []byte { return append(unsigned(nil, len(s)), s...) }

func section(id byte, body []byte) []byte {
	return append(unsigned([]byte{id}, len(body)), body...)
}

func function(body []byte) []byte {
	b := append(append([]byte{1, 2, 0x7e}, body...), 0x0b) // two locals of i64, after the parameters
	return append(unsigned(nil, len(b)), b...)
}

// Bytes is the module.
func (m Module) Bytes() []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = append(out, section(1, vec([]byte{0x60, 1, 0x7f, 1, 0x7f}, []byte{0x60, 2, 0x7f, 0x7f, 1, 0x7e}, []byte{0x60, 0, 0}, []byte{0x60, 2, 0x7f, 0x7f, 0}, []byte{0x60, 1, 0x7f, 0}))...)
	var imports [][]byte
	for _, i := range m.Imports {
		imports = append(imports, slices.Concat(text(i[0]), text(i[1]), []byte(i[2])))
	}
	out = append(out, section(2, vec(imports...))...)
	if m.Alloc == nil {
		m.Alloc = I32(1024)
	}
	types, bodies := [][]byte{{0}}, [][]byte{function(m.Alloc)}
	exports := [][]byte{append(text("alloc"), 0, byte(len(imports))), append(text("memory"), 2, 0)}
	for _, n := range []string{"decode", "encode", "on_event", "normalize", "_initialize"} {
		if body, ok := m.Exports[n]; ok {
			exports = append(exports, append(text(n), 0, byte(len(imports)+len(types))))
			bodies = append(bodies, function(body))
			if types = append(types, []byte{1}); n == "_initialize" {
				types[len(types)-1] = []byte{2}
			}
		}
	}
	start := len(imports) + len(types)
	if m.Start != nil {
		types, bodies = append(types, []byte{2}), append(bodies, function(m.Start))
	}
	out = append(out, section(3, vec(types...))...)
	if m.Table != nil {
		out = append(out, section(4, vec(m.Table))...)
	}
	memory := unsigned([]byte{0}, max(m.Pages[0], 1))
	if m.Pages[1] > 0 {
		memory = unsigned(unsigned([]byte{1}, m.Pages[0]), m.Pages[1])
	}
	out = append(out, section(5, vec(memory))...)
	if m.Globals != nil {
		out = append(out, section(6, vec(m.Globals...))...)
	}
	out = append(out, section(7, vec(exports...))...)
	if m.Start != nil {
		out = append(out, section(8, unsigned(nil, start))...)
	}
	out = append(out, section(10, vec(bodies...))...)
	if m.Data != nil {
		out = append(out, section(11, vec(slices.Concat([]byte{0}, I32(4096), []byte{0x0b}, text(string(m.Data)))))...)
	}
	return out
}

// I32 is the instruction i32.const.
func I32(n int64) []byte { return append([]byte{0x41}, signed(n)...) }

// I64 is the instruction i64.const.
func I64(n int64) []byte { return append([]byte{0x42}, signed(n)...) }

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

// Code puts instructions together: single bytes as int, longer ones as []byte.
func Code(parts ...any) (b []byte) {
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

// Answer returns what lies at 4096, n bytes.
func Answer(n int) []byte { return I64(4096<<32 | int64(n)) }

// unsigned appends n as LEB128.
func unsigned(to []byte, n int) []byte {
	for ; n > 0x7f; n >>= 7 {
		to = append(to, byte(n)|0x80)
	}
	return append(to, byte(n))
}
