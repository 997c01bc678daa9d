package declarative

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/fxamacker/cbor/v2"
	"go.yaml.in/yaml/v3"
)

// A template is a value in which texts may have {names}: map[string]any, []any, label, or a scalar. A text that is one {name} and
// nothing else becomes the value as it is, a number too; {_data} is all that was given.

// maxParts bounds the templates of a document: each part may be filled in with all that was given.
const maxParts = 200

func (o *object) template(n *yaml.Node, path string, depth int) any {
	if n = plainNode(n); !o.step(n) || depth > 16 {
		return nil
	}
	if o.parts++; o.parts == maxParts+1 {
		o.fault(n, path, "has more than %d parts", maxParts)
	}
	if o.parts > maxParts {
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		t := o.object(n, path)
		for _, k := range t.keys {
			out[k.Value] = o.template(t.of[k.Value], t.field(k.Value), depth+1)
		}
		return out
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for i, e := range n.Content {
			out = append(out, o.template(e, fmt.Sprintf("%s[%d]", path, i), depth+1))
		}
		return out
	}
	v, _ := scalar(n)
	s, isText := v.(string)
	if !isText || s == "" {
		return v
	}
	l, err := newLabel(s)
	if err != nil {
		o.fault(n, path, "%v", err)
	}
	return l
}

// templateNames collects the names in a template.
func templateNames(t any, names map[string]bool) {
	switch t := t.(type) {
	case map[string]any:
		for _, e := range t {
			templateNames(e, names)
		}
	case []any:
		for _, e := range t {
			templateNames(e, names)
		}
	case label:
		for i := 1; i < len(t.parts); i += 2 {
			names[t.parts[i]] = true
		}
	}
}

// alone tells whether the label is one {name} and nothing else.
func (l *label) alone() bool { return len(l.parts) == 3 && l.parts[0] == "" && l.parts[2] == "" }

// render fills a message's template.
func (m *message) render(w *writer) ([]byte, error) {
	values := map[string]any{}
	for _, s := range m.steps {
		f, ok := s.(*field)
		if !ok || !w.fits(f.when) {
			continue
		}
		v, err := f.given(w)
		switch {
		case err == nil:
			values[f.name.text] = v
		case f.optional:
			values[f.name.text] = nil
		default:
			return nil, fmt.Errorf("%s %w", f.name.text, err)
		}
	}
	out, _, err := fillTemplate(m.payload, func(name string) (any, error) {
		if v, ok := values[name]; ok {
			return v, nil
		}
		if name == "_data" {
			return w.data, nil
		}
		if v, ok := w.get(name); ok {
			return v, nil
		}
		if v, ok := w.call.Variables[name]; ok {
			return v, nil
		}
		return nil, fmt.Errorf("%s %w: the command needs it", name, errMissing)
	})
	if err != nil {
		return nil, err
	}
	return m.marshal(plainNumbers(out))
}

func (m *message) marshal(v any) (b []byte, err error) {
	switch m.format {
	case Text:
		switch v := v.(type) {
		case nil:
		case map[string]any, []any:
			return nil, fmt.Errorf("payload of %s is no text", m.name)
		default:
			plain, _ := valueOf(v)
			b = []byte(keyOf(plain))
		}
	case CBOR:
		b, err = encMode.Marshal(numbers(v))
	default:
		var buffer bytes.Buffer
		e := json.NewEncoder(&buffer)
		e.SetEscapeHTML(false)
		err = e.Encode(v)
		b = bytes.TrimSpace(buffer.Bytes())
	}
	switch m.encoding {
	case "hex":
		b = []byte(hex.EncodeToString(b))
	case "base64":
		b = []byte(base64.StdEncoding.EncodeToString(b))
	}
	return b, err
}

var encMode = func() cbor.EncMode {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

// numbers gives maps whole numbers as keys where the template has such: the opposite of texts.
func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[any]any, len(v))
		for k, e := range v {
			if n, err := strconv.ParseInt(k, 10, 64); err == nil && strconv.FormatInt(n, 10) == k {
				out[n] = numbers(e)
			} else {
				out[k] = numbers(e)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = numbers(e)
		}
		return out
	}
	return v
}

// fillTemplate fills in the names; drop tells that the value is optional and was not given, so that its key goes too.
func fillTemplate(t any, value func(string) (any, error)) (out any, drop bool, err error) {
	switch t := t.(type) {
	case map[string]any:
		filled := make(map[string]any, len(t))
		for k, e := range t {
			v, drop, err := fillTemplate(e, value)
			if err != nil {
				return nil, false, err
			}
			if !drop {
				filled[k] = v
			}
		}
		return filled, false, nil
	case []any:
		filled := make([]any, 0, len(t))
		for _, e := range t {
			v, drop, err := fillTemplate(e, value)
			if err != nil {
				return nil, false, err
			}
			if !drop {
				filled = append(filled, v)
			}
		}
		return filled, false, nil
	case label:
		if t.alone() {
			v, err := value(t.parts[1])
			return v, v == nil, err
		}
		for i := 1; i < len(t.parts) && err == nil; i += 2 {
			_, err = value(t.parts[i])
		}
		return t.fill(func(name string) (any, bool) { v, _ := value(name); return v, true }), false, err
	}
	return t, false, nil
}

// plainNumbers makes whole numbers of those that are, so that JSON and CBOR have 1 and not 1.0.
func plainNumbers(v any) any {
	return leaves(v, func(v any) any {
		switch v := v.(type) {
		case number:
			if v.big == nil && v.isWhole() {
				return v.n / v.d
			}
			return v.float()
		case float64:
			if v == math.Trunc(v) && math.Abs(v) < exact {
				return int64(v)
			}
		}
		return v
	})
}
