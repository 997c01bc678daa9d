package wasm

import (
	"errors"
	"fmt"
)

// A cursor reads the pieces of a module. After its first error it reads nothing more.
type cursor struct {
	b   []byte
	at  int
	err error
}

var errCut = errors.New("it is cut, or says more than it has")

func (c *cursor) fail() {
	if c.err == nil {
		c.err = errCut
	}
}

func (c *cursor) more() bool { return c.err == nil && c.at < len(c.b) }

func (c *cursor) byte() byte {
	if !c.more() {
		c.fail()
		return 0
	}
	c.at++
	return c.b[c.at-1]
}

func (c *cursor) take(n uint32) []byte {
	if c.err != nil || uint64(n) > uint64(len(c.b)-c.at) {
		c.fail()
		return nil
	}
	c.at += int(n)
	return c.b[c.at-int(n) : c.at]
}

// u64 reads unsigned LEB128 of at most 64 bits. It serves for signed ones too, of which nobody wants the value.
func (c *cursor) u64() (n uint64) {
	for shift := 0; shift < 70; shift += 7 {
		b := c.byte()
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
	c.fail()
	return 0
}

// u32 reads a number, a count or an index. Who loops over a count ends with the first error.
func (c *cursor) u32() uint32 {
	n := c.u64()
	if n > 1<<32-1 {
		c.fail()
	}
	if c.err != nil {
		return 0
	}
	return uint32(n)
}

// limits reads how large something is at least, and skips how large it may become.
func (c *cursor) limits() (least uint64) {
	flags := c.byte()
	if least = c.u64(); flags&1 == 1 {
		c.u64()
	}
	return least
}

// lasting walks through a function's instructions and names the first that changes tables, or drops a segment: what that does cannot
// be taken back from outside. Such a module is none the worse for it; it gets a new instance for each call.
func (c *cursor) lasting() string {
	for c.more() {
		if what := c.immediates(c.byte()); what != "" {
			return what
		}
	}
	if c.err != nil {
		return c.err.Error()
	}
	return ""
}

// immediates skips what belongs to an instruction, and names it if what it does lasts. An unknown one is an error.
func (c *cursor) immediates(op byte) (lasts string) {
	switch {
	case op <= 0x01, op == 0x05, op == 0x0b, op == 0x0f, op == 0x1a, op == 0x1b, op >= 0x45 && op <= 0xc4, op == 0xd1: // none
	case op >= 0x02 && op <= 0x04, op == 0x0c, op == 0x0d, op == 0x10, op >= 0x20 && op <= 0x25, op >= 0x3f && op <= 0x42, op == 0xd0, op == 0xd2:
		c.u64() // a type, an index or a constant
	case op == 0x0e: // br_table
		for range c.u32() {
			if c.u32(); c.err != nil {
				return ""
			}
		}
		c.u32()
	case op == 0x11: // call_indirect
		c.u32()
		c.u32()
	case op == 0x1c: // select with types
		c.take(c.u32())
	case op == 0x26:
		return "table.set"
	case op >= 0x28 && op <= 0x3e: // loads and stores
		c.u32()
		c.u64()
	case op == 0x43:
		c.take(4)
	case op == 0x44:
		c.take(8)
	case op == 0xfc:
		return c.bulk(c.u32())
	case op == 0xfd:
		c.vector(c.u32())
	default:
		c.err = fmt.Errorf("instruction %#x is not known", op)
	}
	return ""
}

// bulk are instructions with the prefix 0xfc.
func (c *cursor) bulk(op uint32) (lasts string) {
	switch op {
	case 0, 1, 2, 3, 4, 5, 6, 7: // conversions
	case 8, 10: // memory.init, memory.copy
		c.u32()
		c.u32()
	case 11, 16: // memory.fill, table.size
		c.u32()
	case 9, 12, 13, 14, 15, 17:
		return map[uint32]string{9: "data.drop", 12: "table.init", 13: "elem.drop", 14: "table.copy", 15: "table.grow", 17: "table.fill"}[op]
	default:
		c.err = fmt.Errorf("instruction 0xfc %d is not known", op)
	}
	return ""
}

// vector are instructions with the prefix 0xfd.
func (c *cursor) vector(op uint32) {
	switch {
	case op <= 11, op == 92, op == 93: // loads and stores
		c.u32()
		c.u64()
	case op == 12, op == 13: // a constant, a shuffle
		c.take(16)
	case op >= 21 && op <= 34: // a lane
		c.byte()
	case op >= 84 && op <= 91: // a lane of memory
		c.u32()
		c.u64()
		c.byte()
	}
}
