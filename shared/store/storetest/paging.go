package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

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
