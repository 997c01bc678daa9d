package twins

import (
	"context"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// maxCounted bounds how many twins one count looks at.
const maxCounted = 200_000

// count counts what the caller may see and the query selects. Where that is everything, the indexes count.
func (f *function) count(ctx context.Context, c *faas.Call, _ faas.None) (api.TwinCounts, error) {
	out := api.TwinCounts{Phases: map[twin.Phase]int{}, ByType: map[twin.TypeID]int{}}
	q, err := read(c.Query)
	if err != nil {
		return out, err
	}
	scope, err := f.p.Visible(ctx, c.Caller)
	if err != nil {
		return out, err
	}
	if scope.All {
		return f.counted.of(q, func() (api.TwinCounts, error) {
			if !q.selects() {
				return out, f.countAll(ctx, &out)
			}
			return f.tally(ctx, scope, q, out)
		})
	}
	return f.tally(ctx, scope, q, out)
}

// tally counts twin by twin.
func (f *function) tally(ctx context.Context, scope access.Scope, q query, out api.TwinCounts) (api.TwinCounts, error) {
	walk, err := f.walk(ctx, scope, q, "", 1000)
	if err != nil {
		return out, err
	}
	walk.looks = append(walk.looks, "live.rules.active")
	for range maxCounted {
		t, err := walk.next(ctx)
		if t == nil || err != nil {
			return out, err
		}
		if q.matches(t) && scope.Allows(access.Twin(t)) {
			add(&out, t)
		}
	}
	out.More = true
	return out, nil
}

func add(out *api.TwinCounts, t *twin.Twin) {
	switch t.Kind {
	case twin.Type:
		out.Types++
		return
	case twin.Aggregate:
		out.Aggregates++
		return
	}
	out.Instances++
	out.Phases[t.Definition.Phase]++
	out.ByType[t.Definition.Type]++
	switch p := &t.Live.Presence; {
	case p.Online():
		out.Online++
	case p.LastSeen.IsZero():
		out.NeverSeen++
	default:
		out.Offline++
	}
	if alarmed(t) {
		out.Alarms++
	}
}

// countAll counts all twins. Whether one is online no index knows; all else is counted without looking at a twin.
func (f *function) countAll(ctx context.Context, out *api.TwinCounts) error {
	var err error
	count := func(index string, filter store.Filter) (n int) {
		if err == nil {
			n, err = f.twins.Count(ctx, filter, index)
		}
		return n
	}
	out.Instances = count("by-kind", store.Eq("kind", twin.Instance))
	out.Types = count("by-kind", store.Eq("kind", twin.Type))
	out.Aggregates = count("by-kind", store.Eq("kind", twin.Aggregate))
	for _, p := range []twin.Phase{twin.Onboarding, twin.Provisioning, twin.Operational, twin.Suspended, twin.Retired} {
		if n := count("by-phase", store.Eq("definition.phase", p)); n > 0 {
			out.Phases[p] = n
		}
	}
	if err == nil {
		err = f.twins.Scan(ctx, store.Query{Index: "by-kind", Filter: store.Eq("kind", twin.Type), Fields: []string{"kind"}}, func(t twin.Twin) error {
			if n := count("by-type", store.Eq("definition.type", t.ID)); n > 0 {
				out.ByType[t.ID] = n
			}
			return err
		})
	}
	out.Online = count("by-kind", store.And(store.Eq("kind", twin.Instance), online))
	// Who was never heard and is no device is a type, an aggregate, or what is left of a deleted twin.
	never := count("by-seen", store.Eq("live.presence.lastSeen", nil)) - out.Types - out.Aggregates - count("by-deleted", store.Gt("deleted", time.UnixMilli(0)))
	out.NeverSeen = min(max(never, 0), out.Instances-out.Online)
	out.Offline = out.Instances - out.Online - out.NeverSeen
	if err != nil {
		return err
	}
	ids, _, err := f.alarming(ctx)
	out.Alarms = len(ids)
	return err
}

// counts keeps what was counted, for ten times as long as counting took: however many twins there are, and however many people
// look at their numbers, a tenth of a processor's time goes into them at most. What is counted at once is always fresh.
type counts struct {
	mu  sync.Mutex
	has map[string]counted
}

type counted struct {
	counts api.TwinCounts
	until  time.Time
}

// Bounds of what is kept: counts that took less are not kept at all.
const (
	quick    = 20 * time.Millisecond
	maxKept  = 1000
	keptLong = 30 * time.Second
)

func (c *counts) of(q query, count func() (api.TwinCounts, error)) (api.TwinCounts, error) {
	key, begin := q.sum(), time.Now()
	c.mu.Lock()
	has, ok := c.has[key]
	c.mu.Unlock()
	if ok && begin.Before(has.until) {
		return has.counts, nil
	}
	out, err := count()
	took := time.Since(begin)
	if err != nil || took < quick {
		return out, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.has == nil || len(c.has) >= maxKept {
		c.has = map[string]counted{}
	}
	c.has[key] = counted{out, begin.Add(took + min(10*took, keptLong))}
	return out, nil
}
