package storetest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/castor-iot/castor/shared/store"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// manyDevices returns n devices in a mixed order, with many ties.
func manyDevices(n int) []device {
	ds := make([]device, n)
	for i := range ds {
		k := (i * 7919) % n
		d := device{
			ID: fmt.Sprintf("d%05d", k), Kind: fmt.Sprint("k", k%7), Name: strings.Repeat("n", k%5), Count: int64(k%100 - 50),
			Place: place{City: []string{"Bern", "Basel", "Biel", "Brig"}[k%4]}, Seen: epoch.Add(time.Duration(k%1000) * time.Hour),
			Tags: []string{fmt.Sprint("t", k%3), fmt.Sprint("u", k%11)}, Parts: []part{{Name: fmt.Sprint("p", k%13), Size: k}},
		}
		if k%3 == 0 {
			level := float64(k%50) / 4
			d.Level = &level
		}
		if k%2 == 0 {
			d.Serial = fmt.Sprint("s", k)
		}
		ds[i] = d
	}
	return ds
}

func compareTimes(a, b time.Time) int { return a.Compare(b) }

func compareLevels(a, b *float64) int {
	switch {
	case a == nil || b == nil:
		return cmp.Compare(btoi(a != nil), btoi(b != nil))
	}
	return cmp.Compare(*a, *b)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func testPaging(t *testing.T, db *store.DB) {
	const n = 10_000
	ctx := t.Context()
	c := openDevices(t, db)
	ds := manyDevices(n)
	insertAll(t, c, ds)
	byID := func(a, b device) int { return cmp.Compare(a.ID, b.ID) }
	for name, test := range map[string]struct {
		index  string
		filter store.Filter
		match  func(device) bool
		order  func(a, b device) int
	}{
		"by id":             {"", store.Filter{}, nil, byID},
		"by id from and to": {"", store.And(store.Gte("_id", "d02000"), store.Lt("_id", "d04000")), func(d device) bool { return d.ID >= "d02000" && d.ID < "d04000" }, byID},
		"by id with prefix": {"", store.Prefix("_id", "d07"), func(d device) bool { return strings.HasPrefix(d.ID, "d07") }, byID},
		"by kind and count": {"by-kind", store.Filter{}, nil, func(a, b device) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(b.Count, a.Count), byID(a, b))
		}},
		"of one kind": {"by-kind", store.Eq("kind", "k3"), func(d device) bool { return d.Kind == "k3" }, func(a, b device) int { return cmp.Or(cmp.Compare(b.Count, a.Count), byID(a, b)) }},
		"of some kinds": {"by-kind", store.In("kind", "k5", "k1", "k5", "k9"), func(d device) bool { return d.Kind == "k1" || d.Kind == "k5" }, func(a, b device) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(b.Count, a.Count), byID(a, b))
		}},
		"kind and count": {"by-kind", store.And(store.Eq("kind", "k2"), store.Gt("count", -10), store.Lte("count", 20)), func(d device) bool { return d.Kind == "k2" && d.Count > -10 && d.Count <= 20 }, func(a, b device) int { return cmp.Or(cmp.Compare(b.Count, a.Count), byID(a, b)) }},
		"kinds and counts": {"by-kind", store.And(store.In("kind", "k2", "k4"), store.In("count", 1, 2, 3)), func(d device) bool { return (d.Kind == "k2" || d.Kind == "k4") && d.Count >= 1 && d.Count <= 3 }, func(a, b device) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(b.Count, a.Count), byID(a, b))
		}},
		"one kind, and rest": {"by-kind", store.And(store.Eq("kind", "k2"), store.Gt("count", 20), store.Ne("name", "n")), func(d device) bool { return d.Kind == "k2" && d.Count > 20 && d.Name != "n" }, func(a, b device) int { return cmp.Or(cmp.Compare(b.Count, a.Count), byID(a, b)) }},
		"by city and name": {"by-city", store.Prefix("place.city", "B"), nil, func(a, b device) int {
			return cmp.Or(cmp.Compare(a.Place.City, b.Place.City), cmp.Compare(a.Name, b.Name), byID(a, b))
		}},
		"by newest": {"by-seen", store.Filter{}, nil, func(a, b device) int { return cmp.Or(compareTimes(b.Seen, a.Seen), byID(a, b)) }},
		"seen between": {"by-seen", store.And(store.Gt("seen", epoch.Add(100*time.Hour)), store.Lt("seen", epoch.Add(300*time.Hour))), func(d device) bool {
			return d.Seen.After(epoch.Add(100*time.Hour)) && d.Seen.Before(epoch.Add(300*time.Hour))
		}, func(a, b device) int { return cmp.Or(compareTimes(b.Seen, a.Seen), byID(a, b)) }},
		"by level":      {"by-level", store.Filter{}, nil, func(a, b device) int { return cmp.Or(compareLevels(a.Level, b.Level), byID(a, b)) }},
		"without level": {"by-level", store.Eq("level", nil), func(d device) bool { return d.Level == nil }, byID},
		"by tag":        {"by-tag", store.Eq("tags", "u4"), func(d device) bool { return slices.Contains(d.Tags, "u4") }, func(a, b device) int { return cmp.Or(cmp.Compare(a.Count, b.Count), byID(a, b)) }},
		"by tags": {"by-tag", store.In("tags", "t1", "u4"), func(d device) bool { return slices.Contains(d.Tags, "u4") || slices.Contains(d.Tags, "t1") }, func(a, b device) int {
			return cmp.Or(cmp.Compare(btoi(!slices.Contains(a.Tags, "t1")), btoi(!slices.Contains(b.Tags, "t1"))), cmp.Compare(a.Count, b.Count), byID(a, b))
		}},
		"by part":   {"by-part", store.Eq("parts.name", "p7"), func(d device) bool { return d.Parts[0].Name == "p7" }, byID},
		"by serial": {"by-serial", store.Filter{}, func(d device) bool { return d.Serial != "" }, func(a, b device) int { return cmp.Compare(a.Serial, b.Serial) }},
	} {
		t.Run(name, func(t *testing.T) {
			var want []device
			for _, d := range ds {
				if test.match == nil || test.match(d) {
					want = append(want, d)
				}
			}
			slices.SortFunc(want, test.order)
			q := store.Query{Index: test.index, Filter: test.filter, Limit: 3500, Fields: []string{"kind"}}
			same(t, ids(pages(ctx, t, c, q)), ids(want))
			if q.Limit = 83; len(want) < 500 {
				same(t, ids(pages(ctx, t, c, q)), ids(want))
			}
			slices.Reverse(want)
			if strings.HasPrefix(name, "by tags") { // backwards, a document is found under its last value
				slices.SortStableFunc(want, func(a, b device) int {
					return cmp.Or(cmp.Compare(btoi(!slices.Contains(a.Tags, "u4")), btoi(!slices.Contains(b.Tags, "u4"))), cmp.Compare(b.Count, a.Count), byID(b, a))
				})
			}
			q.Reverse, q.Limit = true, 5500
			same(t, ids(pages(ctx, t, c, q)), ids(want))
			if n := must(c.Count(ctx, test.filter, test.index))(t); n != len(want) {
				t.Errorf("count %d, want %d", n, len(want))
			}
		})
	}
	groups := must(c.GroupCount(ctx, store.Filter{}, "by-kind", "kind"))(t)
	if len(groups) != 7 || groups["k0"] != 1429 {
		t.Errorf("groups by kind: %v", groups)
	}
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("at place %d of %d is %s, want %s", i, len(want), got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d documents, want %d", len(got), len(want))
	}
}

// loose reads a value of any class without being declared open, as code does that meets documents of other versions.
type loose string

func (l *loose) UnmarshalBSONValue(typ byte, data []byte) error {
	*l = loose(bson.RawValue{Type: bson.Type(typ), Value: data}.String())
	return nil
}

func testClasses(t *testing.T, db *store.DB) {
	testOrder(t, db, []any{
		nil, -1e18, int64(-1e18) + 1, -2.5, int32(-1), 0, 1e-300, int32(1), 1.5, 2,
		int64(1) << 53, int64(1)<<53 + 1, float64(1<<53 + 2), int64(math.MaxInt64 - 1), int64(math.MaxInt64),
		"", "\x00", "\x00\x00", "\x01", "A", "a", "a\x00", "a\x00b", "aa", "b", "ä", "日本",
		map[string]any{"a": 1}, map[string]any{"a": 2}, false, true, time.UnixMilli(-5).UTC(), time.UnixMilli(0).UTC(), epoch,
	})
}

func testEdgeNumbers(t *testing.T, db *store.DB) {
	testOrder(t, db, []any{
		nil, math.NaN(), math.Inf(-1), -9.3e18, int64(math.MinInt64), -1e18, 0, int64(math.MaxInt64), 9.3e18, math.Inf(1), "text",
	})
}

// testOrder pages through documents that have these values, which are in their order, two of each.
func testOrder(t *testing.T, db *store.DB, values []any) {
	type reader struct {
		ID string `bson:"_id"`
		V  loose  `bson:"v"`
	}
	ctx := t.Context()
	spec := store.Spec{Name: "open", Indexes: []store.Index{{Name: "up", Fields: []string{"v"}}, {Name: "down", Fields: []string{"-v"}}}}
	c := must(store.Open[reader](ctx, db, spec))(t)
	w := must(store.Open[open](ctx, db, store.Spec{Name: "open"}))(t)
	var ds []open
	var want []string
	for i, v := range values {
		for _, tie := range []string{"x", "y"} {
			id := fmt.Sprintf("%02d%s", i, tie)
			want = append(want, id)
			ds = append(ds, open{ID: id, V: v})
		}
	}
	slices.Reverse(ds)
	insertAll(t, w, ds)
	for _, limit := range []int{1, 3, 1000} {
		for _, q := range []store.Query{{Index: "up", Limit: limit}, {Index: "down", Reverse: true, Limit: limit}} {
			var got []string
			for _, d := range pages(ctx, t, c, q) {
				got = append(got, d.ID)
			}
			if q.Index == "down" { // backwards from the last of each value: ties come in the opposite order
				for i := 0; i+1 < len(got); i += 2 {
					got[i], got[i+1] = got[i+1], got[i]
				}
			}
			same(t, got, want)
		}
	}
}

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

func testExplain(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := openDevices(t, db)
	insertAll(t, c, manyDevices(3000))
	for name, test := range map[string]struct {
		q       store.Query
		most    int // documents examined
		bounded bool
	}{
		"by id":        {store.Query{Filter: store.Eq("_id", "d00007")}, 1, true},
		"ids":          {store.Query{Filter: store.In("_id", "d00007", "d00008", "d00009")}, 3, true},
		"all ids":      {store.Query{}, 101, false},
		"kind":         {store.Query{Index: "by-kind", Filter: store.Eq("kind", "k1")}, 101, true},
		"kinds":        {store.Query{Index: "by-kind", Filter: store.In("kind", "k1", "k2"), Reverse: true}, 102, true},
		"kind, count":  {store.Query{Index: "by-kind", Filter: store.And(store.Eq("kind", "k1"), store.Gt("count", 40))}, 50, true},
		"kind, rest":   {store.Query{Index: "by-kind", Filter: store.And(store.Eq("kind", "k1"), store.Eq("name", "n"))}, 430, true},
		"any kind":     {store.Query{Index: "by-kind"}, 101, false},
		"city prefix":  {store.Query{Index: "by-city", Filter: store.Prefix("place.city", "Be")}, 101, true},
		"tag":          {store.Query{Index: "by-tag", Filter: store.Eq("tags", "u1")}, 101, true},
		"tags":         {store.Query{Index: "by-tag", Filter: store.In("tags", "u1", "t1"), Limit: 2000}, 1400, true},
		"part":         {store.Query{Index: "by-part", Filter: store.Eq("parts.name", "p1")}, 101, true},
		"newest":       {store.Query{Index: "by-seen", Limit: 10}, 11, false},
		"no level":     {store.Query{Index: "by-level", Filter: store.Eq("level", nil)}, 101, true},
		"serial":       {store.Query{Index: "by-serial", Filter: store.Eq("serial", "s4")}, 1, true},
		"many serials": {store.Query{Index: "by-serial", Filter: store.Gt("serial", "s4")}, 101, true},
	} {
		t.Run(name, func(t *testing.T) {
			for part := range 3 { // the pages after the first too
				plan := must(c.Explain(ctx, test.q))(t)
				if plan.Index != test.q.Index || plan.Examined > test.most || part == 0 && plan.Bounded != test.bounded {
					t.Errorf("page %d: %+v, want at most %d examined in %q, bounded %t", part, plan, test.most, test.q.Index, test.bounded)
				}
				page := must(c.Find(ctx, test.q))(t)
				if test.q.Cursor = page.Next; page.Next == "" {
					return
				}
			}
		})
	}
}
