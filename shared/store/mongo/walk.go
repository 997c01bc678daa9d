package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/castor-iot/castor/shared/store"
)

// A part is one query: a segment of a walk, or several that differ in one value only.
type part struct {
	first  int // the number of its first segment
	filter []bson.D
	rest   store.Filter // of the segment
	sort   bson.D
}

// parts makes the queries of a walk. Segments next to each other that differ in the last value of Eq alone become one
// query with $in.
func parts(w store.Walk) []part {
	var list []part
	order := w.Index.Order()
	for first := 0; first < len(w.Segments); {
		s := w.Segments[first]
		end := first + 1
		for end < len(w.Segments) && joins(s, w.Segments[end]) {
			end++
		}
		p := part{first: first, rest: s.Rest}
		n := len(s.Eq)
		if end > first+1 {
			n--
			values := bson.A{}
			for _, s := range w.Segments[first:end] {
				values = append(values, s.Eq[n])
			}
			p.filter = append(p.filter, on(order[n].Path, "$in", values))
		}
		for i, v := range s.Eq[:n] {
			p.filter = append(p.filter, on(order[i].Path, "$eq", v))
		}
		if len(s.Eq) < len(order) {
			p.filter = append(p.filter, inRange(order[len(s.Eq)].Path, s.Range)...)
		}
		if w.Index.Unique {
			p.filter = append(p.filter, exist(w.Index))
		}
		for _, f := range order[min(n, len(order)-1):] {
			p.sort = append(p.sort, bson.E{Key: f.Path, Value: direction(f.Descending != w.Reverse)})
		}
		list = append(list, p)
		first = end
	}
	return list
}

func joins(a, b store.Segment) bool {
	n := len(a.Eq) - 1
	return n >= 0 && len(b.Eq) == n+1 && a.Rest.Op() == store.OpAll && b.Rest.Op() == store.OpAll &&
		sameRange(a.Range, b.Range) &&
		slices.EqualFunc(a.Eq[:n], b.Eq[:n], func(x, y bson.RawValue) bool { return store.Compare(x, y) == 0 })
}

func sameRange(a, b store.Range) bool {
	return a.From == b.From && a.To == b.To && a.LoOpen == b.LoOpen && a.HiOpen == b.HiOpen && a.Prefix == b.Prefix &&
		store.Compare(a.Lo, b.Lo) == 0 && store.Compare(a.Hi, b.Hi) == 0
}

// hint names the index that a walk is over, so that the server takes no other.
func hint(w store.Walk) string {
	if w.Index.Name == "" {
		return "_id_"
	}
	return w.Index.Name
}

func (t *table) Walk(ctx context.Context, w store.Walk, do func(store.Hit) error) (*store.Mark, error) {
	hits, misses := 0, 0
	for _, p := range parts(w) {
		if w.Limit > 0 && hits == w.Limit {
			return nil, nil
		}
		take := func(doc bson.Raw) error {
			hits++
			return do(store.Hit{Segment: p.first, Doc: doc})
		}
		if w.Misses == 0 || w.Rest.Op() == store.OpAll {
			if err := t.walkPart(ctx, w, p, w.Limit-hits, take); err != nil {
				return nil, storeError(err)
			}
			continue
		}
		mark, err := t.walkKeys(ctx, w, p, &hits, &misses, take)
		if mark != nil || err != nil {
			return mark, storeError(err)
		}
	}
	return nil, nil
}

// walkPart lets the server do all: it may examine as much as it has to.
func (t *table) walkPart(ctx context.Context, w store.Walk, p part, limit int, do func(bson.Raw) error) error {
	o := options.Find().SetHint(hint(w)).SetSort(p.sort).SetProjection(projection(w.Fields))
	if w.Limit > 0 {
		o.SetLimit(int64(limit)).SetBatchSize(int32(min(limit+1, 1000)))
	}
	cursor, err := t.c.Find(ctx, p.whole(w), o)
	if err != nil {
		return err
	}
	return each(ctx, cursor, do)
}

// whole is all that the documents of the part must match.
func (p part) whole(w store.Walk) bson.D {
	return all(append(slices.Clone(p.filter), translate(p.rest), translate(w.Rest)))
}

// How many documents walkKeys looks at between two questions.
const (
	fewestKeys = 100
	mostKeys   = 1000
)

// walkKeys walks the index alone, so that it knows how many documents it has met, and asks with their ids which of them
// match. MongoDB has no limit on what a query may examine.
func (t *table) walkKeys(ctx context.Context, w store.Walk, p part, hits, misses *int, do func(bson.Raw) error) (mark *store.Mark, err error) {
	var fields []string
	for _, f := range w.Index.Order() {
		fields = append(fields, f.Path)
	}
	if !slices.Contains(fields, "_id") {
		fields = append(fields, "_id")
	}
	want := w.Limit - *hits
	most := w.Misses + 1 - *misses + want
	atOnce := max(fewestKeys, min(2*want, mostKeys))
	cursor, err := t.c.Find(ctx, all(append(slices.Clone(p.filter), translate(p.rest))), options.Find().
		SetHint(hint(w)).SetSort(p.sort).SetProjection(projection(fields)).SetLimit(int64(most)).SetBatchSize(int32(atOnce)))
	if err != nil {
		return nil, err
	}
	var keys []bson.Raw
	ask := func() error {
		ids := make([]string, len(keys))
		for i, key := range keys {
			ids[i] = store.IDOf(key)
		}
		found, err := t.byID(ctx, ids, w.Fields, p.whole(w))
		if err != nil {
			return err
		}
		for i, id := range ids {
			if doc, ok := found[id]; !ok {
				if *misses++; *misses > w.Misses {
					mark = &store.Mark{Segment: p.first, Doc: keys[i]}
					return errEnd
				}
			} else if err := do(doc); err != nil {
				return err
			} else if *hits == w.Limit {
				return errEnd
			}
		}
		keys = keys[:0]
		return nil
	}
	err = each(ctx, cursor, func(key bson.Raw) error {
		if keys = append(keys, key); len(keys) < atOnce {
			return nil
		}
		return ask()
	})
	if err == nil && len(keys) > 0 {
		err = ask()
	}
	if errors.Is(err, errEnd) {
		err = nil
	}
	return mark, err
}

// errEnd ends a walk at its limits.
var errEnd = errors.New("end of walk")

func (t *table) Count(ctx context.Context, w store.Walk, field string) (map[string]int, error) {
	groups := map[string]int{}
	var by any
	if field != "" {
		by = "$" + field
	}
	for _, p := range parts(w) {
		pipeline := bson.A{
			bson.D{{Key: "$match", Value: p.whole(w)}},
			bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: by}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
		}
		cursor, err := t.c.Aggregate(ctx, pipeline, options.Aggregate().SetHint(hint(w)))
		if err != nil {
			return nil, storeError(err)
		}
		err = each(ctx, cursor, func(group bson.Raw) error {
			key, err := store.GroupKey(store.Lookup(group, "_id"))
			if err != nil {
				return err
			}
			n, _ := store.Lookup(group, "n").AsInt64OK()
			if groups[key] += int(n); len(groups) > store.MaxLimit {
				return fmt.Errorf("%w: %q has more than %d values", store.ErrTooBroad, field, store.MaxLimit)
			}
			return nil
		})
		if err != nil {
			return nil, storeError(err)
		}
	}
	return groups, nil
}
