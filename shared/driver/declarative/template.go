package declarative

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strings"

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
		b, err = cbor.Marshal(v)
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

// unrender reads what render wrote: the template must fit, and what stands for a name becomes its value.
func (m *message) unrender(c *cursor) error {
	payload := c.root
	if m.format == Text {
		payload = string(c.b)
	}
	values := map[string]any{}
	if !fitTemplate(m.payload, payload, values, m.optionals()) {
		return fmt.Errorf("the message %w", errUnfit)
	}
	for _, t := range m.topics {
		t.match(c.call.Topic, func(name, v string) {
			if name != "device" {
				values[name] = v
			}
		})
	}
	for _, s := range m.steps {
		f, ok := s.(*field)
		if !ok {
			continue
		}
		v, found := values[f.name.text]
		delete(values, f.name.text)
		if v, ok := valueOf(v); ok && found {
			if _, ok, why := f.rules.apply(v); !ok {
				return fmt.Errorf("%s %w: %s", f.name.text, errUnfit, why)
			}
			if err := f.take(c, v); err != nil {
				return err
			}
		}
	}
	for _, name := range sorted(values) {
		v, ok := valueOf(values[name])
		if all, isMap := v.(map[string]any); isMap && name == "_data" {
			for _, k := range sorted(all) {
				if err := c.put(k, all[k]); err != nil {
					return err
				}
			}
		} else if _, isVariable := c.call.Variables[name]; ok && !isVariable && name[0] != '_' {
			if err := c.put(name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// optionals are the names whose keys may be missing.
func (m *message) optionals() map[string]bool {
	names := map[string]bool{}
	for _, s := range m.steps {
		if f, ok := s.(*field); ok && f.optional {
			names[f.name.text] = true
		}
	}
	return names
}

// fitTemplate tells whether a value is one that the template makes, and collects what stands for its names.
func fitTemplate(t, v any, values map[string]any, optional map[string]bool) bool {
	switch t := t.(type) {
	case map[string]any:
		of, ok := v.(map[string]any)
		for k := range of {
			_, known := t[k]
			ok = ok && known
		}
		for k, e := range t {
			part, there := of[k]
			l, isLabel := e.(label)
			if !there && isLabel && l.alone() && optional[l.parts[1]] {
				continue
			}
			ok = ok && there && fitTemplate(e, part, values, optional)
		}
		return ok
	case []any:
		of, ok := v.([]any)
		if ok = ok && len(of) == len(t); !ok {
			return false
		}
		for i := range t {
			ok = ok && fitTemplate(t[i], of[i], values, optional)
		}
		return ok
	case label:
		if t.alone() {
			values[t.parts[1]] = v
			return true
		}
		text, ok := v.(string)
		return ok && t.fit(text, values)
	}
	plain, ok := valueOf(v)
	return ok && keyOf(plain) == keyOf(t)
}

// fit takes a text apart at what stands between the names; each name takes as little as it can, the last one the rest.
func (l *label) fit(text string, values map[string]any) bool {
	rest, ok := strings.CutPrefix(text, l.parts[0])
	for i := 1; i < len(l.parts) && ok; i += 2 {
		var value string
		if after := l.parts[i+1]; i+2 == len(l.parts) {
			value, ok = strings.CutSuffix(rest, after)
		} else {
			value, rest, ok = strings.Cut(rest, after)
		}
		values[l.parts[i]] = value
	}
	return ok && (len(l.parts) > 1 || rest == "")
}

// plainNumbers makes whole numbers of those that are, so that JSON and CBOR have 1 and not 1.0.
func plainNumbers(v any) any {
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
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = plainNumbers(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plainNumbers(e)
		}
		return out
	}
	return v
}
