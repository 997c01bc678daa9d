package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/castor-iot/castor/shared/store"
)

// newDevice is the device of code that is one version ahead.
type newDevice struct {
	ID     string             `bson:"_id"`
	Kind   string             `bson:"kind"`
	Name   string             `bson:"name"`
	Serial string             `bson:"serial,omitempty"`
	Tags   []string           `bson:"tags,omitempty"`
	Place  newPlace           `bson:"place"`
	Owner  string             `bson:"owner"`
	Limits map[string]float64 `bson:"limits"`
}

type newPlace struct {
	City string `bson:"city"`
	Room struct {
		Number int `bson:"number"`
	} `bson:"room"`
}

func testUnknownFields(t *testing.T, db *store.DB) {
	ctx := t.Context()
	newer := must(store.Open[newDevice](ctx, db, store.Spec{Name: "devices"}))(t)
	older := openDevices(t, db)
	in := newDevice{ID: "a", Kind: "k", Name: "n", Serial: "1", Tags: []string{"x"}, Owner: "ada", Limits: map[string]float64{"cpu": 80}}
	in.Place.City, in.Place.Room.Number = "Bern", 12
	check(t, newer.Insert(ctx, in))

	want := in
	want.Name, want.Place.City, want.Serial, want.Tags = "changed", "Basel", "", nil
	change := func(d *device) {
		d.Name, d.Place.City, d.Serial, d.Tags = "changed", "Basel", "", nil
	}
	must(older.Update(ctx, "a", func(d *device) error { change(d); return nil }))(t)
	if got := must(newer.Get(ctx, "a"))(t); !reflect.DeepEqual(got, want) {
		t.Errorf("after the older code's update:\n got %+v\nwant %+v", got, want)
	}

	check(t, newer.PutMany(ctx, []newDevice{in}))
	docs := must(older.Load(ctx, []string{"a"}))(t)
	change(&docs[0].Value)
	check(t, must(older.ReplaceMany(ctx, docs))(t)[0])
	must(older.Apply(ctx, "a", store.Filter{}, map[string]int64{"count": 3}))(t)
	if got := must(newer.Get(ctx, "a"))(t); !reflect.DeepEqual(got, want) {
		t.Errorf("after the older code's replacement:\n got %+v\nwant %+v", got, want)
	}
	must(newer.Update(ctx, "a", func(d *newDevice) error { d.Owner = "bob"; return nil }))(t)
	if got := must(older.Get(ctx, "a"))(t); got.Count != 3 {
		t.Errorf("what only the older code knows is %d after the newer code's update, want 3", got.Count)
	}
}

func testNewerSchema(t *testing.T, db *store.DB) {
	ctx := t.Context()
	newer := must(store.Open[device](ctx, db, store.Spec{Name: "devices", Schema: 2}))(t)
	older := openDevices(t, db)
	check(t, newer.Insert(ctx, device{ID: "new", Name: "n"}))
	check(t, older.Insert(ctx, device{ID: "old", Name: "o"}))

	if got := must(older.Get(ctx, "new"))(t); got.Name != "n" {
		t.Errorf("older code reads %+v", got)
	}
	set := func(d *device) error { d.Name = "overwritten"; return nil }
	_, err := older.Update(ctx, "new", set)
	wantErr(t, "update", err, store.ErrSchema)
	_, err = older.Upsert(ctx, "new", func(d *device, _ bool) error { return set(d) })
	wantErr(t, "upsert", err, store.ErrSchema)
	_, err = older.Apply(ctx, "new", store.Filter{}, map[string]int64{"count": 1})
	wantErr(t, "apply", err, store.ErrSchema)
	wantErr(t, "put", older.PutMany(ctx, []device{{ID: "new"}}), store.ErrSchema)
	docs := must(older.Load(ctx, []string{"new"}))(t)
	wantErr(t, "replace", must(older.ReplaceMany(ctx, docs))(t)[0], store.ErrSchema)
	if got := must(newer.Load(ctx, []string{"new"}))(t)[0]; got.Value.Name != "n" || got.Revision != 1 {
		t.Errorf("the document is %+v at revision %d", got.Value, got.Revision)
	}

	must(newer.Update(ctx, "old", set))(t) // newer code takes older documents over
	_, err = older.Update(ctx, "old", set)
	wantErr(t, "updating what newer code took over", err, store.ErrSchema)
}

func testIndexLater(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := must(store.Open[device](ctx, db, store.Spec{Name: "devices"}))(t)
	var ds []device
	for i := range 300 {
		ds = append(ds, device{ID: fmt.Sprintf("d%03d", i), Kind: fmt.Sprint("k", i%3), Count: int64(i), Serial: fmt.Sprint(i)})
	}
	insertAll(t, c, ds)
	c = openDevices(t, db)
	for range 2 { // opening twice changes nothing
		got := pages(ctx, t, c, store.Query{Index: "by-kind", Filter: store.Eq("kind", "k1"), Limit: 40})
		if len(got) != 100 || got[0].Count != 298 || got[99].Count != 1 {
			t.Fatalf("the new index has %d documents", len(got))
		}
		c = openDevices(t, db)
	}

	// Another definition under the same name replaces the index.
	spec := store.Spec{Name: "devices", Indexes: []store.Index{{Name: "by-kind", Fields: []string{"count"}}}}
	changed := must(store.Open[device](ctx, db, spec))(t)
	got := must(changed.Find(ctx, store.Query{Index: "by-kind", Filter: store.Gte("count", 290), Limit: 5}))(t).Items
	if fmt.Sprint(ids(got)) != "[d290 d291 d292 d293 d294]" {
		t.Errorf("the changed index has %v", ids(got))
	}

	spec.Indexes = []store.Index{{Name: "by-kind-alone", Fields: []string{"kind"}, Unique: true}}
	_, err := store.Open[device](ctx, db, spec)
	if !errors.Is(err, store.ErrExists) {
		t.Errorf("a unique index over equal documents: %v, want ErrExists", err)
	}
	check(t, changed.Insert(ctx, device{ID: "more", Kind: "k1", Count: 1000, Serial: "more"}))
}
