package twinhistory_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	twinhistory "github.com/castor-iot/castor/functions/twin-history"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

var (
	ctx  = context.Background()
	noon = time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)
)

type world struct {
	*functiontest.World
	t     testing.TB
	admin *api.Client
	next  int64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{World: functiontest.New(t, functiontest.Functions{"twin-history": twinhistory.New}), t: t}
	w.admin = w.Admin()
	twins, err := platform.OpenTwins(ctx, w.Base.DB)
	must(t, err)
	for _, id := range []twin.ID{"p", "p-1", "p-10"} { // ids that begin like each other
		must(t, twins.Insert(ctx, twin.Twin{ID: id, Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "plant"}}))
	}
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// keep keeps records of p-1 as function twin-ingest does.
func (w *world) keep(records ...api.Record) {
	w.t.Helper()
	history, err := platform.OpenHistory(ctx, w.Base.DB)
	must(w.t, err)
	for i := range records {
		r := &records[i]
		if r.Twin == "" {
			r.Twin = "p-1"
		}
		if r.Kind == "" {
			r.Kind = telemetry.Telemetry
		}
		w.next++
		place := r.At
		if r.Flag == twin.ClockAhead {
			place = r.Received
		}
		r.ID = fmt.Sprintf("%s|%016x|%016x", api.RecordKey(r.Twin, place), 1, w.next)
	}
	_, err = history.InsertMany(ctx, records)
	must(w.t, err)
}

func reading(s int, property string, v any) api.Record {
	at := noon.Add(time.Duration(s) * time.Second)
	return api.Record{At: at, Received: at, Samples: []telemetry.Sample{{Property: property, Value: v}}}
}

func TestRawRecords(t *testing.T) {
	w := newWorld(t)
	for i := range 50 {
		w.keep(reading(i, "rpm", float64(i)))
	}
	w.keep(reading(10, "on", true), reading(11, "mode", "eco"), reading(12, "rpm", nil),
		api.Record{At: noon, Received: noon, Kind: telemetry.Log, Samples: []telemetry.Sample{{Property: "text", Value: "hello"}}},
		api.Record{At: noon.AddDate(73, 0, 0), Received: noon.Add(20 * time.Second), Flag: twin.ClockAhead, Samples: []telemetry.Sample{{Property: "rpm", Value: 20.5}}})
	w.keep(api.Record{Twin: "p", At: noon, Samples: []telemetry.Sample{{Property: "rpm", Value: -1.0}}}, api.Record{Twin: "p-10", At: noon, Samples: []telemetry.Sample{{Property: "rpm", Value: -1.0}}})
	q := func(change func(*api.HistoryQuery)) api.HistoryQuery {
		q := api.HistoryQuery{Twin: "p-1", From: noon, To: noon.Add(time.Minute)}
		change(&q)
		return q
	}
	for name, c := range map[string]struct {
		q    api.HistoryQuery
		want int
	}{
		"everything measured": {q(func(*api.HistoryQuery) {}), 54},
		"one property":        {q(func(q *api.HistoryQuery) { q.Property = "rpm" }), 52},
		"text":                {q(func(q *api.HistoryQuery) { q.Property = "mode" }), 1},
		"all kinds":           {q(func(q *api.HistoryQuery) { q.Kind = "all" }), 55},
		"logs":                {q(func(q *api.HistoryQuery) { q.Kind = "log" }), 1},
		"from is included, to is not": {q(func(q *api.HistoryQuery) {
			q.From, q.To, q.Property = noon.Add(5*time.Second), noon.Add(8*time.Second), "rpm"
		}), 3},
		"a flagged reading lies where it arrived": {q(func(q *api.HistoryQuery) { q.From, q.To = noon.Add(20*time.Second), noon.Add(21*time.Second) }), 2},
		"nothing":                             {q(func(q *api.HistoryQuery) { q.Property = "none" }), 0},
		"an hour back from the end by itself": {api.HistoryQuery{Twin: "p-1", To: noon.Add(time.Second)}, 1},
	} {
		for _, limit := range []int{0, 1, 7} {
			for _, reverse := range []bool{false, true} {
				c.q.Limit, c.q.Reverse, c.q.Cursor = limit, reverse, ""
				var got []api.Record
				for {
					page, err := w.admin.History(ctx, c.q)
					must(t, err)
					got = append(got, page.Items...)
					if c.q.Cursor = page.Next; page.Next == "" {
						break
					}
				}
				if len(got) != c.want {
					t.Errorf("%s, limit %d, reverse %t: %d records, want %d", name, limit, reverse, len(got), c.want)
				}
				for _, r := range got {
					if r.Twin != "p-1" || c.q.Property != "" && (len(r.Samples) != 1 || r.Samples[0].Property != c.q.Property) {
						t.Errorf("%s: %+v", name, r)
					}
				}
				if c.want > 1 && limit != 0 && !sort.SliceIsSorted(got, func(i, j int) bool {
					return got[i].Received.Before(got[j].Received) != reverse && !got[i].Received.Equal(got[j].Received)
				}) {
					t.Errorf("%s, limit %d, reverse %t: out of order", name, limit, reverse)
				}
			}
		}
	}
}

func TestAggregates(t *testing.T) {
	w := newWorld(t)
	values := map[int][]float64{0: {4, 1, 3, 2}, 60: {10}, 180: {-5, 5}}
	for s, vs := range values {
		for i, v := range vs {
			w.keep(reading(s+i, "temp", v))
		}
	}
	w.keep(reading(61, "temp", "broken"), reading(200, "mode", "eco"), reading(201, "on", true), reading(202, "on", false), reading(62, "temp", nil))
	q := api.HistoryQuery{Twin: "p-1", Property: "temp", From: noon, To: noon.Add(time.Hour), Step: time.Minute, Agg: "min,max,avg,last,count,sum,p50,p90,p0,p100"}
	page, err := w.admin.Aggregate(ctx, q)
	must(t, err)
	want := []struct {
		s, count                                     int
		min, max, avg, last, sum, p50, p90, p0, p100 float64
	}{{0, 4, 1, 4, 2.5, 2, 10, 2.5, 3.7, 1, 4}, {60, 2, 10, 10, 10, 10, 10, 10, 10, 10, 10}, {180, 2, -5, 5, 0, 5, 0, 0, 4, -5, 5}}
	if len(page.Items) != len(want) {
		t.Fatalf("%d steps, want %d: %+v", len(page.Items), len(want), page.Items)
	}
	for i, x := range want {
		b := page.Items[i]
		if !b.At.Equal(noon.Add(time.Duration(x.s)*time.Second)) || b.Count != x.count || b.Values["count"] != float64(x.count) {
			t.Errorf("step %d is %+v", i, b)
		}
		for name, v := range map[string]float64{"min": x.min, "max": x.max, "avg": x.avg, "last": x.last, "sum": x.sum, "p50": x.p50, "p90": x.p90, "p0": x.p0, "p100": x.p100} {
			if math.Abs(b.Values[name]-v) > 1e-9 {
				t.Errorf("step %d: %s is %g, want %g", i, name, b.Values[name], v)
			}
		}
	}
	q.Reverse = true
	back, err := w.admin.Aggregate(ctx, q)
	must(t, err)
	slices.Reverse(back.Items)
	for i := range want {
		if back.Items[i].Values["last"] != want[i].last || back.Items[i].Count != want[i].count {
			t.Errorf("newest first, step %d is %+v", i, back.Items[i])
		}
	}
	for property, want := range map[string]map[string]float64{"on": {"avg": 0.5}, "mode": {}, "none": nil} {
		page, err := w.admin.Aggregate(ctx, api.HistoryQuery{Twin: "p-1", Property: property, From: noon, To: noon.Add(time.Hour), Step: time.Hour})
		must(t, err)
		if want == nil {
			if len(page.Items) != 0 {
				t.Errorf("%s: %+v", property, page.Items)
			}
		} else if len(page.Items) != 1 || fmt.Sprint(page.Items[0].Values) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, want %v", property, page.Items, want)
		}
	}
}

// An answer that would take too much work ends with a whole step and goes on by its cursor: together the pages say the same.
func TestAggregatesOfManyRecordsComeInPages(t *testing.T) {
	w := newWorld(t)
	for i := range 100 {
		w.keep(reading(7*i, "temp", float64(i)))
	}
	for _, reverse := range []bool{false, true} {
		q := api.HistoryQuery{Twin: "p-1", Property: "temp", From: noon, To: noon.Add(time.Hour), Step: time.Minute, Agg: "sum,last", Reverse: reverse}
		whole, err := w.admin.Aggregate(ctx, q)
		must(t, err)
		reset := twinhistory.SetMaxScanned(25)
		var got []api.Bucket
		pages := 0
		for ; pages == 0 || q.Cursor != ""; pages++ {
			page, err := w.admin.Aggregate(ctx, q)
			must(t, err)
			got, q.Cursor = append(got, page.Items...), page.Next
		}
		if pages < 4 || fmt.Sprint(got) != fmt.Sprint(whole.Items) {
			t.Errorf("reverse %t: %d pages\n%v, want\n%v", reverse, pages, got, whole.Items)
		}
		q.Step = time.Hour
		if _, err := w.admin.Aggregate(ctx, q); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), "shorter step") {
			t.Errorf("too many records in one step: %v, want the remedy", err)
		}
		reset()
	}
}

func TestCSV(t *testing.T) {
	w := newWorld(t)
	w.keep(reading(0, "rpm", 1.5), reading(1, "note", "a \"b\", c\nd"), reading(2, "on", true), reading(3, "rpm", 1e21),
		api.Record{At: noon.Add(4 * time.Second), Received: noon, Flag: twin.OutOfRange, Samples: []telemetry.Sample{{Property: "a", Value: 1.0}, {Property: "b", Value: nil}}})
	read := func(q api.HistoryQuery) [][]string {
		b, err := w.admin.HistoryCSV(ctx, q)
		must(t, err)
		rows, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
		must(t, err)
		return rows
	}
	q := api.HistoryQuery{Twin: "p-1", From: noon, To: noon.Add(time.Hour)}
	rows := read(q)
	if len(rows) != 7 || rows[0][0] != "time" || rows[1][0] != "2026-03-21T12:00:00.000Z" || rows[1][7] != "1.5" || rows[2][7] != "a \"b\", c\nd" ||
		rows[3][7] != "true" || rows[4][7] != "1e+21" || rows[5][5] != string(twin.OutOfRange) || rows[6][7] != "" {
		t.Errorf("rows are %q", rows)
	}
	q.Limit = 2 // pages come as one
	if got := read(q); fmt.Sprint(got) != fmt.Sprint(rows) {
		t.Errorf("by pages:\n%q\n%q", got, rows)
	}
	q.Property, q.Step, q.Agg = "rpm", time.Hour, "min,count"
	if got := read(q); fmt.Sprint(got) != "[[time readings min count] [2026-03-21T12:00:00.000Z 2 1.5 2]]" {
		t.Errorf("steps are %q", got)
	}
}

func TestWhatCannotBeAsked(t *testing.T) {
	w := newWorld(t)
	w.keep(reading(0, "rpm", 1.0), reading(1, "rpm", 1.0))
	base := api.HistoryQuery{Twin: "p-1", From: noon, To: noon.Add(time.Hour), Limit: 1}
	page, err := w.admin.History(ctx, base)
	must(t, err)
	for name, query := range map[string]string{
		"a step without a property": "step=1m", "a step of nothing": "property=a&step=0s", "a negative step": "property=a&step=-1m", "a step of a word": "property=a&step=soon",
		"too many steps":            "property=a&step=1s&from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z",
		"ages by milliseconds":      "property=a&step=1ms&from=0001-01-01T00:00:00Z&to=9999-01-01T00:00:00Z",
		"an aggregate there is not": "property=a&step=1m&agg=mode", "a percentile over 100": "property=a&step=1m&agg=p101", "too many": "property=a&step=1m&agg=" + strings.Repeat("p1,p2,p3,p4,p5,p6,p7,p8,p9,p10,p11,p12,p13,p14,p15,p16,p17,", 3) + "p1",
		"agg alone": "agg=min", "a kind": "kind=gossip", "a time": "from=yesterday", "from after to": "from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z",
		"an order": "order=random", "a format": "format=xml", "a limit": "limit=0", "a large limit": "limit=10001", "a limit of text": "limit=1e3",
		"a long property": "property=" + strings.Repeat("a", 129), "a property of bytes": "property=%ff%00", "a bad cursor": "cursor=AAAA", "a cursor of bytes": "cursor=%00%ff",
		"a cursor of another query": "property=rpm&cursor=" + page.Next, "a record's cursor for steps": "property=rpm&step=1m&cursor=" + page.Next,
		"a query that is none": "a=%zz",
	} {
		err := w.admin.Call(ctx, "GET", "twin-history", "/twins/p-1?"+query, nil, nil)
		if !errors.Is(err, twin.ErrInvalid) || len(err.Error()) < 20 {
			t.Errorf("%s: %v, want invalid and why", name, err)
		}
	}
	if _, err := w.admin.History(ctx, api.HistoryQuery{Twin: "p-1", From: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}); err != nil {
		t.Errorf("all of time: %v", err)
	}
}

func TestWhoMaySeeIt(t *testing.T) {
	w := newWorld(t)
	ada, eve := w.User("ada", []access.Role{access.Viewer}, "plant"), w.User("eve", []access.Role{access.Owner}, "shop")
	q := api.HistoryQuery{Twin: "p-1", From: noon}
	if _, err := ada.History(ctx, q); err != nil {
		t.Errorf("a member of the group: %v", err)
	}
	_, hidden := eve.History(ctx, q)
	q.Twin = "p-2"
	_, none := eve.History(ctx, q)
	if !errors.Is(hidden, api.ErrNotFound) || strings.ReplaceAll(hidden.Error(), "p-1", "p-2") != none.Error() {
		t.Errorf("a stranger: %v; of what is not there: %v", hidden, none)
	}
	if _, err := w.Nobody().History(ctx, q); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("nobody: %v", err)
	}
}
