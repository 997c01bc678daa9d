package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/store"
)

func testDocuments(t *testing.T, db *store.DB) {
	ctx := t.Context()
	check(t, db.Ping(ctx))
	if db.Name() == "" {
		t.Error("the database has no name")
	}
	c := openDevices(t, db)
	pump := device{ID: "pump-7", Kind: "pump", Name: "north", Place: place{City: "Bern"}}
	check(t, c.Insert(ctx, pump))
	wantErr(t, "a second insert", c.Insert(ctx, device{ID: "pump-7", Name: "other"}), store.ErrExists)

	if got := must(c.Get(ctx, "pump-7"))(t); !reflect.DeepEqual(got, pump) {
		t.Errorf("got %+v, want %+v", got, pump)
	}
	_, err := c.Get(ctx, "pump-8")
	wantErr(t, "getting what is not there", err, store.ErrNotFound)

	got := must(c.Update(ctx, "pump-7", func(d *device) error { d.Name = "south"; return nil }))(t)
	if got.Name != "south" || must(c.Get(ctx, "pump-7"))(t).Name != "south" {
		t.Errorf("after the update its name is %q", got.Name)
	}
	mine := errors.New("mine")
	_, err = c.Update(ctx, "pump-7", func(d *device) error { d.Name = "lost"; return mine })
	wantErr(t, "an update that gives up", err, mine)
	got = must(c.Update(ctx, "pump-7", func(d *device) error { return store.Unchanged }))(t)
	if docs := must(c.Load(ctx, []string{"pump-7"}))(t); got.Name != "south" || docs[0].Revision != 2 {
		t.Errorf("an update that changes nothing: name %q, revision %d, want south and 2", got.Name, docs[0].Revision)
	}
	_, err = c.Update(ctx, "pump-8", func(*device) error { return nil })
	wantErr(t, "updating what is not there", err, store.ErrNotFound)
	_, err = c.Update(ctx, "pump-7", func(d *device) error { d.ID = "pump-9"; return nil })
	wantErr(t, "changing an id", err, store.ErrInvalid)

	for i, exists := range []bool{false, true} {
		d := must(c.Upsert(ctx, "valve-1", func(d *device, there bool) error {
			if there != exists || d.ID != "valve-1" {
				t.Errorf("upsert %d: exists is %t, id is %q", i, there, d.ID)
			}
			d.Count++
			return nil
		}))(t)
		if d.Count != int64(i+1) {
			t.Errorf("upsert %d: count is %d", i, d.Count)
		}
	}
	must(c.Upsert(ctx, "valve-2", func(*device, bool) error { return store.Unchanged }))(t)
	if got := must(c.GetMany(ctx, []string{"valve-2", "valve-1", "nobody", "pump-7"}))(t); fmt.Sprint(ids(got)) != "[valve-1 pump-7]" {
		t.Errorf("got %v, want valve-1 and pump-7 in that order", ids(got))
	}

	wantErr(t, "deleting under a false guard", c.DeleteIf(ctx, "valve-1", store.Eq("count", 1)), store.ErrConflict)
	check(t, c.DeleteIf(ctx, "valve-1", store.Eq("count", 2)))
	wantErr(t, "deleting what is gone", c.DeleteIf(ctx, "valve-1", store.Eq("count", 2)), store.ErrNotFound)
	check(t, c.Delete(ctx, "pump-7"))
	wantErr(t, "deleting twice", c.Delete(ctx, "pump-7"), store.ErrNotFound)
	if n := must(c.Count(ctx, store.Filter{}, ""))(t); n != 0 {
		t.Errorf("%d documents are left", n)
	}
	check(t, c.Insert(ctx, pump)) // its index entries must be gone too
	if got := must(c.Find(ctx, store.Query{Index: "by-kind"}))(t).Items; len(got) != 1 {
		t.Errorf("the index has %d documents, want 1", len(got))
	}
}

func testValues(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := openDevices(t, db)
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("CET", 3600))
	in := device{ID: "a", Seen: at, Extra: map[string]any{
		"list": []any{int64(1 << 40), "x", map[string]any{"deep": true}}, "at": at, "f": 2.5, "none": nil, "b": []byte{1, 2},
	}}
	check(t, c.Insert(ctx, in))
	cut := at.UTC().Truncate(time.Millisecond)
	want := device{ID: "a", Seen: cut, Extra: map[string]any{
		"list": []any{int64(1 << 40), "x", map[string]any{"deep": true}}, "at": cut, "f": 2.5, "none": nil, "b": []byte{1, 2},
	}}
	if got := must(c.Get(ctx, "a"))(t); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v\nwant %#v", got, want)
	}
	for _, id := range []string{"ä/ö ü", "$dollar.dot", "zero\x00byte", strings.Repeat("x", store.MaxID)} {
		check(t, c.Insert(ctx, device{ID: id, Name: id}))
		if got := must(c.Get(ctx, id))(t); got.Name != id {
			t.Errorf("id %q: got %q", id, got.Name)
		}
	}
}

func testInvalid(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := openDevices(t, db)
	for name, id := range map[string]string{"an empty id": "", "a long id": strings.Repeat("x", store.MaxID+1), "an id that is not text": "\xff"} {
		wantErr(t, name, c.Insert(ctx, device{ID: id}), store.ErrInvalid)
		_, err := c.Get(ctx, id)
		wantErr(t, name, err, store.ErrInvalid)
	}
	wantErr(t, "a large document", c.Insert(ctx, device{ID: "a", Name: strings.Repeat("x", store.MaxDocument)}), store.ErrTooLarge)

	for name, q := range map[string]store.Query{
		"a negative limit":            {Limit: -1},
		"a large limit":               {Limit: store.MaxLimit + 1},
		"a filter on a channel":       {Filter: store.Eq("name", make(chan int))},
		"a filter on no path":         {Filter: store.Eq("", 1)},
		"a filter on an operator":     {Filter: store.Eq("$where", 1)},
		"less than nothing":           {Filter: store.Lt("count", nil)},
		"a bad filter deep down":      {Filter: store.Not(store.Or(store.And(store.Eq("a", 1), store.Eq("b..c", 1))))},
		"a cursor that is none":       {Cursor: "nonsense"},
		"a projection on an operator": {Fields: []string{"$x"}},
	} {
		_, err := c.Find(ctx, q)
		wantErr(t, name, err, store.ErrInvalid)
	}
	_, err := c.Find(ctx, store.Query{Index: "by-nothing"})
	wantErr(t, "an unknown index", err, store.ErrNoIndex)
	_, err = c.Find(ctx, store.Query{Index: "by-tag"})
	wantErr(t, "an array index that is not fixed", err, store.ErrNoIndex)

	type noID struct{ Name string }
	_, err = store.Open[noID](ctx, db, store.Spec{Name: "x"})
	wantErr(t, "a type without _id", err, store.ErrInvalid)
	type taken struct {
		ID       string `bson:"_id"`
		Revision int    `bson:"revision"`
	}
	_, err = store.Open[taken](ctx, db, store.Spec{Name: "x"})
	wantErr(t, "a type with a revision", err, store.ErrInvalid)
	_, err = store.Open[device](ctx, db, store.Spec{Name: "Not a name"})
	wantErr(t, "a bad name", err, store.ErrInvalid)
	for name, x := range map[string]store.Index{
		"an index on no field":         {Name: "x"},
		"an index on an unknown field": {Name: "x", Fields: []string{"kid"}},
		"an index on two arrays":       {Name: "x", Fields: []string{"tags", "parts.name"}},
		"an index on a field twice":    {Name: "x", Fields: []string{"kind", "-kind"}},
		"an index without name":        {Fields: []string{"kind"}},
	} {
		_, err = store.Open[device](ctx, db, store.Spec{Name: "x", Indexes: []store.Index{x}})
		wantErr(t, name, err, store.ErrInvalid)
	}
}

func testClosed(t *testing.T, db *store.DB) {
	c := openDevices(t, db)
	check(t, db.Close())
	wantErr(t, "insert", c.Insert(t.Context(), device{ID: "a"}), store.ErrUnavailable)
	_, err := c.Find(t.Context(), store.Query{})
	wantErr(t, "find", err, store.ErrUnavailable)
	wantErr(t, "ping", db.Ping(t.Context()), store.ErrUnavailable)
}
