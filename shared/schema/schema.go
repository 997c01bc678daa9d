// Package schema judges values by JSON Schema (2020-12): inputs and outputs of commands, data of events. Schemas come from people and
// makers of devices, values from anybody: a schema refers to nothing outside itself and never to itself, and what judging may cost is
// bounded before a schema is taken. It reads no file and no network.
package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// A Schema judges values. Any number of goroutines may use it.
type Schema struct {
	s    *jsonschema.Schema
	size int // how many schemas judge one value at most
}

// place is what the library calls a schema; nobody can load it.
const place = "castor:///schema"

// Compile makes a Schema of its JSON. The error says where in the schema what is wrong.
func Compile(text json.RawMessage) (*Schema, error) {
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("is no JSON that can be used: %w", err)
	}
	size, err := (&walk{root: doc}).check()
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(nowhere{})
	if err := c.AddResource(place, doc); err != nil {
		return nil, err
	}
	s, err := c.Compile(place)
	if invalid := new(jsonschema.SchemaValidationError); errors.As(err, &invalid) {
		if faults := new(jsonschema.ValidationError); errors.As(invalid.Err, &faults) {
			return nil, errors.New(say(faults))
		}
	}
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), place, ""))
	}
	return &Schema{s, size}, nil
}

// nowhere loads nothing.
type nowhere struct{}

func (nowhere) Load(string) (any, error) {
	return nil, errors.New("a schema can refer to nothing outside itself")
}

// Check returns an error that says where in the value what does not fit. No value at all is judged as null.
func (s *Schema) Check(value json.RawMessage) error {
	var v any
	if len(value) > 0 {
		if err := json.Unmarshal(value, &v); err != nil {
			return fmt.Errorf("is no JSON that can be used: %w", err)
		}
	}
	if most := maxWork / s.size; count(v) > most {
		return fmt.Errorf("has %d values in it; by this schema %d can be judged", count(v), most)
	}
	err := s.s.Validate(v)
	if faults := new(jsonschema.ValidationError); errors.As(err, &faults) {
		return errors.New(say(faults))
	}
	return err
}

// count is how many values there are in v, itself among them.
func count(v any) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			n += count(e)
		}
	case map[string]any:
		for _, e := range v {
			n += count(e)
		}
	}
	return n
}

var english = message.NewPrinter(language.English)

// maxSaid is how many faults of a value are told.
const maxSaid = 3

// say tells the first faults in one line, each with its place: "/speed: got string, want number".
func say(e *jsonschema.ValidationError) string {
	var said []string
	var collect func(e *jsonschema.ValidationError)
	collect = func(e *jsonschema.ValidationError) {
		if len(said) > maxSaid {
			return
		}
		if len(e.Causes) == 0 {
			s := e.ErrorKind.LocalizedString(english)
			if at := pointer(e.InstanceLocation); at != "" {
				s = at + ": " + s
			}
			if !slices.Contains(said, s) {
				said = append(said, s)
			}
		}
		for _, cause := range e.Causes {
			collect(cause)
		}
	}
	collect(e)
	if len(said) > maxSaid {
		said = append(said[:maxSaid], "…")
	}
	return strings.Join(said, "; ")
}

// pointer is a JSON Pointer (RFC 6901).
func pointer(path []string) string {
	var b strings.Builder
	for _, p := range path {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p))
	}
	return b.String()
}
