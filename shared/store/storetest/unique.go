package storetest

import (
	"fmt"
	"testing"

	"github.com/castor-iot/castor/shared/store"
)

func testUnique(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := openDevices(t, db)
	for _, d := range []device{{ID: "a", Serial: "1"}, {ID: "b", Serial: "2"}, {ID: "none-1"}, {ID: "none-2"}} {
		check(t, c.Insert(ctx, d))
	}
	wantErr(t, "inserting a serial that is taken", c.Insert(ctx, device{ID: "c", Serial: "1"}), store.ErrExists)
	_, err := c.Update(ctx, "b", func(d *device) error { d.Serial = "1"; return nil })
	wantErr(t, "changing to a serial that is taken", err, store.ErrExists)
	_, err = c.Upsert(ctx, "c", func(d *device, _ bool) error { d.Serial = "1"; return nil })
	wantErr(t, "upserting a serial that is taken", err, store.ErrExists)
	if got := must(c.Get(ctx, "b"))(t); got.Serial != "2" {
		t.Errorf("a refused update changed the serial to %q", got.Serial)
	}
	must(c.Update(ctx, "a", func(d *device) error { d.Name = "same serial"; return nil }))(t)

	errs := must(c.InsertMany(ctx, []device{{ID: "x", Serial: "9"}, {ID: "y", Serial: "9"}, {ID: "z", Serial: "2"}}))(t)
	for i, want := range []error{nil, store.ErrExists, store.ErrExists} {
		wantErr(t, fmt.Sprint("insert ", i), errs[i], want)
	}

	must(c.Update(ctx, "a", func(d *device) error { d.Serial = ""; return nil }))(t)
	check(t, c.Insert(ctx, device{ID: "c", Serial: "1"})) // it is free again
	check(t, c.Delete(ctx, "b"))
	check(t, c.Insert(ctx, device{ID: "d", Serial: "2"}))

	// The index has only what has a serial.
	got := must(c.Find(ctx, store.Query{Index: "by-serial"}))(t).Items
	if fmt.Sprint(ids(got)) != "[c d x]" {
		t.Errorf("the index has %v, want c, d, x", ids(got))
	}
	if got := must(c.FindOne(ctx, store.Query{Index: "by-serial", Filter: store.Eq("serial", "2")}))(t); got.ID != "d" {
		t.Errorf("serial 2 is %q", got.ID)
	}
	_, err = c.FindOne(ctx, store.Query{Index: "by-serial", Filter: store.Eq("serial", "3")})
	wantErr(t, "a serial nobody has", err, store.ErrNotFound)
}

func testCompoundUnique(t *testing.T, db *store.DB) {
	ctx := t.Context()
	spec := store.Spec{Name: "devices", Indexes: []store.Index{{Name: "by-place", Fields: []string{"serial", "place.floor"}, Unique: true}}}
	c := must(store.Open[device](ctx, db, spec))(t)
	at := func(id, serial string, floor int) device {
		return device{ID: id, Serial: serial, Place: place{Floor: floor}}
	}
	for _, d := range []device{at("a", "s", 1), at("b", "s", 2), at("c", "s", 0), at("d", "s", 0), at("e", "", 1), at("f", "", 1)} {
		check(t, c.Insert(ctx, d))
	}
	wantErr(t, "both the same", c.Insert(ctx, at("g", "s", 2)), store.ErrExists)
	got := must(c.Find(ctx, store.Query{Index: "by-place"}))(t).Items
	if fmt.Sprint(ids(got)) != "[a b]" {
		t.Errorf("the index has %v, want a, b", ids(got))
	}
}

// In a unique index over an array each element is one document's alone; who lets go of it sets it free.
func testUniqueArray(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := must(store.Open[device](ctx, db, store.Spec{Name: "devices", Indexes: []store.Index{{Name: "by-tags", Fields: []string{"tags"}, Unique: true}}}))(t)
	for _, d := range []device{{ID: "a", Tags: []string{"1", "2"}}, {ID: "b", Tags: []string{"3"}}, {ID: "none-1"}, {ID: "none-2"}} {
		check(t, c.Insert(ctx, d))
	}
	wantErr(t, "inserting an element that is taken", c.Insert(ctx, device{ID: "c", Tags: []string{"9", "2"}}), store.ErrExists)
	_, err := c.Update(ctx, "b", func(d *device) error { d.Tags = append(d.Tags, "1"); return nil })
	wantErr(t, "adding an element that is taken", err, store.ErrExists)
	must(c.Update(ctx, "a", func(d *device) error { d.Tags = append(d.Tags, "4"); return nil }))(t)
	if got := must(c.FindOne(ctx, store.Query{Index: "by-tags", Filter: store.Eq("tags", "4")}))(t); got.ID != "a" {
		t.Errorf("element 4 is of %q", got.ID)
	}
	must(c.Update(ctx, "a", func(d *device) error { d.Tags = []string{"4"}; return nil }))(t)
	check(t, c.Insert(ctx, device{ID: "c", Tags: []string{"9", "2"}}))
}
