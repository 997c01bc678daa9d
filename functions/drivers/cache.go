package drivers

import (
	"context"

	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
)

// maxKnown bounds each half of the cache.
const maxKnown = 10_000

// A cache keeps what /resolve needs of types and drivers, which people seldom change. Of a driver that there is not it has one without versions.
type cache struct {
	types   *platform.Cache[twin.ID, typeEntry]
	drivers *platform.Cache[string, *known]
}

// A typeEntry is what a type says of its instances' payloads. The model is nil where there is no such type.
type typeEntry struct {
	owner string
	model *twin.Model
	units map[string]string // that its properties are wanted in
}

func newCache(p *platform.Platform, f *function) *cache {
	return &cache{platform.NewCache(p.Time, maxKnown, f.readTypes), platform.NewCache(p.Time, maxKnown, f.readDrivers)}
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
	} else {
		c.types.Forget(twin.ID(e.Subject), nil)
	}
}

func (c *cache) forget() {
	c.types.Clear()
	c.drivers.Clear()
}

func (f *function) readTypes(ctx context.Context, ids []twin.ID) (map[twin.ID]typeEntry, error) {
	found, err := f.read500(ctx, ids, "kind", "deleted", "definition.model", "definition.owner")
	out := make(map[twin.ID]typeEntry, len(found))
	for _, t := range found {
		if t.Kind == twin.Type && t.Deleted.IsZero() {
			e := typeEntry{owner: t.Definition.Owner, model: t.Definition.Model}
			if e.model == nil {
				e.model = &twin.Model{}
			}
			e.units = unitsOf(e.model)
			out[t.ID] = e
		}
	}
	return out, err
}

func (f *function) readDrivers(ctx context.Context, names []string) (map[string]*known, error) {
	found, err := f.drivers.GetMany(ctx, names)
	out := make(map[string]*known, len(names))
	for _, name := range names {
		none := &record{}
		none.Name = name
		out[name] = knownOf(none)
	}
	for i := range found {
		out[found[i].Name] = knownOf(&found[i])
	}
	return out, err
}
