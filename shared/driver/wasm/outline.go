package wasm

import (
	"bytes"
	"errors"
	"fmt"
)

// An outline is what is read of a module's bytes before anything is made of it (WebAssembly Core Specification 2.0, chapter 5).
// It is no validation, which is the engine's; only what the engine does not tell, or not in words that help.
type outline struct {
	imports []imported
	exports map[string]byte // name → kind
	globals []global
	pages   uint64 // that the memory begins with

	// exportsAt and exportsEnd are where the section of exports begins and ends; both 0 = there is none.
	exportsAt, exportsEnd int

	// lasting is an instruction that changes what is in neither memory nor globals; "" = there is none.
	lasting string
}

type imported struct {
	module, name string
	kind         byte
}

type global struct {
	kind    byte // 0x7f i32, 0x7e i64, 0x7d f32, 0x7c f64, others
	mutable bool
}

// Kinds of imports and exports.
const (
	aFunction = iota
	aTable
	aMemory
	aGlobal
)

var kinds = [...]string{"function", "table", "memory", "global"}

// Sections that are looked at.
const (
	importSection = 2
	memorySection = 5
	globalSection = 6
	exportSection = 7
	codeSection   = 10
)

// read looks through a module.
func read(module []byte) (*outline, error) {
	switch {
	case len(module) < 8 || string(module[:4]) != "\x00asm":
		return nil, errors.New("this is no WebAssembly module: a module begins with the bytes 00 61 73 6d")
	case module[6] == 1:
		return nil, errors.New("this is a component of the component model; a core module is needed: build for wasip1 or wasm32-unknown-unknown and do not wrap it")
	case !bytes.Equal(module[4:8], []byte{1, 0, 0, 0}):
		return nil, fmt.Errorf("version % x of WebAssembly is not known, 01 00 00 00 is", module[4:8])
	}
	b := &outline{exports: make(map[string]byte)}
	c := &cursor{b: module, at: 8}
	for c.more() {
		at := c.at
		id := c.byte()
		part := &cursor{b: c.take(c.u32())}
		switch id {
		case importSection:
			b.readImports(part)
		case memorySection:
			if part.u32() > 0 {
				part.byte()
				b.pages = part.u64()
			}
		case globalSection:
			b.readGlobals(part)
		case exportSection:
			for range part.u32() {
				n, kind := string(part.take(part.u32())), part.byte()
				if part.u32(); part.err != nil {
					break
				}
				b.exports[n] = kind
			}
			b.exportsAt, b.exportsEnd = at, c.at
		case codeSection:
			b.lasting = lasting(part)
		}
		if c.err == nil {
			c.err = part.err
		}
	}
	if c.err != nil {
		return nil, fmt.Errorf("the module cannot be read: %w", c.err)
	}
	return b, nil
}

func (b *outline) readImports(c *cursor) {
	for range c.u32() {
		i := imported{module: string(c.take(c.u32())), name: string(c.take(c.u32())), kind: c.byte()}
		switch i.kind {
		case aFunction:
			c.u32()
		case aTable:
			c.byte()
			c.limits()
		case aMemory:
			c.limits()
		case aGlobal:
			c.take(2)
		default:
			c.fail()
		}
		if c.err != nil {
			return
		}
		b.imports = append(b.imports, i)
	}
}

func (b *outline) readGlobals(c *cursor) {
	for range c.u32() {
		b.globals = append(b.globals, global{kind: c.byte(), mutable: c.byte() == 1})
		for { // its first value, an expression
			op := c.byte()
			if c.err != nil {
				return
			}
			if op == 0x0b {
				break
			}
			c.immediates(op)
		}
	}
}

// withGlobals returns the module with every global exported that can change, under these names. Where they cannot be read and set
// as numbers, or the engine's names are taken, no names are returned.
func (b *outline) withGlobals(module []byte) (changed []byte, names []string) {
	var entries []byte
	for i, g := range b.globals {
		if !g.mutable {
			continue
		}
		n := fmt.Sprintf("castor.global.%d", i)
		if _, taken := b.exports[n]; taken || g.kind < 0x7c || g.kind > 0x7f {
			return module, nil
		}
		names = append(names, n)
		entries = append(append(leb(entries, len(n)), n...), aGlobal)
		entries = leb(entries, i)
	}
	if len(names) == 0 || b.exportsEnd == 0 {
		return module, nil
	}
	old := &cursor{b: module[:b.exportsEnd], at: b.exportsAt + 1}
	old.u32()
	count := old.u32()
	body := append(append(leb(nil, int(count)+len(names)), module[old.at:b.exportsEnd]...), entries...)
	changed = append(changed, module[:b.exportsAt]...)
	changed = append(leb(append(changed, exportSection), len(body)), body...)
	return append(changed, module[b.exportsEnd:]...), names
}

// leb appends n as unsigned LEB128.
func leb(to []byte, n int) []byte {
	for ; n > 0x7f; n >>= 7 {
		to = append(to, byte(n)|0x80)
	}
	return append(to, byte(n))
}
