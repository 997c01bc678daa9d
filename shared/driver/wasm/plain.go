package wasm

import (
	"fmt"
	"math"
	"strings"
)

// A step leads from a value to one in it: to a name, or, where index is not negative, to a place in a list.
type step struct {
	name  string
	index int
}

// maxNumbers is how many numbers that JSON does not have are named.
const maxNumbers = 1_000

// plain makes of a value what encoding/json has: its numbers are float64, and there are neither bytes nor NaN.
func (f *fields) plain(v any, at ...step) any {
	f.path = at
	made := f.json(v)
	f.tree = append(f.tree, made)
	return made
}

func (f *fields) json(v any) any {
	switch v := v.(type) {
	case nil, bool, string:
		return v
	case uint64:
		return f.rounded(float64(v), v <= 1<<53)
	case int64:
		return f.rounded(float64(v), v >= -1<<53)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			f.note(fmt.Sprintf("is %v", v))
			return nil
		}
		return v
	case []any:
		for i := range v {
			f.path = append(f.path, step{"", i})
			v[i] = f.json(v[i])
			f.path = f.path[:len(f.path)-1]
		}
		return v
	case map[string]any:
		for k := range v {
			f.path = append(f.path, step{k, -1})
			v[k] = f.json(v[k])
			f.path = f.path[:len(f.path)-1]
		}
		return v
	case []byte:
		f.fail("%s is bytes, which JSON does not have: give text, or a list of numbers", f.where())
	default:
		f.fail("%s is neither text, number, true, false, null, list nor map", f.where())
	}
	return nil
}

func (f *fields) rounded(n float64, exact bool) any {
	if !exact {
		f.note("is beyond 2^53 and was rounded")
	}
	return n
}

func (f *fields) note(what string) {
	if len(f.notes) < maxNumbers {
		f.notes = append(f.notes, f.where()+" "+what)
	}
}

// where is the path for people: data.probes[2].t.
func (f *fields) where() string {
	var b strings.Builder
	for i, s := range f.path {
		switch {
		case s.index >= 0:
			fmt.Fprintf(&b, "[%d]", s.index)
		case i > 0:
			fmt.Fprintf(&b, ".%.40s", s.name)
		default:
			b.WriteString(s.name)
		}
	}
	return b.String()
}
