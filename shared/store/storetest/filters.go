package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/store"
)

// open is a document without a fixed form.
type open struct {
	ID string `bson:"_id"`
	V  any    `bson:"v,omitempty"`
	D  any    `bson:"d,omitempty"`
}

func testFilters(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := must(store.Open[open](ctx, db, store.Spec{Name: "open", Indexes: []store.Index{{Name: "by-v", Fields: []string{"v"}}}}))(t)
	type m = map[string]any
	type a = []any
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	insertAll(t, c, []open{
		{ID: "missing"},
		{ID: "null", V: (*int)(nil), D: m{"x": nil}},
		{ID: "int", V: int32(5), D: m{"x": 5}},
		{ID: "long", V: int64(5)},
		{ID: "float", V: 5.0},
		{ID: "half", V: 5.5, D: m{"x": a{1, 9}}},
		{ID: "big", V: int64(1)<<53 + 1},
		{ID: "text", V: "five", D: m{"x": "fine"}},
		{ID: "digit", V: "5", D: 7},
		{ID: "empty", V: "", D: m{}},
		{ID: "true", V: true},
		{ID: "false", V: false},
		{ID: "noon", V: noon},
		{ID: "list", V: a{1, 5, "five"}, D: a{m{"x": 5}, m{"x": 6}}},
		{ID: "none", V: a{}, D: a{}},
		{ID: "nested", V: a{a{5}}},
		{ID: "gap", V: a{nil, 7}, D: a{m{"x": 1}, m{"y": 5}}},
		{ID: "doc", V: m{"x": 5}, D: m{"x": m{"y": 5}}},
		{ID: "bytes", V: []byte("five"), D: m{"0": "key"}},
	})
	for name, test := range map[string]struct {
		filter store.Filter
		want   string
	}{
		"everything":                      {store.Filter{}, "[big bytes digit doc empty false float gap half int list long missing nested none noon null text true]"},
		"numbers by value, lists by item": {store.Eq("v", 5), "[float int list long]"},
		"a float equals an int":           {store.Eq("v", 5.0), "[float int list long]"},
		"large numbers are exact":         {store.Eq("v", float64(int64(1)<<53)), "[]"},
		"large numbers are ordered":       {store.Gt("v", float64(int64(1)<<53)), "[big]"},
		"text":                            {store.Eq("v", "five"), "[list text]"},
		"null or missing":                 {store.Eq("v", nil), "[gap missing null]"},
		"true":                            {store.Eq("v", true), "[true]"},
		"time":                            {store.Eq("v", noon), "[noon]"},
		"bytes":                           {store.Eq("v", []byte("five")), "[bytes]"},
		"not equal":                       {store.Ne("v", 5), "[big bytes digit doc empty false gap half missing nested none noon null text true]"},
		"not null":                        {store.Ne("v", nil), "[big bytes digit doc empty false float half int list long nested none noon text true]"},
		"greater, of the same class":      {store.Gt("v", 5), "[big gap half]"},
		"greater or equal":                {store.Gte("v", 5), "[big float gap half int list long]"},
		"less":                            {store.Lt("v", 5.5), "[float int list long]"},
		"less or equal text":              {store.Lte("v", "5"), "[digit empty]"},
		"text greater than":               {store.Gt("v", ""), "[digit list text]"},
		"false is less than true":         {store.Lt("v", true), "[false]"},
		"times":                           {store.Gt("v", noon.Add(-time.Second)), "[noon]"},
		"a list may meet two conditions by two items": {store.And(store.Lt("v", 2), store.Gt("v", 4)), "[list]"},
		"in":                          {store.In("v", any("five"), true, 5.5), "[half list text true]"},
		"in with null":                {store.In("v", any(nil), "5"), "[digit gap missing null]"},
		"in nothing":                  {store.In[string]("v"), "[]"},
		"not in":                      {store.Not(store.In("v", any(nil), 5, true, false)), "[big bytes digit doc empty half nested none noon text]"},
		"exists":                      {store.Exists("v", true), "[big bytes digit doc empty false float gap half int list long nested none noon null text true]"},
		"does not exist":              {store.Exists("v", false), "[missing]"},
		"prefix":                      {store.Prefix("v", "fi"), "[list text]"},
		"every text":                  {store.Prefix("v", ""), "[digit empty list text]"},
		"a prefix is no pattern":      {store.Prefix("v", "."), "[]"},
		"or":                          {store.Or(store.Eq("v", "5"), store.Eq("v", false)), "[digit false]"},
		"or of nothing":               {store.Or(), "[]"},
		"and of nothing":              {store.And(), "[big bytes digit doc empty false float gap half int list long missing nested none noon null text true]"},
		"not and":                     {store.Not(store.And(store.Exists("d", true), store.Exists("v", true))), "[big false float long missing nested noon true]"},
		"inside a document":           {store.Eq("d.x", 5), "[int list]"},
		"inside a list in a document": {store.Eq("d.x", 9), "[half]"},
		"inside, deeper":              {store.Eq("d.x.y", 5), "[doc]"},
		"inside, null or missing":     {store.Eq("d.x", nil), "[big bytes digit empty false float gap long missing nested noon null true]"},
		"inside, exists":              {store.Exists("d.x", true), "[doc gap half int list null text]"},
		"inside, greater":             {store.Gt("d.x", 5), "[half list]"},
		"inside, not equal":           {store.Ne("d.x", 5), "[big bytes digit doc empty false float gap half long missing nested none noon null text true]"},
		"inside, prefix":              {store.Prefix("d.x", "fi"), "[text]"},
		"by number in a list":         {store.Eq("d.1.x", 6), "[list]"},
		"by number as a key":          {store.Eq("d.0", "key"), "[bytes]"},
		"the id":                      {store.In("_id", "int", "nobody"), "[int]"},
		"the id's prefix":             {store.Prefix("_id", "no"), "[none noon]"},
		"the id between":              {store.And(store.Gt("_id", "float"), store.Lte("_id", "int")), "[gap half int]"},
		"the id of another class":     {store.Gt("_id", 5), "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			q := store.Query{Filter: test.filter, Limit: 100}
			var scanned []string
			check(t, c.Scan(ctx, q, func(d open) error { scanned = append(scanned, d.ID); return nil }))
			if got := fmt.Sprint(scanned); got != test.want {
				t.Errorf("scan:\n got %s\nwant %s", got, test.want)
			}
			var found []string
			for _, d := range must(c.Find(ctx, q))(t).Items {
				found = append(found, d.ID)
			}
			if got := fmt.Sprint(found); got != test.want {
				t.Errorf("find:\n got %s\nwant %s", got, test.want)
			}
			if n := must(c.Count(ctx, test.filter, ""))(t); n != len(found) {
				t.Errorf("count %d, want %d", n, len(found))
			}
		})
	}
	// The same through an index, where one value is looked for.
	for name, test := range map[string]struct {
		filter store.Filter
		want   string
	}{
		"five":          {store.Eq("v", 5), "[float int list long]"},
		"null":          {store.Eq("v", nil), "[gap missing null]"},
		"several":       {store.In("v", any("five"), 1, 5, 7), "[list float int long gap text]"},
		"with the rest": {store.And(store.Eq("v", 5), store.Gt("_id", "g")), "[int list long]"},
	} {
		t.Run("by index "+name, func(t *testing.T) {
			var found []string
			for _, d := range pages(ctx, t, c, store.Query{Index: "by-v", Filter: test.filter, Limit: 1}) {
				found = append(found, d.ID)
			}
			if got := fmt.Sprint(found); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if n := must(c.Count(ctx, test.filter, "by-v"))(t); n != len(found) {
				t.Errorf("count %d, want %d", n, len(found))
			}
		})
	}
	groups := must(c.GroupCount(ctx, store.Not(store.In("_id", "list", "none", "nested", "gap", "doc", "bytes")), "", "v"))(t)
	// the empty text counts with null and missing
	if got, want := fmt.Sprint(groups), "map[:3 2026-05-04T12:00:00Z:1 5:4 5.5:1 9007199254740993:1 false:1 five:1 true:1]"; got != want {
		t.Errorf("groups %s, want %s", got, want)
	}
	_, err := c.GroupCount(ctx, store.Filter{}, "", "v")
	wantErr(t, "grouping by lists", err, store.ErrInvalid)
}

func testNestedLists(t *testing.T, db *store.DB) {
	ctx := t.Context()
	c := must(store.Open[open](ctx, db, store.Spec{Name: "open"}))(t)
	check(t, c.Insert(ctx, open{ID: "nested", D: []any{[]any{map[string]any{"x": 5}}}}))
	for path, want := range map[string]int{"d.x": 0, "d.0.x": 1, "d.0.0.x": 1} {
		if n := must(c.Count(ctx, store.Eq(path, 5), ""))(t); n != want {
			t.Errorf("%s is found %d times, want %d", path, n, want)
		}
	}
	if n := must(c.Count(ctx, store.Eq("d.x", nil), ""))(t); n != 0 {
		t.Errorf("d.x is null %d times, want 0", n)
	}
}
