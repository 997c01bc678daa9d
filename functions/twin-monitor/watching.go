package twinmonitor

import (
	"context"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// listWatching lists the rules that watch a twin: its own, those of its type, and those of the aggregates it is a part of. Who
// may read the twin may read them, because they decide about it, even where the type or aggregate itself is not theirs to see.
func (f *function) listWatching(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[api.WatchingRule], error) {
	out := api.Page[api.WatchingRule]{Items: []api.WatchingRule{}}
	t, err := f.p.Twin(ctx, f.twins, c.Caller, access.Read, twin.ID(c.Var("id")))
	if err != nil {
		return out, err
	}
	from := map[twin.ID]string{}
	targets := []twin.ID{t.ID}
	for _, id := range t.Definition.Aggregates {
		from[id] = api.FromAggregate
	}
	if id := t.Definition.Type; id != "" {
		from[id] = api.FromType
		targets = append(targets, id)
	}
	targets, from[t.ID] = append(targets, t.Definition.Aggregates...), api.FromTwin
	for _, id := range targets {
		err := f.rules.Scan(ctx, store.Query{Index: "by-target", Filter: store.Eq("target", id)}, func(r record) error {
			if !r.Deleted {
				out.Items = append(out.Items, api.WatchingRule{Rule: r.Rule, From: from[id]})
			}
			return nil
		})
		if err != nil {
			return out, err
		}
	}
	return out, nil
}
