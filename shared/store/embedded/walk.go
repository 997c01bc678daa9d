package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/castor-iot/castor/shared/store"
)

// errEnd ends a walk at its limits.
var errEnd = errors.New("end of walk")

// A visit is called with each entry of a walk; id and doc are valid until it returns, and doc is nil for an entry of an
// index.
type visit func(segment int, id, doc []byte) error

// walk goes through the entries of w in a snapshot, in which visit may look up documents.
func (t *table) walk(ctx context.Context, w store.Walk, do func(*pebble.Snapshot) visit) error {
	if err := t.d.begin(ctx); err != nil {
		return err
	}
	defer t.d.open.RUnlock()
	x, err := t.index(w.Index)
	if err != nil {
		return err
	}
	snapshot := t.d.db.NewSnapshot()
	defer snapshot.Close()
	each := do(snapshot)
	var iter *pebble.Iterator
	for n, s := range w.Segments {
		lo, hi := t.bounds(x, s)
		if string(lo) >= string(hi) {
			continue
		}
		if iter == nil {
			if iter, err = snapshot.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi}); err != nil {
				return storeError(err)
			}
			defer iter.Close()
		} else {
			iter.SetBounds(lo, hi)
		}
		if err := t.walkSegment(ctx, iter, x, n, w.Reverse, each); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) walkSegment(ctx context.Context, iter *pebble.Iterator, x *index, segment int, reverse bool, each visit) error {
	first, next := iter.First, iter.Next
	if reverse {
		first, next = iter.Last, iter.Prev
	}
	seen := 0
	for ok := first(); ok; ok = next() {
		if seen++; seen%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		id, doc, err := iter.Key(), []byte(nil), error(nil)
		if x == nil {
			id, doc = id[len(t.prefix):], iter.Value()
		} else if id, err = x.entryID(id, iter.Value()); err != nil {
			return err
		}
		if err := each(segment, id, doc); err != nil {
			return err
		}
	}
	return storeError(iter.Error())
}

// read returns the document of an entry, as a copy that may be kept.
func (t *table) read(r pebble.Reader, id, doc []byte) (bson.Raw, error) {
	if doc != nil {
		return slices.Clone(doc), nil
	}
	found, err := t.d.get(r, append(slices.Clip(t.prefix), id...))
	if err == nil && found == nil {
		err = fmt.Errorf("%w: the index has %q, the documents have not", store.ErrDamaged, id)
	}
	return found, err
}

func (t *table) Walk(ctx context.Context, w store.Walk, each func(store.Hit) error) (*store.Mark, error) {
	mark, _, err := t.walkHits(ctx, w, each)
	return mark, err
}

func (t *table) walkHits(ctx context.Context, w store.Walk, each func(store.Hit) error) (mark *store.Mark, examined int, err error) {
	hits, misses := 0, 0
	err = t.walk(ctx, w, func(snapshot *pebble.Snapshot) visit {
		return func(segment int, id, doc []byte) error {
			found, err := t.read(snapshot, id, doc)
			if err != nil {
				return err
			}
			examined++
			if !w.Segments[segment].Rest.Match(found) || !w.Rest.Match(found) {
				if misses++; w.Misses > 0 && misses > w.Misses {
					mark = &store.Mark{Segment: segment, Doc: found}
					return errEnd
				}
				return nil
			}
			if err := each(store.Hit{Segment: segment, Doc: found}); err != nil {
				return err
			}
			if hits++; hits == w.Limit {
				return errEnd
			}
			return nil
		}
	})
	if errors.Is(err, errEnd) {
		err = nil
	}
	return mark, examined, err
}

func (t *table) Count(ctx context.Context, w store.Walk, field string) (map[string]int, error) {
	groups := map[string]int{}
	err := t.walk(ctx, w, func(snapshot *pebble.Snapshot) visit {
		return func(segment int, id, doc []byte) error {
			rest := store.And(w.Segments[segment].Rest, w.Rest)
			if field == "" && rest.Op() == store.OpAll { // the entries tell
				groups[""]++
				return nil
			}
			if doc == nil {
				var err error
				if doc, err = t.read(snapshot, id, nil); err != nil {
					return err
				}
			}
			if !rest.Match(doc) {
				return nil
			}
			key := ""
			if field != "" {
				v, single := store.Single(doc, field)
				if !single {
					return fmt.Errorf("%w: cannot group by %q: there is an array", store.ErrInvalid, field)
				}
				var err error
				if key, err = store.GroupKey(v); err != nil {
					return err
				}
			}
			if groups[key]++; len(groups) > store.MaxLimit {
				return fmt.Errorf("%w: %q has more than %d values", store.ErrTooBroad, field, store.MaxLimit)
			}
			return nil
		}
	})
	return groups, err
}

func (t *table) Explain(ctx context.Context, w store.Walk) (store.Plan, error) {
	_, examined, err := t.walkHits(ctx, w, func(store.Hit) error { return nil })
	return store.Plan{Index: w.Index.Name, Examined: examined}, err
}
