package declarative

import (
	"fmt"
	"strings"
)

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
		for _, name := range t.Names() {
			if v, ok := c.get(name); ok && name != "device" {
				values[name] = keyOf(v)
			}
		}
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
