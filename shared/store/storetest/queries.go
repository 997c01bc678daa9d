package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/store"
)

func testCursors(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := openDevices(t, db)
	insertAll(t, c, manyDevices(50))
	q := store.Query{Index: "by-kind", Filter: store.Gt("kind", "k1"), Limit: 3}
	next := must(c.Find(ctx, q))(t).Next
	for name, other := range map[string]store.Query{
		"another index":  {Index: "by-city", Filter: q.Filter},
		"another filter": {Index: "by-kind", Filter: store.Gt("kind", "k2")},
		"another class":  {Index: "by-kind", Filter: store.Gt("kind", 1)},
		"backwards":      {Index: "by-kind", Filter: q.Filter, Reverse: true},
	} {
		other.Cursor = next
		_, err := c.Find(ctx, other)
		wantErr(t, "a cursor for "+name, err, store.ErrInvalid)
	}
	for i := range len(next) {
		b := []byte(next)
		b[i] ^= 1
		q.Cursor = string(b)
		if page, err := c.Find(ctx, q); err == nil { // then it is a cursor to elsewhere, and the filter still holds
			for _, d := range page.Items {
				if d.Kind <= "k1" {
					t.Fatalf("a forged cursor led to %q", d.Kind)
				}
			}
		} else {
			wantErr(t, "a damaged cursor", err, store.ErrInvalid)
		}
	}
	q.Cursor, q.Limit = next, 50
	before := must(c.Find(ctx, q))(t).Items
	check(t, c.Delete(ctx, before[0].ID)) // the place of a cursor need not exist any more
	if got := must(c.Find(ctx, q))(t).Items; len(got) != len(before)-1 || got[0].ID != before[1].ID {
		t.Errorf("after a deletion the page begins with %q, want %q", got[0].ID, before[1].ID)
	}
}

func testTooBroad(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := openDevices(t, db)
	var ds []device
	for i := range 2500 {
		ds = append(ds, device{ID: fmt.Sprintf("d%04d", i), Kind: "k", Count: int64(-i), Name: fmt.Sprint("n", btoi(i >= 1001))})
	}
	insertAll(t, c, ds)
	q := store.Query{Index: "by-kind", Filter: store.And(store.Eq("kind", "k"), store.Eq("name", "n1")), Limit: 10}
	_, err := c.Find(ctx, q)
	wantErr(t, "1,001 documents before the first that matches", err, store.ErrTooBroad)
	must(c.Update(ctx, "d0500", func(d *device) error { d.Name = "n1"; return nil }))(t)
	_, err = c.Find(ctx, q)
	if got := must(c.Find(ctx, q))(t).Items; err != nil || got[0].ID != "d0500" || len(got) != 10 {
		t.Errorf("1,000 documents that do not match: found %d, error %v", len(got), err)
	}
	must(c.Update(ctx, "d0500", func(d *device) error { d.Name = "n0"; return nil }))(t)

	q.Partial = true
	page := must(c.Find(ctx, q))(t)
	if len(page.Items) != 0 || page.Next == "" {
		t.Errorf("in part: %d documents, next %q", len(page.Items), page.Next)
	}
	q.Limit = 400
	if got := pages(ctx, t, c, q); len(got) != 1499 || got[0].ID != "d1001" {
		t.Errorf("all parts have %d documents, want 1499", len(got))
	}
	q.Filter, q.Partial = store.And(store.Eq("kind", "k"), store.Eq("name", "n9")), false
	if n := must(c.Count(ctx, q.Filter, "by-kind"))(t); n != 0 {
		t.Errorf("count %d", n)
	}
	if _, err := c.FindOne(ctx, q); err == nil {
		t.Error("one was found that is not there")
	} else {
		wantErr(t, "find one", err, store.ErrTooBroad)
	}
}

func testFields(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := openDevices(t, db)
	check(t, c.Insert(ctx, device{ID: "a", Kind: "k", Name: "n", Place: place{City: "Bern", Floor: 3}, Parts: []part{{"x", 1}, {"y", 2}}, Count: 9}))
	for _, index := range []string{"", "by-kind"} {
		got := must(c.Find(ctx, store.Query{Index: index, Fields: []string{"name", "place.floor", "parts.size", "parts.size"}}))(t).Items[0]
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", device{ID: "a", Name: "n", Place: place{Floor: 3}, Parts: []part{{"", 1}, {"", 2}}}) {
			t.Errorf("index %q: got %+v", index, got)
		}
	}
	got := must(c.Find(ctx, store.Query{Fields: []string{"place", "place.floor"}}))(t).Items[0]
	if got.Place.City != "Bern" || got.Name != "" {
		t.Errorf("got %+v", got)
	}
}

func testDeleteRange(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := openDevices(t, db)
	insertAll(t, c, manyDevices(3000))
	old := store.Query{Index: "by-seen", Filter: store.Lt("seen", epoch.Add(100*time.Hour)), Reverse: true, Limit: 120}
	var deleted []int
	for {
		n := must(c.DeleteRange(ctx, old))(t)
		deleted = append(deleted, n)
		if n < old.Limit {
			break
		}
		if n := must(c.Count(ctx, store.Eq("seen", epoch), "by-seen"))(t); n != 0 {
			t.Errorf("%d of the oldest are left", n)
		}
	}
	if fmt.Sprint(deleted) != "[120 120 60]" {
		t.Errorf("deleted %v, want 120, 120, 60", deleted)
	}
	for _, index := range []string{"", "by-seen", "by-kind"} {
		if n := must(c.Count(ctx, store.Filter{}, index))(t); n != 2700 {
			t.Errorf("index %q has %d documents, want 2700", index, n)
		}
	}
	n := must(c.DeleteRange(ctx, store.Query{Filter: store.Eq("kind", "k1"), Limit: store.MaxLimit}))(t)
	if left := must(c.Count(ctx, store.Eq("kind", "k1"), "by-kind"))(t); n < 300 || left != 0 {
		t.Errorf("deleted %d without an index, %d are left", n, left)
	}
}

func testScan(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := openDevices(t, db)
	insertAll(t, c, manyDevices(1700))
	seen := map[string]bool{}
	q := store.Query{Index: "by-kind", Filter: store.Eq("name", "nn")}
	check(t, c.Scan(ctx, q, func(d device) error {
		seen[d.ID] = true
		return c.Delete(ctx, d.ID) // a scan may change what it is given
	}))
	if len(seen) != 340 {
		t.Errorf("scanned %d, want 340", len(seen))
	}
	n := 0
	check(t, c.Scan(ctx, store.Query{Limit: 777}, func(device) error { n++; return nil }))
	if n != 777 {
		t.Errorf("a scan of 777 gave %d", n)
	}
	n = 0
	check(t, c.Scan(ctx, store.Query{}, func(device) error {
		if n++; n == 600 {
			return store.Stop
		}
		return nil
	}))
	if n != 600 {
		t.Errorf("a stopped scan gave %d, want 600", n)
	}
	wantErr(t, "a scan that fails", c.Scan(ctx, store.Query{}, func(device) error { return store.ErrTooLarge }), store.ErrTooLarge)
}
