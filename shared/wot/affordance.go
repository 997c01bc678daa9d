package wot

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/castor-iot/castor/shared/twin"
)

// meaning takes @type, description and title, which all affordances may have.
func (r *reader) meaning(o *object, at string) (semantic, note string, err error) {
	if v := o.take("@type"); v != nil {
		all, err := texts(v, below(at, "@type"))
		if err != nil {
			return "", "", err
		}
		for _, s := range all {
			if iri, ok := r.expand(s); ok && semantic == "" {
				semantic = iri
			} else if !ok {
				r.ignore(below(at, "@type"), fmt.Sprintf("%.80q has no prefix that says of which vocabulary it is", s))
			} else {
				r.ignore(below(at, "@type"), fmt.Sprintf("%.80q is one too many: one meaning is kept", s))
			}
		}
	}
	title, description := o.take("title"), o.take("description")
	switch {
	case description != nil:
		if note, err = words(description, below(at, "description")); err != nil {
			return "", "", err
		}
		if title != nil {
			r.ignore(below(at, "title"), "the description is kept")
		}
	case title != nil:
		if note, err = words(title, below(at, "title")); err != nil {
			return "", "", err
		}
	}
	return semantic, note, nil
}

// expand writes a compact IRI out where only this model says what its prefix means.
func (r *reader) expand(term string) (string, bool) {
	prefix, name, ok := strings.Cut(term, ":")
	if iri := r.prefixes[prefix]; ok && iri != "" && !strings.HasPrefix(name, "//") {
		return iri + name, true
	}
	return term, ok
}

func (r *reader) topProperty(name string, o object, at string) error {
	return r.property(name, o, at, false)
}

// property reads a property, and of one that is an object the parts, which get its name and a dot before theirs.
func (r *reader) property(name string, o object, at string, readOnly bool) error {
	if o.take("$ref") != nil {
		return fmt.Errorf("%s: nothing is fetched; write what it refers to in its place", place(below(at, "$ref")))
	}
	p := twin.Property{Name: name}
	var err error
	if p.Semantic, p.Note, err = r.meaning(&o, at); err != nil {
		return err
	}
	writeOnly := false
	for name, to := range map[string]*bool{"readOnly": &readOnly, "writeOnly": &writeOnly} {
		v := o.take(name)
		b, ok := v.(bool)
		if v != nil && !ok {
			return fmt.Errorf("%s: must be true or false", place(below(at, name)))
		}
		*to = b || v == nil && *to
	}
	p.Writable = !readOnly
	if writeOnly {
		r.ignore(below(at, "writeOnly"), "the device may report it all the same")
	}
	kind := o.take("type")
	switch kind {
	case "number":
	case "integer":
		r.ignore(below(at, "type"), "an integer is kept as a number")
		kind = "number"
	case "boolean", "string":
	case "object":
		return r.parts(p, o, at)
	default:
		return r.untyped(kind, o, at)
	}
	p.Type = kind.(string)
	if err := r.bounds(&p, &o, at); err != nil {
		return err
	}
	r.rest(o, at)
	r.out.Model.Properties = append(r.out.Model.Properties, p)
	return nil
}

// bounds takes what says which values there are.
func (r *reader) bounds(p *twin.Property, o *object, at string) (err error) {
	if v := o.take("unit"); v != nil {
		if p.Unit, err = words(v, below(at, "unit")); err != nil {
			return err
		}
	}
	for _, b := range []struct {
		name string
		to   **float64
	}{{"minimum", &p.Min}, {"maximum", &p.Max}} {
		if v := o.take(b.name); v != nil {
			if *b.to, err = number(v, below(at, b.name)); err != nil {
				return err
			}
		}
	}
	if v := o.take("castor:id"); v != nil {
		n, _ := v.(json.Number)
		if p.ID, err = n.Int64(); err != nil {
			return fmt.Errorf("%s: must be a whole number from 1", place(below(at, "castor:id")))
		}
	}
	v := o.take("enum")
	list, ok := v.([]any)
	if v != nil && !ok {
		return fmt.Errorf("%s: must be a list of values", place(below(at, "enum")))
	}
	for i, e := range list {
		at := fmt.Sprintf("%s/%d", below(at, "enum"), i)
		if _, ok := e.(json.Number); ok {
			f, err := number(e, at)
			if err != nil {
				return err
			}
			e = *f
		}
		if err := placeholder(e, at); err != nil {
			return err
		}
		p.Enum = append(p.Enum, e)
	}
	return nil
}

func number(v any, at string) (*float64, error) {
	if err := placeholder(v, at); err != nil {
		return nil, err
	}
	n, _ := v.(json.Number)
	f, err := n.Float64()
	if err != nil {
		return nil, fmt.Errorf("%s: must be a number that a computer can hold", place(at))
	}
	return &f, nil
}

// parts reads a property that is an object: devices report its parts, by dotted names.
func (r *reader) parts(p twin.Property, o object, at string) error {
	parts, _ := o.take("properties").(object)
	if len(parts) == 0 {
		r.ignore(at, "an object is kept as its parts, and none are named in properties")
		return nil
	}
	if p.Semantic != "" || p.Note != "" {
		r.ignore(at, "what the object means is not kept, only what its parts do")
	}
	r.rest(o, at)
	for _, m := range parts {
		below := below(at+"/properties", m.name)
		one, ok := m.value.(object)
		if !ok {
			return fmt.Errorf("%s: must be an object", place(below))
		}
		if err := r.property(p.Name+"."+m.name, one, below, !p.Writable); err != nil {
			return err
		}
	}
	return nil
}

// untyped: the platform keeps numbers, truth and text.
func (r *reader) untyped(kind any, o object, at string) error {
	why := fmt.Sprintf("a property of type %v cannot be kept: number, boolean, string, or an object of those", kind)
	if kind == nil {
		why = "a property without type cannot be kept; say number, boolean or string"
	}
	if err := placeholder(kind, below(at, "type")); err != nil {
		return err
	}
	r.ignore(at, why)
	return nil
}

func (r *reader) action(name string, o object, at string) (err error) {
	c := twin.CommandModel{Name: name}
	if c.Semantic, c.Note, err = r.meaning(&o, at); err != nil {
		return err
	}
	if c.Input, err = schemaOf(&o, "input", at); err != nil {
		return err
	}
	if c.Output, err = schemaOf(&o, "output", at); err != nil {
		return err
	}
	r.rest(o, at)
	r.out.Model.Commands = append(r.out.Model.Commands, c)
	return nil
}

func (r *reader) event(name string, o object, at string) (err error) {
	e := twin.EventModel{Name: name}
	if e.Semantic, e.Note, err = r.meaning(&o, at); err != nil {
		return err
	}
	if e.Data, err = schemaOf(&o, "data", at); err != nil {
		return err
	}
	r.rest(o, at)
	r.out.Model.Events = append(r.out.Model.Events, e)
	return nil
}

// schemaOf takes a data schema, which is kept as it is: those of the W3C are JSON Schema with words of their own.
func schemaOf(o *object, name, at string) (json.RawMessage, error) {
	v := o.take(name)
	if v == nil {
		return nil, nil
	}
	if _, ok := v.(object); !ok {
		return nil, fmt.Errorf("%s: must be an object, a schema", place(below(at, name)))
	}
	return encode(v)
}
