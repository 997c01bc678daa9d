package declarative

import (
	"fmt"
	"slices"
	"strings"
)

func (g *group) write(w *writer) error {
	if !w.fits(g.when) {
		return nil
	}
	return w.steps(g.steps)
}

func (r *repeat) write(w *writer) error {
	if !w.fits(r.when) {
		return nil
	}
	list, ok := w.data[r.list].([]any)
	if !ok {
		return fmt.Errorf("%s %w: give a list of objects", r.list, errMissing)
	}
	if r.count > 0 && r.field == "" && len(list) != r.count {
		return fmt.Errorf("%s has %d elements, must have %d", r.list, len(list), r.count)
	}
	outer, chose := w.data, len(w.chose)
	defer func() { w.data, w.chose = outer, w.chose[:chose] }()
	for i, e := range list {
		element, ok := e.(map[string]any)
		if !ok {
			return fmt.Errorf("%s[%d] must be an object", r.list, i)
		}
		w.data, w.chose = element, w.chose[:chose]
		if err := w.steps(r.steps); err != nil {
			return fmt.Errorf("%s[%d].%w", r.list, i, err)
		}
		if name, ok := unknown(element, names(r.steps)); !ok {
			return fmt.Errorf("%s[%d].%.80s is not known here", r.list, i, name)
		}
	}
	return nil
}

func (s *choice) write(w *writer) error {
	if !w.fits(s.when) {
		return nil
	}
	keys := make([]string, len(s.on))
	for i, name := range s.on {
		v, ok := w.get(name)
		if !ok {
			return fmt.Errorf("%s %w: give one of %s", name, errMissing, strings.Join(s.keys, ", "))
		}
		keys[i] = keyOf(v)
	}
	steps, ok := s.cases[strings.Join(keys, " ")]
	if !ok && !s.total {
		return fmt.Errorf("%s is %.40q, must be one of %s", strings.Join(s.on, " "), strings.Join(keys, " "), strings.Join(s.keys, ", "))
	}
	if !ok {
		steps = s.other
	}
	return w.steps(steps)
}

// write writes an element for each type of which the data has a value, in the document's order.
func (t *tlv) write(w *writer) error {
	if !w.fits(t.when) {
		return nil
	}
	for _, key := range t.keys {
		if !slices.ContainsFunc(names(t.cases[key]), func(name string) bool { _, ok := w.get(name); return ok }) {
			continue
		}
		chose := len(w.chose)
		body := &writer{call: w.call, data: w.data, chose: w.chose, work: w.work}
		if err := body.steps(t.cases[key]); err != nil {
			return err
		}
		for i, part := range strings.Fields(key) {
			x, _ := decimal(part)
			w.chose = append(w.chose, variable{t.on[i], x})
		}
		if t.length != "" {
			w.chose = append(w.chose, variable{t.length, whole(int64(len(body.b)))})
		}
		if err := w.steps(t.header); err != nil {
			return err
		}
		w.chose = w.chose[:chose]
		if err := w.grow(len(body.b) * 8); err != nil {
			return err
		}
		copy(w.b[w.pos/8:], body.b)
		w.pos += len(body.b) * 8
	}
	return nil
}

// names are those of the properties that steps take.
func names(steps []step) (all []string) {
	add := func(f *field) {
		if f.name.text != "" && f.constant == nil && f.counts == "" && f.measures == "" {
			all = append(all, f.name.text)
		}
	}
	for _, s := range steps {
		switch s := s.(type) {
		case *field:
			add(s)
			for _, b := range s.bits {
				add(b.field)
			}
		case *group:
			all = append(all, names(s.steps)...)
		case *repeat:
			all = append(all, s.list)
		case *choice:
			all = append(append(all, s.on...), s.names()...)
		case *tlv:
			all = append(all, s.names()...)
		}
	}
	return all
}

func (s *choice) names() (all []string) {
	for _, key := range s.keys {
		all = append(all, names(s.cases[key])...)
	}
	return append(all, names(s.other)...)
}

// unknown is a name in data that is not among known; ok if there is none.
func unknown(data map[string]any, known []string) (name string, ok bool) {
	for _, k := range sorted(data) {
		if !slices.Contains(known, k) {
			return k, false
		}
	}
	return "", true
}
