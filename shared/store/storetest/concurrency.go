package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/castor-iot/castor/shared/store"
)

const writers = 20

// together runs f in so many goroutines at once and returns their errors.
func together(n int, f func(i int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func testWriters(t *testing.T, db *store.DB) {
	const each = 10
	ctx := t.Context()
	c := openDevices(t, db)
	check(t, c.Insert(ctx, device{ID: "a", Labels: map[string]string{"first": "here"}}))
	check(t, together(writers, func(w int) error {
		for i := range each {
			_, err := c.Update(ctx, "a", func(d *device) error {
				d.Count++
				d.Labels[fmt.Sprintf("%d-%d", w, i)] = "here"
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	got := must(c.Load(ctx, []string{"a"}))(t)[0]
	if got.Value.Count != writers*each || len(got.Value.Labels) != writers*each+1 || got.Revision != writers*each+1 {
		t.Errorf("after %d updates: count %d, %d labels, revision %d", writers*each, got.Value.Count, len(got.Value.Labels), got.Revision)
	}
	if n := must(c.Count(ctx, store.Filter{}, "by-kind"))(t); n != 1 {
		t.Errorf("the index has %d entries for one document", n)
	}
}

func testUpserts(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := openDevices(t, db)
	check(t, together(writers, func(int) error {
		_, err := c.Upsert(ctx, "a", func(d *device, _ bool) error { d.Count++; return nil })
		return err
	}))
	if got := must(c.Get(ctx, "a"))(t); got.Count != writers {
		t.Errorf("count is %d, want %d", got.Count, writers)
	}
}

func testApply(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := openDevices(t, db)
	level := 1.5
	check(t, c.Insert(ctx, device{ID: "a", Kind: "k", Level: &level}))
	got := must(c.Apply(ctx, "a", store.Filter{}, map[string]int64{"count": 5, "place.floor": -2, "level": 2}))(t)
	if got.Count != 5 || got.Place.Floor != -2 || *got.Level != 3.5 {
		t.Errorf("after adding: %+v, level %g", got, *got.Level)
	}
	_, err := c.Apply(ctx, "a", store.Lt("count", 5), map[string]int64{"count": 1})
	wantErr(t, "a guard that does not match", err, store.ErrConflict)
	_, err = c.Apply(ctx, "b", store.Filter{}, map[string]int64{"count": 1})
	wantErr(t, "no document", err, store.ErrNotFound)
	for name, inc := range map[string]map[string]int64{
		"a text": {"kind": 1}, "nothing": {}, "the revision": {"revision": 1}, "a path in another": {"place": 1, "place.floor": 1}, "into a text": {"kind.x": 1},
	} {
		_, err = c.Apply(ctx, "a", store.Filter{}, inc)
		wantErr(t, "adding to "+name, err, store.ErrInvalid)
	}
	if found := must(c.Find(ctx, store.Query{Index: "by-kind", Filter: store.And(store.Eq("kind", "k"), store.Eq("count", 5))}))(t); len(found.Items) != 1 {
		t.Error("the index does not have the new count")
	}

	// A limit that many approach at once is met exactly.
	const limit = 50
	check(t, c.Insert(ctx, device{ID: "load"}))
	refused := make([]int, writers)
	check(t, together(writers, func(w int) error {
		for range 5 {
			_, err := c.Apply(ctx, "load", store.Lt("count", limit), map[string]int64{"count": 1})
			if errors.Is(err, store.ErrConflict) {
				refused[w]++
			} else if err != nil {
				return err
			}
		}
		return nil
	}))
	no := 0
	for _, n := range refused {
		no += n
	}
	if got := must(c.Get(ctx, "load"))(t); got.Count != limit || no != writers*5-limit {
		t.Errorf("count %d with %d refused, want %d with %d", got.Count, no, limit, writers*5-limit)
	}
}

func testUniqueRace(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := openDevices(t, db)
	for round := range 5 {
		serial := fmt.Sprint("s", round)
		won := make([]bool, writers)
		check(t, together(writers, func(w int) error {
			var err error
			if id := fmt.Sprintf("%d-%d", round, w); w%2 == 0 {
				err = c.Insert(ctx, device{ID: id, Serial: serial})
			} else {
				var errs []error
				errs, err = c.InsertMany(ctx, []device{{ID: id, Serial: serial}, {ID: id + "-other"}})
				if err == nil {
					err = errs[0]
				}
			}
			won[w] = err == nil
			if errors.Is(err, store.ErrExists) {
				return nil
			}
			return err
		}))
		n := 0
		for _, w := range won {
			if w {
				n++
			}
		}
		if n != 1 || must(c.Count(ctx, store.Eq("serial", serial), "by-serial"))(t) != 1 {
			t.Errorf("round %d: %d writers got the same serial", round, n)
		}
	}
}
