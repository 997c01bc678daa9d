package twinhistory

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
)

// maxScanned bounds the records that one answer looks at. One that would take more ends with the last whole step and goes
// on by its cursor. It is a variable for the test of that alone.
var maxScanned = 200_000

// aggregate answers one property in steps, which begin at multiples of the step since 1970. Steps without a reading are left
// out. Text counts, but has no values; true is 1 and false is 0.
func (f *function) aggregate(ctx context.Context, q query) (api.Page[api.Bucket], error) {
	out := api.Page[api.Bucket]{Items: []api.Bucket{}}
	if q.cursor != "" {
		return out, api.Invalid("cursor belongs to another query; keep the other parameters as they were")
	}
	var step *step
	scanned := 0
	full := false
	finish := func() {
		if step != nil && step.count > 0 {
			out.Items = append(out.Items, step.bucket(q))
		}
	}
	err := f.history.Scan(ctx, store.Query{Filter: q.span(), Reverse: q.reverse, Fields: []string{"k", "d"}}, func(r api.Record) error {
		at, err := timeOf(r.ID, len(q.twin))
		if err != nil {
			return err
		}
		if begin := floor(at, q.step); step == nil || !begin.Equal(step.at) {
			finish()
			step = newStep(begin)
		}
		if scanned++; scanned > maxScanned {
			full = true
			return store.Stop
		}
		if len(q.kinds) > 0 && !slices.Contains(q.kinds, r.Kind) {
			return nil
		}
		for _, s := range r.Samples {
			if s.Property == q.property && s.Value != nil {
				step.add(s.Value, q)
			}
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	if !full {
		finish()
		return out, nil
	}
	// The step that was under way is left for the next page, unless it is the whole of this one.
	rest := q
	if q.reverse {
		rest.to = step.at.Add(q.step)
	} else {
		rest.from = step.at
	}
	if !rest.from.After(q.from) && !rest.to.Before(q.to) {
		return out, api.Invalid("more than %d records lie within one step; ask for a shorter step or range", maxScanned)
	}
	out.Next = rest.next("")
	return out, nil
}

// timeOf is the place in time that a record's key says.
func timeOf(key string, n int) (time.Time, error) {
	if len(key) < n+16 {
		return time.Time{}, fmt.Errorf("history has the key %q", key)
	}
	ms, err := strconv.ParseInt(key[n+1:n+16], 10, 64)
	return time.UnixMilli(ms).UTC(), err
}

func floor(t time.Time, step time.Duration) time.Time {
	ms, n := t.UnixMilli(), step.Milliseconds()
	return time.UnixMilli(ms - ms%n).UTC()
}

// A step sums up the readings of one step.
type step struct {
	at             time.Time
	count, numbers int
	min, max, sum  float64
	last           float64
	values         []float64 // for percentiles
}

func newStep(at time.Time) *step { return &step{at: at, min: math.Inf(1), max: math.Inf(-1)} }

func (s *step) add(value any, q query) {
	s.count++
	var v float64
	switch x := value.(type) {
	case float64:
		v = x
	case bool:
		if x {
			v = 1
		}
	default:
		return
	}
	if s.numbers == 0 || !q.reverse { // newest first: the first one met is the last one there was
		s.last = v
	}
	s.numbers++
	s.min, s.max, s.sum = min(s.min, v), max(s.max, v), s.sum+v
	if slices.ContainsFunc(q.aggs, func(a aggregate) bool { return !math.IsNaN(a.percent) }) {
		s.values = append(s.values, v)
	}
}

func (s *step) bucket(q query) api.Bucket {
	b := api.Bucket{At: s.at, Count: s.count, Values: map[string]float64{}}
	slices.Sort(s.values)
	for _, a := range q.aggs {
		switch {
		case a.name == "count":
			b.Values[a.name] = float64(s.count)
		case s.numbers > 0:
			if v := s.value(a); !math.IsInf(v, 0) && !math.IsNaN(v) { // a sum over what floats hold is no number
				b.Values[a.name] = v
			}
		}
	}
	return b
}

func (s *step) value(a aggregate) float64 {
	switch a.name {
	case "min":
		return s.min
	case "max":
		return s.max
	case "avg":
		return s.sum / float64(s.numbers)
	case "last":
		return s.last
	case "sum":
		return s.sum
	}
	return percentile(s.values, a.percent)
}

// percentile interpolates between the two nearest of the sorted values, as spreadsheets do.
func percentile(sorted []float64, percent float64) float64 {
	at := percent / 100 * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
