package declarative

import (
	"fmt"
)

// A field is one value of a message: where it is, and what becomes of it.
type field struct {
	name  label
	when  []condition
	rules *rules
	clock *clock // it is not a property but the time

	// One of them says where the value is.
	shape    *shape // binary
	path     *path  // JSON, CBOR
	column   int    // CSV, from 0; text: group of the expression
	hasCell  bool
	heading  string // CSV with a header
	use      string // something read before, or a part of the topic
	constant any    // of bytes: what must be there

	at     *int // bytes from the begin, or from the end if below 0; nil = where the last one ended
	length int  // bytes of a text or of what is skipped
	sized  string
	rest   bool

	bits []*bitField

	optional bool // it may be missing at the end of a binary message
	required bool // it may not be missing in JSON, CBOR, CSV or text
	fallback any  // downlink: the value if none is given

	counts, measures string // downlink: it is the length of that list, or text
}

// A bitField is a part of a whole number.
type bitField struct {
	first int // from the least significant, 0
	shape shape
	*field
}

func (f *field) read(c *cursor) error {
	if !c.fits(f.when) {
		return nil
	}
	switch {
	case f.shape != nil:
		return f.readBinary(c)
	case f.constant != nil:
		return f.take(c, f.constant)
	case f.use != "":
		if v, ok := c.get(f.use); ok {
			return f.take(c, v)
		}
	case f.path != nil:
		return f.readPath(c)
	case f.hasCell:
		return f.readCell(c)
	}
	return nil
}

// take lets a value through the rules and puts it where it belongs. Of bytes a constant is what must be there.
func (f *field) take(c *cursor, v any) error {
	if f.shape != nil && f.constant != nil {
		if keyOf(v) != keyOf(f.constant) {
			return fmt.Errorf("%s %w: it is %s, must be %s", f.title(c), errUnfit, short(v), short(f.constant))
		}
		if f.name.text == "" {
			return nil
		}
	}
	out, ok, warning := f.rules.apply(v)
	if warning != "" {
		c.warn("%s: %s", f.title(c), warning)
	}
	switch {
	case !ok:
		return nil
	case f.clock != nil:
		t, err := f.clock.read(out, c.call.Time)
		if err != nil {
			c.warn("%s: %v; the time of reception counts", f.title(c), err)
			return nil
		}
		c.out.Time = t
		return nil
	}
	c.set(f.name.text, out)
	if f.name.hidden() {
		return nil
	}
	return c.put(f.name.fill(c.get), out)
}

// title names the field for people.
func (f *field) title(c *cursor) string {
	switch {
	case f.name.text != "":
		return f.name.fill(c.get)
	case f.clock != nil:
		return "time"
	}
	return "value"
}

func (f *field) readPath(c *cursor) error {
	found := false
	err := f.path.walk(c, func(v any, stars []string) error {
		found = true
		vars := len(c.vars)
		for i, s := range stars {
			c.set(string(rune('1'+i)), s)
		}
		v, ok := valueOf(v)
		if !ok {
			c.warn("%s: cannot be told in JSON", f.title(c))
			return nil
		}
		if x, isNumber := v.(number); isNumber && x.big != nil {
			c.work += copied // fractions of many digits are slow
		}
		err := f.take(c, v)
		if len(stars) > 0 {
			c.vars = c.vars[:vars]
		}
		return err
	})
	if err == nil && !found && f.required {
		return fmt.Errorf("%s: the message has no %s", f.title(c), f.path.text)
	}
	return err
}

func (f *field) readCell(c *cursor) error {
	cells, i := c.row, f.column
	if c.groups != nil {
		cells = c.groups
	}
	if f.heading != "" {
		var ok bool
		if i, ok = c.header[f.heading]; !ok {
			i = len(cells)
		}
	}
	if i < len(cells) && cells[i] != "" {
		return f.take(c, cells[i])
	}
	if f.required {
		return fmt.Errorf("%s: the message has no value for it", f.title(c))
	}
	return nil
}
