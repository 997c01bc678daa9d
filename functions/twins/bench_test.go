package twins_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// BenchmarkList is one page of 200 rows for a maintainer, among 100,000 twins with 20 readings each. Each iteration is the next
// page of the list.
func BenchmarkList(b *testing.B) {
	w := newWorld(b)
	fill(b, w, 100_000)
	for name, q := range map[string]api.TwinQuery{
		"by-id":                     {},
		"by-id-type":                {Type: "type-1"},
		"by-id-phase":               {Phase: twin.Suspended},
		"by-id-tag":                 {Tag: "tag-1"},
		"by-id-tag-type":            {Tag: "tag-1", Type: "type-1"},
		"by-id-offline":             {Kind: twin.Instance, Online: "false"},
		"by-last-seen":              {Sort: "-lastSeen"},
		"by-last-seen-type":         {Sort: "-lastSeen", Type: "type-1"},
		"by-last-seen-phase":        {Sort: "-lastSeen", Phase: twin.Suspended},
		"by-last-seen-tag":          {Sort: "lastSeen", Tag: "tag-1"},
		"by-name":                   {Sort: "name", Kind: twin.Instance},
		"by-name-search":            {Sort: "name", Search: "pump 12"},
		"by-id-search":              {Search: "hall 1"},
		"by-id-search-one":          {Search: "pump 012345"},
		"by-last-seen-search-broad": {Sort: "-lastSeen", Search: "p"},
	} {
		b.Run(name, func(b *testing.B) {
			q := q
			q.Limit, q.View = 200, "row"
			n, slowest := 0, time.Duration(0)
			for b.Loop() {
				begin := time.Now()
				page, err := w.admin.ListTwins(ctx, q)
				must(b, err)
				slowest = max(slowest, time.Since(begin))
				n += len(page.Items)
				q.Cursor = page.Next
			}
			b.ReportMetric(float64(n)/float64(b.N), "rows/page")
			b.ReportMetric(float64(slowest.Milliseconds()), "max-ms")
		})
	}
	for name, q := range map[string]api.TwinQuery{"all": {}, "type": {Type: "type-1"}, "instances": {Kind: twin.Instance}} {
		b.Run("count-"+name, func(b *testing.B) {
			for b.Loop() {
				_, err := w.admin.CountTwins(ctx, q)
				must(b, err)
			}
		})
	}
}

// fill makes n instances of ten types, as they are after a while, and has the sweep make the catalog.
func fill(b *testing.B, w *world, n int) {
	b.Helper()
	for i := range 10 {
		w.make(fmt.Sprintf("type-%d", i))
	}
	now := w.Now()
	var all []twin.Twin
	for i := range n {
		t := twin.Twin{ID: twin.ID(fmt.Sprintf("pump-%06d", i)), Kind: twin.Instance, Created: now.Add(-time.Duration(i*7919%n) * time.Second)}
		t.Definition = twin.Definition{Version: 3, Name: fmt.Sprintf("Pump %06d", i*7919%n), Type: twin.ID(fmt.Sprintf("type-%d", i%10)), Owner: "plant", Phase: twin.Operational,
			Tags: []string{fmt.Sprintf("tag-%d", i%50)}, Location: &twin.Location{Region: "eu-west", Site: fmt.Sprintf("Hall %d, line %d", i%40, i%7)}}
		if i%20 == 0 {
			t.Definition.Phase = twin.Suspended
		}
		t.Live.Presence = twin.Presence{Connected: i%3 > 0, Session: "s", LastSeen: now.Add(-time.Duration(i*104729%n) * time.Second)}
		for k := range 20 {
			t.Live.Reported = append(t.Live.Reported, twin.Reading{Property: fmt.Sprintf("property.%02d", k), Value: float64(i + k), At: now})
		}
		for k := range 5 {
			t.Live.Rules = append(t.Live.Rules, twin.RuleState{Rule: fmt.Sprintf("rule-%d", k), Version: 1})
		}
		all = append(all, t)
	}
	for part := range slices.Chunk(all, 1000) {
		errs, err := w.twins.InsertMany(ctx, part)
		must(b, err)
		must(b, errs[0])
	}
	begin := time.Now()
	for count := 0; count < n; {
		must(b, w.Part("twin-watchdog", "").Call(ctx, "POST", "twins", "/sweep", struct{}{}, nil))
		c, err := store.Open[struct {
			ID string `bson:"_id"`
		}](ctx, w.Base.DB, store.Spec{Name: "twin-catalog"})
		must(b, err)
		count, err = c.Count(ctx, store.Filter{}, "")
		must(b, err)
	}
	b.Logf("the catalog of %d twins took %s", n, time.Since(begin).Round(time.Millisecond))
}
