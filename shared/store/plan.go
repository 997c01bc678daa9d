package store

import (
	"fmt"
	"hash/fnv"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// maxSegments bounds into how many parts of the index a query's In conditions may split it.
const maxSegments = 1000

// A plan is a query made ready to be walked.
type plan struct {
	walk   Walk
	fields []Field // the order of the walk
	fixed  []bool  // which fields are arrays, fixed by the filter to one value in each segment
	id     uint64  // of the query, so that a cursor of another one is found out
}

// plan chooses the part of the index that f leaves.
func (c *core) plan(index string, f Filter, reverse bool) (*plan, error) {
	x, ok := c.indexes[index]
	if !ok && index != "" {
		return nil, fmt.Errorf("%w: %q", ErrNoIndex, index)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	p := &plan{walk: Walk{Index: x, Reverse: reverse}, fields: x.Order(), id: queryID(c.name, index, f, reverse)}
	p.fixed = make([]bool, len(p.fields))
	conds := conjuncts(f)
	segments := []Segment{{}}
	fixing := true
	for i, field := range p.fields {
		array := field.Path != keyID && c.isArray(field.Path)
		if fixing {
			n := len(segments)
			segments, conds = fix(segments, conds, field, reverse, array)
			fixing = n == 0 || len(segments) == 0 || len(segments[0].Eq) > i
			if !fixing && !array {
				if segments, conds, ok = bound(segments, conds, field); !ok {
					segments = nil
				}
			}
		}
		if array && !fixing {
			return nil, fmt.Errorf("%w: index %q holds each element of %q: fix it with Eq or In, with at most %d combinations", ErrNoIndex, index, field.Path, maxSegments)
		}
		p.fixed[i] = array
	}
	p.walk.Segments, p.walk.Rest = segments, And(conds...)
	return p, nil
}

// bounded tells whether the filter leaves less than the whole index.
func (p *plan) bounded() bool {
	for _, s := range p.walk.Segments {
		if len(s.Eq) == 0 && s.Range.whole() {
			return false
		}
	}
	return true
}

func conjuncts(f Filter) []Filter {
	switch f.op {
	case OpAll:
		return nil
	case OpAnd:
		return slices.Clone(f.subs)
	}
	return []Filter{f}
}

// fix splits the segments by the values that an Eq or In allows for field.
func fix(segments []Segment, conds []Filter, field Field, reverse, array bool) ([]Segment, []Filter) {
	for i, cond := range conds {
		if cond.path != field.Path || cond.op != OpEq && cond.op != OpIn {
			continue
		}
		values := slices.Clone(cond.values)
		slices.SortFunc(values, Compare)
		values = slices.CompactFunc(values, func(a, b bson.RawValue) bool { return Compare(a, b) == 0 })
		if field.Descending != reverse {
			slices.Reverse(values)
		}
		if len(values)*len(segments) > maxSegments {
			continue
		}
		split := make([]Segment, 0, len(values)*len(segments))
		for _, s := range segments {
			for n, v := range values {
				next := Segment{Eq: append(slices.Clone(s.Eq), v), Rest: s.Rest}
				if array && n > 0 { // a document is found under the first of its values alone
					earlier := Filter{op: OpIn, path: field.Path}
					for _, v := range values[:n] {
						earlier.values = append(earlier.values, v)
						earlier.keys = append(earlier.keys, AppendKey(nil, v))
					}
					next.Rest = And(next.Rest, Not(earlier))
				}
				split = append(split, next)
			}
		}
		return split, slices.Delete(conds, i, i+1)
	}
	return segments, conds
}

// bound limits the segments to the range that conditions allow for field; ok is false when no value can meet them all.
func bound(segments []Segment, conds []Filter, field Field) (_ []Segment, rest []Filter, ok bool) {
	var r Range
	for _, cond := range conds {
		if cond.path != field.Path || cond.op < OpLt || cond.op > OpGte && cond.op != OpPrefix {
			rest = append(rest, cond)
			continue
		}
		v := cond.values[0]
		class := ClassOf(v.Type)
		if !r.whole() && r.From != class {
			return nil, nil, false
		}
		r.From, r.To = class, class
		switch cond.op {
		case OpPrefix:
			if r.Prefix != "" { // of two prefixes, one stays a condition
				rest = append(rest, cond)
				continue
			}
			r.Prefix = cond.prefix()
		case OpGt, OpGte:
			r.raise(v, cond.op == OpGt)
		default:
			r.lower(v, cond.op == OpLt)
		}
	}
	for i := range segments {
		segments[i].Range = r
	}
	return segments, rest, true
}

// resume leaves of the walk what comes after the document at position at, whose values are those of p.fields.
func (p *plan) resume(at []bson.RawValue) {
	var left []Segment
	for _, s := range p.walk.Segments {
		order := 0
		for i, v := range s.Eq {
			if order = Compare(v, at[i]); order != 0 {
				if p.down(i) {
					order = -order
				}
				break
			}
		}
		switch {
		case order > 0:
			left = append(left, s)
		case order == 0:
			left = append(left, p.after(s, at)...)
		}
	}
	p.walk.Segments = left
}

// after returns the parts of s after the document at position at: those that agree with it in all fields but the last,
// in all but the last two, and so on.
func (p *plan) after(s Segment, at []bson.RawValue) (parts []Segment) {
	if n := len(s.Eq); n < len(at) {
		if side := s.Range.side(at[n]); side < 0 != p.down(n) && side != 0 {
			return []Segment{s}
		} else if side != 0 {
			return nil
		}
	}
	for i := len(p.fields) - 1; i >= len(s.Eq); i-- {
		var r Range
		if i == len(s.Eq) {
			r = s.Range
		}
		if p.fields[i].Path == keyID && r.whole() {
			r = Range{From: ClassString, To: ClassString}
		}
		for _, part := range r.beyond(at[i], !p.down(i)) {
			parts = append(parts, Segment{Eq: slices.Clone(at[:i]), Range: part, Rest: s.Rest})
		}
	}
	return parts
}

// down tells whether the walk goes from larger to smaller values of field i.
func (p *plan) down(i int) bool { return p.fields[i].Descending != p.walk.Reverse }

// position returns the values of p.fields for a document found in a segment.
func (p *plan) position(h Hit) []bson.RawValue {
	at := make([]bson.RawValue, len(p.fields))
	for i, f := range p.fields {
		if p.fixed[i] {
			at[i] = p.walk.Segments[h.Segment].Eq[i]
		} else if at[i] = Lookup(h.Doc, f.Path); at[i].Type == 0 {
			at[i] = bson.RawValue{Type: bson.TypeNull}
		}
	}
	return at
}

// queryID tells queries apart: what a cursor says about one means nothing in another.
func queryID(collection, index string, f Filter, reverse bool) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q %q %t ", collection, index, reverse)
	f.describe(func(b []byte) { fmt.Fprintf(h, "%d:%s,", len(b), b) })
	return h.Sum64()
}

func (f Filter) describe(write func([]byte)) {
	write([]byte{byte(f.op), byte(len(f.subs) >> 8), byte(len(f.subs))})
	write([]byte(f.path))
	for _, key := range f.keys {
		write(key)
	}
	for _, sub := range f.subs {
		sub.describe(write)
	}
}
