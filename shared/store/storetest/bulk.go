package storetest

import (
	"fmt"
	"testing"

	"github.com/castor-iot/castor/shared/store"
)

func testBulk(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := openDevices(t, db)
	check(t, c.Insert(ctx, device{ID: "b", Name: "old"}))
	errs := must(c.InsertMany(ctx, []device{{ID: "a"}, {ID: "b", Name: "new"}, {ID: ""}, {ID: "c"}, {ID: "c"}}))(t)
	for i, want := range []error{nil, store.ErrExists, store.ErrInvalid, nil, store.ErrExists} {
		wantErr(t, fmt.Sprint("insert ", i), errs[i], want)
	}
	if got := must(c.Get(ctx, "b"))(t); got.Name != "old" {
		t.Error("a refused insert overwrote the document")
	}

	docs := must(c.Load(ctx, []string{"a", "nobody", "b", "c"}))(t)
	if len(docs) != 4 || docs[1] != nil || docs[2].Value.Name != "old" {
		t.Fatalf("loaded %v", docs)
	}
	must(c.Update(ctx, "b", func(d *device) error { d.Name = "meanwhile"; return nil }))(t)
	check(t, c.Delete(ctx, "c"))
	for _, d := range docs {
		if d != nil {
			d.Value.Count = 7
		}
	}
	errs = must(c.ReplaceMany(ctx, docs))(t)
	for i, want := range []error{nil, store.ErrInvalid, store.ErrConflict, store.ErrNotFound} {
		wantErr(t, fmt.Sprint("replace ", i), errs[i], want)
	}
	if a, b := must(c.Get(ctx, "a"))(t), must(c.Get(ctx, "b"))(t); a.Count != 7 || b.Count != 0 || b.Name != "meanwhile" {
		t.Errorf("after the replacement: a %+v, b %+v", a, b)
	}

	// A document that was written can be written again at once.
	again := docs[:1]
	again[0].Value.Count++
	check(t, must(c.ReplaceMany(ctx, again))(t)[0])
	if got := must(c.Load(ctx, []string{"a"}))(t)[0]; got.Value.Count != 8 || got.Revision != again[0].Revision {
		t.Errorf("stored is count %d at revision %d, want 8 at %d", got.Value.Count, got.Revision, again[0].Revision)
	}
	for _, none := range []int{0} {
		if errs := must(c.InsertMany(ctx, make([]device, none)))(t); len(errs) != 0 {
			t.Errorf("inserting nothing: %v", errs)
		}
	}
	_, err := c.InsertMany(ctx, make([]device, store.MaxLimit+1))
	wantErr(t, "too many at once", err, store.ErrInvalid)
}

func testBulkTwice(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := openDevices(t, db)
	var ds []device
	for i := range 500 {
		ds = append(ds, device{ID: fmt.Sprintf("d%03d", i), Kind: "k", Count: int64(i), Tags: []string{"x", "y"}})
	}
	insertAll(t, c, ds)
	for i, err := range must(c.InsertMany(ctx, ds))(t) {
		wantErr(t, fmt.Sprint("second insert of ", i), err, store.ErrExists)
	}
	for range 2 {
		check(t, c.PutMany(ctx, ds))
	}
	for _, index := range []string{"", "by-kind"} {
		if n := must(c.Count(ctx, store.Filter{}, index))(t); n != len(ds) {
			t.Errorf("index %q has %d documents, want %d", index, n, len(ds))
		}
	}
	if n := must(c.Count(ctx, store.In("tags", "x", "y"), "by-tag"))(t); n != len(ds) {
		t.Errorf("by-tag has %d documents, want %d", n, len(ds))
	}
}

func testPut(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := openDevices(t, db)
	check(t, c.PutMany(ctx, []device{{ID: "a", Kind: "x"}}))
	before := must(c.Load(ctx, []string{"a"}))(t)
	check(t, c.PutMany(ctx, []device{{ID: "a", Kind: "y"}, {ID: "b", Kind: "y"}}))
	before[0].Value.Name = "late"
	wantErr(t, "a replacement of what was overwritten", must(c.ReplaceMany(ctx, before))(t)[0], store.ErrConflict)
	got := must(c.Find(ctx, store.Query{Index: "by-kind"}))(t).Items
	if fmt.Sprint(ids(got)) != "[a b]" || got[0].Kind != "y" {
		t.Errorf("found %+v", got)
	}
	check(t, c.Insert(ctx, device{ID: "s", Serial: "1"}))
	wantErr(t, "a put with a serial that is taken", c.PutMany(ctx, []device{{ID: "t", Serial: "1"}}), store.ErrExists)
}
