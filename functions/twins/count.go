package twins

import (
	"context"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// count counts what the caller may see. For those who see everything the indexes count.
func (f *function) count(ctx context.Context, c *faas.Call, _ faas.None) (api.TwinCounts, error) {
	out := api.TwinCounts{Phases: map[twin.Phase]int{}}
	scope, err := f.p.Visible(ctx, c.Caller)
	if err != nil {
		return out, err
	}
	if scope.All {
		return f.countAll(ctx)
	}
	walk, err := f.walk(ctx, scope, query{}, "", 1000)
	if err != nil {
		return out, err
	}
	for {
		t, err := walk.next(ctx)
		if t == nil || err != nil {
			return out, err
		}
		if !t.Deleted.IsZero() || !scope.Allows(access.Twin(t)) {
			continue
		}
		switch t.Kind {
		case twin.Type:
			out.Types++
		case twin.Aggregate:
			out.Aggregates++
		case twin.Instance:
			out.Instances++
			out.Phases[t.Definition.Phase]++
			if t.Live.Presence.Online() {
				out.Online++
			}
		}
	}
}

// online is twin.Presence.Online as a filter.
var online = store.And(store.Ne("live.presence.offline", true), store.Or(store.Eq("live.presence.connected", true),
	store.And(store.Eq("live.presence.session", nil), store.Exists("live.presence.lastSeen", true))))

func (f *function) countAll(ctx context.Context) (api.TwinCounts, error) {
	out := api.TwinCounts{Phases: map[twin.Phase]int{}}
	kinds, err := f.twins.GroupCount(ctx, store.Filter{}, "by-kind", "kind")
	if err != nil {
		return out, err
	}
	out.Instances, out.Types, out.Aggregates = kinds[string(twin.Instance)], kinds[string(twin.Type)], kinds[string(twin.Aggregate)]
	instances := store.Eq("kind", twin.Instance)
	phases, err := f.twins.GroupCount(ctx, instances, "by-kind", "definition.phase")
	if err != nil {
		return out, err
	}
	for p, n := range phases {
		out.Phases[twin.Phase(p)] = n
	}
	out.Online, err = f.twins.Count(ctx, store.And(instances, online), "by-kind")
	return out, err
}
