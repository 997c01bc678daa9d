package wasm

import "fmt"

// What a module may have. Some of its numbers cost a byte or five and have the engine make room for as many as they say, whatever comes after
// them; so each is looked at before. A vector cannot have more entries than there are bytes for it; where that is no bound, or not
// enough of one, these are. The first two are those of browsers (WebAssembly JavaScript Interface, 7.2).
const (
	maxTypes     = 1_000   // parameters of a function, and results
	maxLocals    = 50_000  // local variables of a function
	maxAllLocals = 4 << 20 // of all functions
	maxEntries   = 1 << 20 // that all tables begin with
)

// count reads how many entries follow, each of which has at least a byte.
func (c *cursor) count() uint32 {
	n := c.u32()
	if c.err != nil || uint64(n) > uint64(len(c.b)-c.at) {
		c.fail()
		return 0
	}
	return n
}

// Of types that are more than a byte: a reference has the type of what it refers to beside.
const (
	nullableReference = 0x63
	reference         = 0x64
)

// valueType skips a type and returns its first byte.
func (c *cursor) valueType() byte {
	b := c.byte()
	if b == nullableReference || b == reference {
		c.u64()
	}
	return b
}

// expression skips instructions up to the end of them: a value that is known from the start.
func (c *cursor) expression() {
	for c.err == nil {
		op := c.byte()
		if op == 0x0b {
			return
		}
		c.immediates(op)
	}
}

// types walks through the section of types.
func (c *cursor) types() {
	const group = 0x4e // of types that know each other
	for range c.u32() {
		some := uint32(1)
		if c.more() && c.b[c.at] == group {
			c.at++
			some = c.count()
		}
		for range some {
			if c.functionType(); c.err != nil {
				return
			}
		}
	}
}

func (c *cursor) functionType() {
	if c.byte() != 0x60 {
		c.fail()
	}
	for range 2 { // parameters, results
		n := c.count()
		if n > maxTypes {
			c.err = fmt.Errorf("a function has %d parameters or results, at most %d are taken", n, maxTypes)
		}
		for range n {
			if c.valueType(); c.err != nil {
				return
			}
		}
	}
}

// tables walks through the section of tables.
func (c *cursor) tables() {
	var all uint64
	for range c.u32() {
		const withValue = 0x40 // of its entries
		kind := c.valueType()
		if kind == withValue {
			c.byte()
			c.valueType()
		}
		all += min(c.limits(), 1<<32)
		if kind == withValue {
			c.expression()
		}
		if c.err == nil && all > maxEntries {
			c.err = fmt.Errorf("its tables begin with %d entries, at most %d are taken", all, maxEntries)
		}
		if c.err != nil {
			return
		}
	}
}

// elements walks through the section of what tables are filled with.
func (c *cursor) elements() {
	for range c.u32() {
		kind := c.u32()
		if kind > 7 {
			c.fail()
		}
		passive, placed, expressions := kind&1 != 0, kind&2 != 0, kind&4 != 0
		if !passive {
			if placed {
				c.u32()
			}
			c.expression()
		}
		if passive || placed {
			c.valueType()
		}
		for range c.count() {
			if expressions {
				c.expression()
			} else {
				c.u32()
			}
			if c.err != nil {
				return
			}
		}
		if c.err != nil {
			return
		}
	}
}

// data walks through the section of what memory is filled with.
func (c *cursor) data() {
	for range c.u32() {
		kind := c.u32()
		if kind > 2 {
			c.fail()
		}
		if kind == 2 {
			c.u32()
		}
		if kind != 1 {
			c.expression()
		}
		if c.take(c.u32()); c.err != nil {
			return
		}
	}
}

// locals skips the local variables that a function begins with and returns how many there are.
func (c *cursor) locals() (n uint64) {
	for range c.u32() { // so many of a type
		n += uint64(c.u32())
		if c.valueType(); c.err != nil {
			return 0
		}
	}
	return n
}

// readCode walks through the functions. lasting becomes the first instruction of them whose effect lasts.
func (b *outline) readCode(c *cursor) {
	var all uint64
	for i := range c.u32() {
		body := &cursor{b: c.take(c.u32())}
		n := body.locals()
		all += n
		switch {
		case c.err != nil:
		case body.err != nil:
			c.err = body.err
		case n > maxLocals:
			c.err = fmt.Errorf("function %d has %d local variables, at most %d are taken", i, n, maxLocals)
		case all > maxAllLocals:
			c.err = fmt.Errorf("its functions have more than %d local variables, at most so many are taken", maxAllLocals)
		}
		if c.err != nil {
			return
		}
		if b.lasting == "" {
			b.lasting = body.lasting()
		}
	}
}
