package twiningest

import (
	"context"
	"slices"

	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// maxKnown bounds the cache, maxRules the rules of one target.
const (
	maxKnown = 100_000
	maxRules = 500
)

// An entry is what is known of one twin, type or aggregate as far as others depend on it. It is never changed.
type entry struct {
	model *twin.Model // of types
	props model
	rules []*monitor.Rule // that watch it, not the disabled ones
}

// openCache makes the cache of what every batch needs and people seldom change: the types' models and the rules.
func openCache(ctx context.Context, p *platform.Platform, twins *store.Collection[twin.Twin]) (*platform.Cache[twin.ID, entry], error) {
	rules, err := platform.OpenRules(ctx, p.DB)
	if err != nil {
		return nil, err
	}
	c := platform.NewCache(p.Time, maxKnown, func(ctx context.Context, ids []twin.ID) (map[twin.ID]entry, error) {
		out := make(map[twin.ID]entry, len(ids))
		for some := range slices.Chunk(ids, 500) {
			if err := load(ctx, twins, rules, some, out); err != nil {
				return nil, err
			}
		}
		return out, nil
	})
	_, err = p.Bus.Watch([]event.Topic{event.RuleChanged, event.TwinChanged, event.TwinDeleted}, func(e event.Event) {
		if e.Topic == event.RuleChanged {
			c.Clear()
		} else { // most events of topic twin.changed are about twins nothing is known of here
			c.Forget(twin.ID(e.Subject), func(x entry) bool { return x.model != nil })
		}
	}, c.Clear)
	return c, err
}

// load reads what there is of ids in two queries for all of them.
func load(ctx context.Context, twins *store.Collection[twin.Twin], rules *store.Collection[monitor.Rule], ids []twin.ID, out map[twin.ID]entry) error {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	err := twins.Scan(ctx, store.Query{Filter: store.And(store.In("_id", names...), store.Eq("kind", twin.Type)), Fields: []string{"definition.model"}},
		func(t twin.Twin) error {
			x := out[t.ID]
			if x.model = t.Definition.Model; x.model == nil {
				x.model = &twin.Model{}
			}
			x.props = make(model, len(x.model.Properties))
			for i := range x.model.Properties {
				e := expect(&x.model.Properties[i])
				x.props[x.model.Properties[i].Name] = &e
			}
			out[t.ID] = x
			return nil
		})
	if err != nil {
		return err
	}
	return rules.Scan(ctx, store.Query{Index: "by-target", Filter: store.In("target", names...)}, func(r monitor.Rule) error {
		if x := out[r.Target]; !r.Disabled && len(x.rules) < maxRules {
			x.rules = append(x.rules, &r)
			out[r.Target] = x
		}
		return nil
	})
}
