package twinhistory

import (
	"context"
	"math"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// Bounds of one answer of series.
const (
	defaultPoints = 300
	maxPoints     = 2_000
	maxProperties = 16
)

// steps are those that charts are drawn with: people read times at their multiples.
var steps = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// stepFor is the smallest of the steps that makes at most so many points of a time.
func stepFor(d time.Duration, points int) time.Duration {
	for _, s := range steps {
		if d <= time.Duration(points)*s {
			return s
		}
	}
	day := 24 * time.Hour
	return (d/time.Duration(points)/day + 1) * day
}

// series answers several properties over the same time in one walk, for a chart.
func (f *function) series(ctx context.Context, c *faas.Call, _ faas.None) (api.Series, error) {
	t, err := f.p.Twin(ctx, f.twins, c.Caller, access.Read, twin.ID(c.Var("id")))
	if err != nil {
		return api.Series{}, err
	}
	q, properties, err := readSeries(t.ID, c.Query, f.p.Time())
	if err != nil {
		return api.Series{}, err
	}
	out := api.Series{From: q.from, To: q.to, Step: twin.Duration(q.step), Series: make([]api.PropertySeries, len(properties))}
	at := make(map[string]int, len(properties))
	for i, p := range properties {
		out.Series[i] = api.PropertySeries{Property: p, Points: []api.Point{}}
		at[p] = i
	}
	now := make([]*step, len(properties))
	finish := func(i int) {
		if s := now[i]; s != nil && s.count > 0 {
			out.Series[i].Points = append(out.Series[i].Points, s.point())
		}
		now[i] = nil
	}
	scanned, begin := 0, time.Time{}
	err = f.samples.Scan(ctx, store.Query{Filter: q.span(), Fields: []string{"k", "d"}}, func(r sampled) error {
		when, err := timeOf(r.ID, len(q.twin))
		if err != nil {
			return err
		}
		if b := floor(when, q.step); !b.Equal(begin) {
			for i := range now {
				finish(i)
			}
			if begin = b; scanned >= maxScanned {
				out.Next = b
				return store.Stop
			}
		}
		if scanned++; scanned > 5*maxScanned {
			return api.Invalid("more than %d records lie within one step; ask for a shorter step or range", 5*maxScanned)
		}
		if r.Kind != telemetry.Telemetry && r.Kind != telemetry.State {
			return nil
		}
		r.Samples.Each("p", "v", func(property []byte, stored store.Value) {
			i, ok := at[string(property)]
			if !ok {
				return
			}
			if v := stored.Plain(); v != nil {
				if now[i] == nil {
					now[i] = newStep(begin)
				}
				now[i].add(v, q)
			}
		})
		return nil
	})
	for i := range now {
		finish(i)
	}
	return out, err
}

// sampled is what of a record a chart takes.
type sampled struct {
	ID      string         `bson:"_id"`
	Kind    telemetry.Kind `bson:"k"`
	Samples store.Rows     `bson:"d"`
}

func (s *step) point() api.Point {
	p := api.Point{At: s.at, Count: s.count}
	if s.numbers > 0 {
		avg := s.sum / float64(s.numbers)
		p.Min, p.Max, p.Avg, p.Last = finite(s.min), finite(s.max), finite(avg), finite(s.last)
	}
	return p
}

func readSeries(id twin.ID, v url.Values, now time.Time) (q query, properties []string, err error) {
	q = query{twin: id}
	for _, p := range v["property"] {
		if p == "" || len(p) > telemetry.MaxProperty || !utf8.ValidString(p) {
			return q, nil, api.Invalid("property must be text of 1 to %d bytes", telemetry.MaxProperty)
		}
		if !slices.Contains(properties, p) {
			properties = append(properties, p)
		}
	}
	if len(properties) == 0 || len(properties) > maxProperties {
		return q, nil, api.Invalid("property must name 1 to %d properties, each in a parameter of its own", maxProperties)
	}
	if v.Has("cursor") {
		return q, nil, api.Invalid("cursor: series go on with from, and the same step")
	}
	if err := q.readRange(v, now); err != nil {
		return q, nil, err
	}
	span := q.to.Sub(q.from)
	if s := v.Get("step"); s != "" {
		q.step, err = time.ParseDuration(s)
		if err != nil || q.step < time.Millisecond || q.step%time.Millisecond != 0 || span/q.step > maxPoints {
			return q, nil, api.Invalid("step %.40q must be a duration like 30s that makes at most %d points of the range", s, maxPoints)
		}
		return q, properties, nil
	}
	points := defaultPoints
	if s := v.Get("points"); s != "" {
		if points, err = strconv.Atoi(s); err != nil || points < 2 || points > maxPoints {
			return q, nil, api.Invalid("points %.20q must be a number from 2 to %d", s, maxPoints)
		}
	}
	q.step = stepFor(span, points)
	return q, properties, nil
}

// finite is v where JSON can hold it.
func finite(v float64) *float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return nil
	}
	return &v
}
