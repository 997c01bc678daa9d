package twiningest

import (
	"context"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// knownFor is how long types and rules are believed. Events empty the cache at once; this is for events that get lost.
const knownFor = 5 * time.Second

// maxKnown bounds the cache, maxRules the rules of one target.
const (
	maxKnown = 100_000
	maxRules = 500
)

// A cache keeps what every batch needs and people seldom change: the types' models and the rules.
type cache struct {
	twins *store.Collection[twin.Twin]
	rules *store.Collection[monitor.Rule]
	now   func() time.Time

	mu    sync.Mutex
	epoch int // grows when something is forgotten, so that what is being loaded meanwhile is not kept
	has   map[twin.ID]entry
}

// An entry is what is known of one twin, type or aggregate as far as others depend on it. It is never changed.
type entry struct {
	at    time.Time
	model *twin.Model // of types
	props model
	rules []*monitor.Rule // that watch it, not the disabled ones
}

func openCache(ctx context.Context, p *platform.Platform, twins *store.Collection[twin.Twin]) (*cache, error) {
	rules, err := platform.OpenRules(ctx, p.DB)
	if err != nil {
		return nil, err
	}
	c := &cache{twins: twins, rules: rules, now: p.Time, has: map[twin.ID]entry{}}
	_, err = p.Bus.Watch([]event.Topic{event.RuleChanged, event.TwinChanged, event.TwinDeleted}, c.changed, c.forget)
	return c, err
}

// changed forgets what an event is about. Most events of topic twin.changed are about twins nothing is known of here.
func (c *cache) changed(e event.Event) {
	if e.Topic == event.RuleChanged {
		c.forget()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if x, ok := c.has[twin.ID(e.Subject)]; ok && x.model != nil {
		delete(c.has, twin.ID(e.Subject))
		c.epoch++
	}
}

func (c *cache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.has)
	c.epoch++
}

// of returns what is known of ids; what is not, or not recently, is read in two queries for all of them.
func (c *cache) of(ctx context.Context, ids map[twin.ID]bool) (map[twin.ID]entry, error) {
	out := make(map[twin.ID]entry, len(ids))
	var missing []twin.ID
	now := c.now()
	c.mu.Lock()
	epoch := c.epoch
	for id := range ids {
		if x, ok := c.has[id]; ok && now.Sub(x.at) < knownFor {
			out[id] = x
		} else {
			missing = append(missing, id)
		}
	}
	c.mu.Unlock()
	if len(missing) == 0 {
		return out, nil
	}
	for len(missing) > 0 {
		n := min(len(missing), 500)
		if err := c.load(ctx, now, missing[:n], out); err != nil {
			return nil, err
		}
		missing = missing[n:]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch == epoch {
		if len(c.has)+len(out) > maxKnown {
			clear(c.has)
		}
		for id, x := range out {
			c.has[id] = x
		}
	}
	return out, nil
}

func (c *cache) load(ctx context.Context, now time.Time, ids []twin.ID, out map[twin.ID]entry) error {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i], out[id] = string(id), entry{at: now}
	}
	err := c.twins.Scan(ctx, store.Query{Filter: store.And(store.In("_id", names...), store.Eq("kind", twin.Type)), Fields: []string{"definition.model"}},
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
	return c.rules.Scan(ctx, store.Query{Index: "by-target", Filter: store.In("target", names...)}, func(r monitor.Rule) error {
		if x := out[r.Target]; !r.Disabled && len(x.rules) < maxRules {
			x.rules = append(x.rules, &r)
			out[r.Target] = x
		}
		return nil
	})
}
