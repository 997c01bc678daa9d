package format

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// maybe is a value that counts as not told where it is of another type than it should be: network servers add and change what goes beside
// a frame, and the frame must not be lost over it.
type maybe[T any] struct{ v T }

// UnmarshalJSON takes anything.
func (m *maybe[T]) UnmarshalJSON(b []byte) error {
	var v T
	if json.Unmarshal(b, &v) == nil {
		m.v = v
	}
	return nil
}

// text is a number that JSON of protocol buffers writes as text.
type text string

// UnmarshalJSON takes anything.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		s = string(b)
	}
	*t = text(s)
	return nil
}

// digits are a whole number, which may be written as text.
type digits int

// UnmarshalJSON takes no other number: which port a frame came by decides what it means.
func (d *digits) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var t text
	_ = t.UnmarshalJSON(b)
	n, err := strconv.Atoi(string(t))
	if err != nil {
		return fmt.Errorf("a port must be a whole number, not %.40s", b)
	}
	*d = digits(n)
	return nil
}

// misread says in the words of the payload, not in those of its reader, what is of another type than it must be.
func misread(err error) error {
	kind := new(json.UnmarshalTypeError)
	switch {
	case !errors.As(err, &kind):
		return err
	case kind.Field == "":
		return fmt.Errorf("it must be an object, not %s", kind.Value)
	}
	return fmt.Errorf("%s cannot be %s", kind.Field, kind.Value)
}
