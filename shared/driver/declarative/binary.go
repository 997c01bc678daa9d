package declarative

import "fmt"

// readBinary reads the field's bits where it says they are, or where the last field ended.
func (f *field) readBinary(c *cursor) error {
	size := f.shape.bits
	start := c.pos
	if f.at != nil {
		if start = *f.at * 8; start < 0 {
			start += len(c.b) * 8
		}
		if start < 0 {
			if f.optional {
				return nil
			}
			return fmt.Errorf("%s: byte %d is before the message, which has %s", f.title(c), *f.at, octets(len(c.b)))
		}
	}
	if f.shape.bits == 0 {
		n := f.length
		switch {
		case f.rest:
			if n = (c.end - start) / 8; n < 0 {
				n = 0
			}
		case f.sized != "":
			var err error
			if n, err = c.count(f.sized); err != nil {
				return fmt.Errorf("%s: %w", f.title(c), err)
			}
		}
		size = n * 8
		if start%8 != 0 && f.shape.kind != skipped {
			return fmt.Errorf("%s: a text must begin with a byte, not at %s", f.title(c), c.place())
		}
	}
	if start+size > c.end {
		if f.optional {
			c.pos = c.end
			return nil
		}
		return fmt.Errorf("%s: needs bytes %d to %d, the message has %s", f.title(c), start/8, (start+size-1)/8, octets(c.end/8))
	}
	c.pos = start + size
	c.work += size / 8 / copied
	switch f.shape.kind {
	case skipped:
		return nil
	case ascii, hexes:
		text, ok := f.shape.text(c.b[start/8 : (start+size)/8])
		if !ok {
			c.warn("%s: is no text in UTF-8", f.title(c))
			return nil
		}
		return f.take(c, text)
	}
	raw := f.shape.uint(c.b, start)
	for _, b := range f.bits {
		if !c.fits(b.when) {
			continue
		}
		part, ok := b.shape.value(mask(raw, b.first, b.shape.bits))
		if !ok {
			c.warn("%s: is no number", b.title(c))
			continue
		}
		if err := b.take(c, part); err != nil {
			return err
		}
	}
	if f.name.text == "" && f.clock == nil && f.constant == nil {
		return nil
	}
	v, ok := f.shape.value(raw)
	if !ok {
		if raw == 0xFFFFFFFFFFFFFFFF>>(64-size) && f.shape.kind == digits {
			return nil // all ones in binary coded decimal are how meters say that there is no value
		}
		c.warn("%s: %#x is no number", f.title(c), raw)
		return nil
	}
	return f.take(c, v)
}

// octets is a number of bytes in words.
func octets(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}
