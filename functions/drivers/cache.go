package drivers

import (
	"context"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// knownFor is how long types and drivers are believed. Events empty the cache at once; this is for events that get lost.
const knownFor = 5 * time.Second

// maxKnown bounds the cache.
const maxKnown = 10_000

// A cache keeps what /resolve needs of types and drivers, which people seldom change.
type cache struct {
	f   *function
	now func() time.Time

	mu      sync.Mutex
	epoch   int // grows when something is forgotten, so that what is being loaded meanwhile is not kept
	types   map[twin.ID]typeEntry
	drivers map[string]driverEntry
}

// A typeEntry is what a type says of its instances' payloads. The model is nil where there is no such type.
type typeEntry struct {
	at    time.Time
	owner string
	model *twin.Model
	units map[string]string // that its properties are wanted in
}

type driverEntry struct {
	at time.Time
	*known
}

func newCache(p *platform.Platform, f *function) *cache {
	return &cache{f: f, now: p.Time, types: map[twin.ID]typeEntry{}, drivers: map[string]driverEntry{}}
}

// watch has the cache hear of changes.
func (c *cache) watch(p *platform.Platform) error {
	_, err := p.Bus.Watch([]event.Topic{event.DriverChanged, event.TypeChanged, event.TwinDeleted}, c.changed, c.forget)
	return err
}

// changed forgets what an event is about. Most twins that are deleted are no types.
func (c *cache) changed(e event.Event) {
	if e.Topic == event.DriverChanged {
		c.forget()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.types[twin.ID(e.Subject)]; ok {
		delete(c.types, twin.ID(e.Subject))
		c.epoch++
	}
}

func (c *cache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.types)
	clear(c.drivers)
	c.epoch++
}

// typesOf returns what is known of types; what is not, or not recently, is read in one query.
func (c *cache) typesOf(ctx context.Context, ids []string) (map[twin.ID]typeEntry, error) {
	return recall(c, c.types, ids, func(e typeEntry) time.Time { return e.at }, func(now time.Time, missing []string, out map[twin.ID]typeEntry) error {
		page, err := c.f.twins.Find(ctx, store.Query{Filter: store.In("_id", missing...), Limit: len(missing), Partial: true,
			Fields: []string{"kind", "deleted", "definition.model", "definition.owner"}})
		for _, id := range missing {
			out[twin.ID(id)] = typeEntry{at: now}
		}
		for _, t := range page.Items {
			if t.Kind == twin.Type && t.Deleted.IsZero() {
				e := typeEntry{at: now, owner: t.Definition.Owner, model: t.Definition.Model}
				if e.model == nil {
					e.model = &twin.Model{}
				}
				e.units = unitsOf(e.model)
				out[t.ID] = e
			}
		}
		return err
	})
}

// driversOf is typesOf for drivers.
func (c *cache) driversOf(ctx context.Context, names []string) (map[string]driverEntry, error) {
	return recall(c, c.drivers, names, func(e driverEntry) time.Time { return e.at }, func(now time.Time, missing []string, out map[string]driverEntry) error {
		found, err := c.f.drivers.GetMany(ctx, missing)
		for _, name := range missing {
			none := &record{}
			none.Name = name
			out[name] = driverEntry{now, knownOf(none)}
		}
		for i := range found {
			out[found[i].Name] = driverEntry{now, knownOf(&found[i])}
		}
		return err
	})
}

// recall finds what is known and has the rest loaded.
func recall[K ~string, E any](c *cache, has map[K]E, names []string, at func(E) time.Time, load func(time.Time, []string, map[K]E) error) (map[K]E, error) {
	out := make(map[K]E, len(names))
	var missing []string
	now := c.now()
	c.mu.Lock()
	epoch := c.epoch
	for _, name := range names {
		if e, ok := has[K(name)]; ok && now.Sub(at(e)).Abs() < knownFor {
			out[K(name)] = e
		} else {
			missing = append(missing, name)
		}
	}
	c.mu.Unlock()
	if len(missing) == 0 {
		return out, nil
	}
	loaded := make(map[K]E, len(missing))
	if err := load(now, missing, loaded); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch == epoch && len(has)+len(loaded) > maxKnown {
		clear(has)
	}
	for name, e := range loaded {
		out[name] = e
		if c.epoch == epoch {
			has[name] = e
		}
	}
	return out, nil
}
