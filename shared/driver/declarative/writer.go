package declarative

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/topic"
)

// A writer puts values into the bytes of a downlink: the same steps that read, the other way.
type writer struct {
	call *driver.Call
	b    []byte
	pos  int // in bits
	work int // fields that were looked at

	ended string // the optional field that was not given, after which nothing can stand

	data  map[string]any // what is written, done values
	chose []variable     // what constants and cases gave
}

// errMissing is a value that nobody gave.
var errMissing = topic.ErrMissing

// get is what a name stands for.
func (w *writer) get(name string) (any, bool) {
	if v, ok := w.data[name]; ok && v != nil {
		return valueOf(v)
	}
	w.work += len(w.chose) / lookups
	for i := len(w.chose) - 1; i >= 0; i-- {
		if w.chose[i].name == name {
			return w.chose[i].value, true
		}
	}
	return nil, false
}

func (w *writer) fits(all []condition) bool {
	for i := range all {
		if c := &all[i]; c.field != "" {
			if v, found := w.get(c.field); !c.compare(v, found) {
				return false
			}
		}
	}
	return true
}

func (w *writer) steps(steps []step) error {
	for _, s := range steps {
		if w.work++; w.work > maxWork {
			return fmt.Errorf("what is written has more than %d fields", maxWork)
		}
		if err := s.write(w); err != nil {
			return err
		}
	}
	return nil
}

// grow makes place for so many bits at pos.
func (w *writer) grow(bits int) error {
	n := (w.pos + bits + 7) / 8
	if n > driver.MaxInput {
		return fmt.Errorf("the message would have more than %d bytes", driver.MaxInput)
	}
	if n > len(w.b) {
		w.b = append(w.b, make([]byte, n-len(w.b))...)
	}
	return nil
}

func (f *field) write(w *writer) error {
	if !w.fits(f.when) {
		return nil
	}
	if f.at != nil {
		w.pos = *f.at * 8
	}
	if f.shape.kind == skipped {
		if err := w.grow(f.length * 8); err != nil {
			return err
		}
		w.pos += f.length * 8
		return nil
	}
	if len(f.bits) > 0 {
		return f.writeBits(w)
	}
	v, err := f.given(w)
	switch {
	case errors.Is(err, errMissing) && f.optional:
		w.ended = f.label()
		return nil
	case err == nil && w.ended != "":
		err = fmt.Errorf("stands after %s, which %w", w.ended, errMissing)
	case err == nil:
		err = f.putValue(w, v)
	}
	if err != nil {
		return fmt.Errorf("%s %w", f.label(), err)
	}
	return nil
}

func (f *field) label() string {
	if f.name.text == "" {
		return "value"
	}
	return f.name.text
}

// given is the value to be written, as it stands in the message.
func (f *field) given(w *writer) (any, error) {
	switch {
	case f.constant != nil:
		w.chose = append(w.chose, variable{f.name.text, f.constant})
		return f.constant, nil
	case f.clock != nil:
		if w.call.Time.IsZero() {
			return nil, errors.New("cannot be told: the call has no time")
		}
		return f.clock.write(w.call.Time, w.call.Time), nil
	case f.counts != "":
		list, _ := w.data[f.counts].([]any)
		return whole(int64(len(list))), nil
	case f.measures != "":
		n := 0
		if v, ok := w.get(f.measures); ok {
			n = len(keyOf(v))
		}
		return whole(int64(n)), nil
	}
	v, ok := w.get(f.name.text)
	if !ok {
		if v = f.fallback; v == nil {
			return nil, fmt.Errorf("%w: give %s", errMissing, f.wanted())
		}
		w.chose = append(w.chose, variable{f.name.text, v})
	}
	return f.rules.back(v)
}

// wanted says what value would be right.
func (f *field) wanted() string {
	switch {
	case f.rules.values != nil:
		return "one of its values"
	case f.rules.as == "bool", f.shape != nil && f.shape.kind == boolean:
		return "true or false"
	case f.shape != nil && f.shape.bits == 0:
		return "a text"
	}
	return "a number" + f.rules.inUnit()
}

func (f *field) putValue(w *writer, v any) error {
	if f.shape.bits == 0 {
		return f.putText(w, v)
	}
	bits, err := f.shape.encode(v)
	if err != nil {
		return err
	}
	if err := w.grow(f.shape.bits); err != nil {
		return err
	}
	f.shape.put(w.b, w.pos, bits)
	w.pos += f.shape.bits
	return nil
}

// encode makes bits of a value.
func (s shape) encode(v any) (uint64, error) {
	if s.kind == boolean {
		b, ok := asBool(v)
		switch {
		case !ok:
			return 0, errors.New("must be true or false")
		case b:
			return 1, nil
		}
		return 0, nil
	}
	if t, isText := v.(string); isText && s.kind != digits {
		return 0, fmt.Errorf("must be a number, not %.40q", t)
	}
	x, ok := asNumber(v)
	if !ok {
		return 0, fmt.Errorf("must be a number, not %s", short(v))
	}
	return s.bitsOf(x)
}

func (f *field) putText(w *writer, v any) error {
	t, ok := v.(string)
	if x, isNumber := v.(number); isNumber {
		t, ok = x.text(), true
	}
	if !ok {
		return fmt.Errorf("must be a text, not %s", short(v))
	}
	b := []byte(t)
	if f.clock != nil && f.clock.kind == "digits" && f.length == 6 {
		b = b[2:]
	}
	if f.shape.kind == hexes {
		var err error
		if b, err = hex.DecodeString(string(b)); err != nil {
			return errors.New("must be hexadecimal digits, two for each byte")
		}
	}
	if f.sized == "" && !f.rest {
		if len(b) > f.length || f.shape.kind == hexes && len(b) < f.length {
			return fmt.Errorf("has %d bytes, the message holds %d", len(b), f.length)
		}
		b = append(b, make([]byte, f.length-len(b))...)
	}
	if w.pos%8 != 0 {
		return errors.New("must begin with a byte")
	}
	if err := w.grow(len(b) * 8); err != nil {
		return err
	}
	copy(w.b[w.pos/8:], b)
	w.pos += len(b) * 8
	return nil
}

// writeBits puts a whole number together.
func (f *field) writeBits(w *writer) error {
	var all uint64
	if f.fallback != nil {
		if v, err := f.shape.encode(f.fallback); err == nil {
			all = v
		}
	}
	for _, b := range f.bits {
		if !w.fits(b.when) {
			continue
		}
		v, err := b.given(w)
		var part uint64
		if err == nil {
			part, err = b.shape.encode(v)
		}
		if err != nil {
			return fmt.Errorf("%s %w", b.label(), err)
		}
		all = all&^(mask(^uint64(0), 0, b.shape.bits)<<b.first) | part<<b.first
	}
	if err := w.grow(f.shape.bits); err != nil {
		return err
	}
	f.shape.put(w.b, w.pos, all)
	w.pos += f.shape.bits
	return nil
}
