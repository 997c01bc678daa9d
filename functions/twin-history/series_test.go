package twinhistory_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	twinhistory "github.com/castor-iot/castor/functions/twin-history"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

func TestSeries(t *testing.T) {
	w := newWorld(t)
	var records []api.Record
	for s := range 120 {
		r := reading(s, "rpm", float64(s))
		r.Samples = append(r.Samples, telemetry.Sample{Property: "on", Value: s%2 == 0})
		records = append(records, r)
	}
	records = append(records, reading(61, "note", "text"))
	w.keep(records...)
	q := api.SeriesQuery{Twin: "p-1", Properties: []string{"rpm", "on", "note", "missing"}, From: noon, To: noon.Add(2 * time.Minute), Points: 2}
	got, err := w.admin.Series(ctx, q)
	must(t, err)
	if got.Step.D() != time.Minute || len(got.Series) != 4 || !got.Next.IsZero() {
		t.Fatalf("the answer is %+v", got)
	}
	rpm, on, note := got.Series[0].Points, got.Series[1].Points, got.Series[2].Points
	if len(rpm) != 2 || rpm[1].Count != 60 || *rpm[1].Min != 60 || *rpm[1].Max != 119 || *rpm[1].Avg != 89.5 || *rpm[1].Last != 119 || !rpm[1].At.Equal(noon.Add(time.Minute)) {
		t.Errorf("rpm is %+v", rpm)
	}
	if len(on) != 2 || *on[0].Avg != 0.5 || len(note) != 1 || note[0].Count != 1 || note[0].Avg != nil || len(got.Series[3].Points) != 0 {
		t.Errorf("on is %+v, note %+v", on, note)
	}
	t.Run("in parts", func(t *testing.T) {
		defer twinhistory.SetMaxScanned(25)()
		q := q
		q.Points, q.Step = 0, 10*time.Second
		n, calls := 0, 0
		for q.From.Before(q.To) {
			part, err := w.admin.Series(ctx, q)
			must(t, err)
			for _, p := range part.Series[0].Points {
				if want := float64(n*10) + 4.5; *p.Avg != want || p.Count != 10 {
					t.Errorf("step %d is %+v, want the mean %g of 10", n, p, want)
				}
				n++
			}
			if calls++; part.Next.IsZero() {
				break
			}
			q.From = part.Next
		}
		if n != 12 || calls < 4 {
			t.Errorf("%d steps in %d answers", n, calls)
		}
	})
	for name, bad := range map[string]api.SeriesQuery{"no property": {}, "an empty one": {Properties: []string{""}}, "one point": {Properties: []string{"a"}, Points: 1},
		"many points": {Properties: []string{"a"}, Points: 2001}, "short steps": {Properties: []string{"a"}, Step: time.Millisecond}} {
		bad.Twin = "p-1"
		if _, err := w.admin.Series(ctx, bad); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	if _, err := w.admin.Series(ctx, api.SeriesQuery{Twin: "gone", Properties: []string{"a"}}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("of no twin: %v", err)
	}
}

// BenchmarkSeries is a chart of three properties of one twin that reports ten, once a second.
func BenchmarkSeries(b *testing.B) {
	w := newWorld(b)
	const day = 86_400
	for s := 0; s < day; s += 1000 {
		var records []api.Record
		for i := s; i < min(s+1000, day); i++ {
			r := reading(i, "p0", float64(i))
			for k := 1; k < 10; k++ {
				r.Samples = append(r.Samples, telemetry.Sample{Property: fmt.Sprintf("p%d", k), Value: float64(i + k)})
			}
			records = append(records, r)
		}
		w.keep(records...)
	}
	for name, hours := range map[string]int{"1h": 1, "24h": 24} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				got, err := w.admin.Series(ctx, api.SeriesQuery{Twin: "p-1", Properties: []string{"p0", "p4", "p9"}, From: noon, To: noon.Add(time.Duration(hours) * time.Hour)})
				must(b, err)
				if n := len(got.Series[2].Points); n < 100 || !got.Next.IsZero() {
					b.Fatalf("%d points, next %s", n, got.Next)
				}
			}
		})
	}
}
