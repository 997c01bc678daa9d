package wot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds on a Thing Model.
const (
	MaxSize  = 1 << 20 // bytes
	maxDepth = 64
)

// An object is a JSON object whose members keep their order, as people wrote them.
type object []member

type member struct {
	name  string
	value any // object, []any, json.Number, string, bool or nil
}

// take removes a member and returns its value; nil if there is none, which is what null is too.
func (o *object) take(name string) any {
	for i, m := range *o {
		if m.name == name {
			*o = slices.Delete(*o, i, i+1)
			return m.value
		}
	}
	return nil
}

// get is the value of a member, which stays; nil if there is none.
func (o object) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

func (o *object) put(name string, value any) { *o = append(*o, member{name, value}) }

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := encode(m.name)
		if err != nil {
			return nil, err
		}
		value, err := encode(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode writes JSON without the escapes that HTML would need.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// parse reads a JSON object strictly: of a name that is there twice one would be dropped in silence.
func parse(text []byte) (object, error) {
	switch {
	case len(text) > MaxSize:
		return nil, fmt.Errorf("has %d bytes, at most %d are read", len(text), MaxSize)
	case !utf8.Valid(text):
		return nil, errors.New("must be JSON in UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := value(d, "", 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("there is something behind the JSON value")
	}
	o, ok := v.(object)
	if !ok {
		return nil, errors.New("must be a JSON object")
	}
	return o, nil
}

func value(d *json.Decoder, at string, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("%s: is no JSON: %w", place(at), err)
	}
	open, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth >= maxDepth {
		return nil, fmt.Errorf("%s: is nested deeper than %d levels", place(at), maxDepth)
	}
	list, o, names := []any{}, object{}, map[string]bool{}
	for d.More() {
		if open == '[' {
			v, err := value(d, fmt.Sprintf("%s/%d", at, len(list)), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
			continue
		}
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("%s: is no JSON: %w", place(at), err)
		}
		name, _ := t.(string)
		v, err := value(d, below(at, name), depth+1)
		if err != nil {
			return nil, err
		}
		if names[name] {
			return nil, fmt.Errorf("%s: is there twice; leave one out", place(below(at, name)))
		}
		names[name] = true
		o.put(name, v)
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("%s: is no JSON: %w", place(at), err)
	}
	if open == '[' {
		return list, nil
	}
	return o, nil
}

// below is the JSON Pointer (RFC 6901) of a member.
func below(at, name string) string {
	return at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// place is a JSON Pointer, said; the whole is "the Thing Model".
func place(at string) string {
	if at == "" {
		return "the Thing Model"
	}
	if len(at) > 200 {
		at = strings.ToValidUTF8(at[:200], "") + "…"
	}
	return at
}
