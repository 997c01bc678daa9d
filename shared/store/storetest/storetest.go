// Package storetest is the suite that every store driver passes: what the store's documentation says, tried on a real
// database. Drivers' own tests add what only they can show (crashes, lost replies).
package storetest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/store"
)

// A Feature is something that a stand-in for a database may lack. No driver lacks one on the real database.
type Feature string

// The features that may be lacking.
const (
	// Explain: the server tells how it carries a query out.
	Explain Feature = "explain"
	// CompoundUnique: a unique index of several fields leaves out documents that lack one of them.
	CompoundUnique Feature = "unique indexes of several fields that leave out documents"
	// NestedLists: a path enters lists, but not lists in lists.
	NestedLists Feature = "paths that stop at lists in lists"
	// EdgeNumbers: NaN comes before all numbers, and the infinities and the smallest integer have their place.
	EdgeNumbers Feature = "the order of NaN and infinity"
)

// Run tests the databases that open returns, each of which must be empty and is closed by the suite. What is lacking is
// skipped, with a line that says so.
func Run(t *testing.T, open func(t *testing.T) *store.DB, lacking ...Feature) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *store.DB)
		need Feature
	}{
		{name: "documents are inserted, read, changed and deleted", run: testDocuments},
		{name: "values come back as plain Go values, times in UTC", run: testValues},
		{name: "ids, names, limits and indexes are checked", run: testInvalid},
		{name: "bulk operations tell the fate of each document", run: testBulk},
		{name: "bulk operations can be repeated", run: testBulkTwice},
		{name: "a put overwrites, and readers of before notice", run: testPut},
		{name: "apply adds atomically under a guard", run: testApply},
		{name: "twenty writers lose no update", run: testWriters},
		{name: "twenty upserts make one document", run: testUpserts},
		{name: "unique indexes refuse, and leave out documents without the field", run: testUnique},
		{name: "unique indexes of several fields", run: testCompoundUnique, need: CompoundUnique},
		{name: "unique indexes of arrays", run: testUniqueArray},
		{name: "of many writers of one unique key one wins", run: testUniqueRace},
		{name: "fields of newer code survive an update", run: testUnknownFields},
		{name: "documents of a newer schema are read but not written", run: testNewerSchema},
		{name: "indexes are made for documents that are there", run: testIndexLater},
		{name: "filters mean what MongoDB means", run: testFilters},
		{name: "paths stop at lists in lists", run: testNestedLists, need: NestedLists},
		{name: "values of different classes are sorted and paged", run: testClasses},
		{name: "numbers that are none, or have no end, have their place", run: testEdgeNumbers, need: EdgeNumbers},
		{name: "ten thousand documents are sorted and paged", run: testPaging},
		{name: "cursors of other queries are refused", run: testCursors},
		{name: "broad queries are refused or answered in part", run: testTooBroad},
		{name: "fields are projected", run: testFields},
		{name: "ranges are deleted in order", run: testDeleteRange},
		{name: "scans go through everything and can be stopped", run: testScan},
		{name: "every query uses its index", run: testExplain, need: Explain},
		{name: "random operations agree with a map", run: testRandom},
		{name: "a closed database says so", run: testClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.need != "" && slices.Contains(lacking, test.need) {
				t.Skipf("SKIPPED: this server lacks %s", test.need)
			}
			db := open(t)
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Errorf("closing the database: %v", err)
				}
			})
			test.run(t, db)
		})
	}
}

// device is the document of most tests.
type device struct {
	ID     string            `bson:"_id"`
	Kind   string            `bson:"kind"`
	Name   string            `bson:"name"`
	Count  int64             `bson:"count"`
	Level  *float64          `bson:"level,omitempty"`
	Serial string            `bson:"serial,omitempty"`
	Tags   []string          `bson:"tags,omitempty"`
	Place  place             `bson:"place"`
	Parts  []part            `bson:"parts,omitempty"`
	Seen   time.Time         `bson:"seen"`
	Labels map[string]string `bson:"labels,omitempty"`
	Extra  any               `bson:"extra,omitempty"`
}

type place struct {
	City  string `bson:"city"`
	Floor int    `bson:"floor,omitempty"`
}

type part struct {
	Name string `bson:"name"`
	Size int    `bson:"size"`
}

var deviceSpec = store.Spec{
	Name: "devices",
	Indexes: []store.Index{
		{Name: "by-kind", Fields: []string{"kind", "-count"}},
		{Name: "by-city", Fields: []string{"place.city", "name"}},
		{Name: "by-tag", Fields: []string{"tags", "count"}},
		{Name: "by-part", Fields: []string{"parts.name"}},
		{Name: "by-seen", Fields: []string{"-seen"}},
		{Name: "by-level", Fields: []string{"level"}},
		{Name: "by-serial", Fields: []string{"serial"}, Unique: true},
	},
}

func openDevices(t *testing.T, db *store.DB) *store.Collection[device] {
	t.Helper()
	return must(store.Open[device](t.Context(), db, deviceSpec))(t)
}

// must ends the test on an error: must(f())(t).
func must[V any](v V, err error) func(testing.TB) V {
	return func(t testing.TB) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// ids returns the ids of documents in their order.
func ids(ds []device) []string {
	list := make([]string, len(ds))
	for i, d := range ds {
		list[i] = d.ID
	}
	return list
}

// pages returns all documents of q, page by page.
func pages[T any](ctx context.Context, t testing.TB, c *store.Collection[T], q store.Query) []T {
	t.Helper()
	var all []T
	for {
		page, err := c.Find(ctx, q)
		if err != nil {
			t.Fatalf("page after %d documents of index %q: %v", len(all), q.Index, err)
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		if len(page.Items) != q.Limit && !q.Partial {
			t.Fatalf("a page has %d documents and is not the last one, want %d", len(page.Items), q.Limit)
		}
		if len(all) > 2*store.MaxLimit {
			t.Fatalf("paging through index %q does not end: at %+v", q.Index, page.Items[len(page.Items)-1])
		}
		q.Cursor = page.Next
	}
}

func insertAll[T any](t testing.TB, c *store.Collection[T], vs []T) {
	t.Helper()
	for _, err := range must(c.InsertMany(t.Context(), vs))(t) {
		check(t, err)
	}
}

func sorted[V cmp.Ordered](vs []V) []V {
	vs = slices.Clone(vs)
	slices.Sort(vs)
	return vs
}
