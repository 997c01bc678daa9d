package storetest

import (
	"testing"

	"github.com/castor-iot/castor/shared/store"
)

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
