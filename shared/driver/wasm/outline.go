package wasm

import (
	"bytes"
	"errors"
	"fmt"
)

// An outline is what is read of a module's bytes before anything is made of it (WebAssembly Core Specification 2.0, chapter 5).
// It is no validation, which is the engine's; only what the engine does not tell, or not in words that help, and what it must not be given.
type outline struct {
	bare    []byte // the module without its custom sections: names, which nobody here asks for, and what tools keep
	imports []imported
	exports map[string]byte // name → kind
	globals []global
	pages   uint64 // that the memory begins with

	// exportsAt and exportsEnd are where in bare the section of exports begins and ends; both 0 = there is none.
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
	customSection  = 0
	typeSection    = 1
	importSection  = 2
	tableSection   = 4
	memorySection  = 5
	globalSection  = 6
	exportSection  = 7
	elementSection = 9
	codeSection    = 10
	dataSection    = 11
)

// listed tells of a section that begins with how many entries it has, each of at least a byte; the others are made of what has a name (0), or
// are one number (8, 12).
func listed(section byte) bool { return section != 0 && section != 8 && section != 12 }

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
	b := &outline{exports: make(map[string]byte), bare: append(make([]byte, 0, len(module)), module[:8]...)}
	c := &cursor{b: module, at: 8}
	for c.more() {
		from, at := c.at, len(b.bare)
		id := c.byte()
		part := &cursor{b: c.take(c.u32())}
		if listed(id) { // the engine would make room for all of them
			count := &cursor{b: part.b}
			if n := count.u32(); n > uint32(len(part.b)) {
				return nil, fmt.Errorf("the module cannot be read: section %d says that it has %d entries, and has %d bytes", id, n, len(part.b))
			}
			part.err = count.err // who says it with bytes of the next section
		}
		if id != customSection {
			b.bare = append(b.bare, module[from:c.at]...)
		}
		switch id {
		case typeSection:
			part.types()
		case importSection:
			b.readImports(part)
		case tableSection:
			part.tables()
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
			b.exportsAt, b.exportsEnd = at, len(b.bare)
		case elementSection:
			part.elements()
		case codeSection:
			b.readCode(part)
		case dataSection:
			part.data()
		}
		if c.err == nil && part.err != nil {
			c.err = fmt.Errorf("section %d: %w", id, part.err)
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
			c.valueType()
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
		b.globals = append(b.globals, global{kind: c.valueType(), mutable: c.byte() == 1})
		if c.expression(); c.err != nil { // its first value
			return
		}
	}
}

// withGlobals returns the bare module with every global exported that can change, under these names. Where they cannot be read and set
// as numbers, or the engine's names are taken, no names are returned.
func (b *outline) withGlobals() (changed []byte, names []string) {
	module := b.bare
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
