package spool

import (
	"bytes"
	"io"
)

const chunk = 65_536 // bytes read at once

// A scanner reads the frames of one segment in order and steps over what is damaged.
type scanner struct {
	size int64 // bytes of the file that count
	off  int64 // where buf begins in the file
	buf  []byte

	end     int64 // behind the last whole frame
	damaged int   // stretches stepped over that whole frames follow
	bad     bool  // the bytes before off are damaged
}

// next returns the next whole frame of from; ok is false behind the last one.
func (c *scanner) next(from io.ReaderAt) (f frame, ok bool, err error) {
	for {
		f, n := parse(c.buf)
		switch {
		case n > 0 && n <= len(c.buf):
			c.drop(n)
			c.end = c.off
			if c.bad {
				c.bad, c.damaged = false, c.damaged+1
			}
			return f, true, nil
		case n > 0 && c.off+int64(len(c.buf)) < c.size:
			if err := c.fill(from, n); err != nil {
				return f, false, err
			}
		case len(c.buf) == 0:
			return f, false, nil
		default:
			c.bad = true
			c.drop(skip(c.buf))
		}
	}
}

// fill brings the first n bytes into the buffer, and more if the segment has more; at its end fewer.
func (c *scanner) fill(from io.ReaderAt, n int) error {
	have := len(c.buf)
	want := min(int64(max(n, have+chunk)), c.size-c.off)
	b := make([]byte, want)
	copy(b, c.buf)
	got, err := from.ReadAt(b[have:], c.off+int64(have))
	c.buf = b[:have+got]
	if got > 0 || err == io.EOF {
		err = nil
	}
	if got == 0 && err == nil { // somebody has cut the file
		c.size = c.off + int64(have)
	}
	return err
}

func (c *scanner) drop(n int) { c.buf, c.off = c.buf[n:], c.off+int64(n) }

// skip tells how many of b's bytes cannot begin a frame, given that its first does not: at least one.
func skip(b []byte) int {
	if i := bytes.Index(b[1:], magic); i >= 0 {
		return i + 1
	}
	for keep := min(len(magic)-1, len(b)-1); keep > 0; keep-- {
		if bytes.HasPrefix(magic, b[len(b)-keep:]) {
			return len(b) - keep
		}
	}
	return len(b)
}
