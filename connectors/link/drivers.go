package link

import (
	"context"
	"maps"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
)

// drivers is the transformer's lookup in the driver registry: how a twin's payloads are read, and its commands written.
type drivers struct {
	*lookup[twin.ID, api.UsedDriver]
	codecs *codecs
}

func newDrivers(l *Link) *drivers {
	return &drivers{
		lookup: newLookup(l, "it cannot be told which drivers count", func(ctx context.Context, ids []twin.ID) (map[twin.ID]api.UsedDriver, error) {
			found, err := l.api.ResolveDrivers(ctx, ids)
			known := make(map[twin.ID]api.UsedDriver, len(found))
			var last map[string]string
			for _, u := range found {
				if maps.Equal(u.Units, last) { // most are of a few types: one map is kept for all
					u.Units = last
				}
				last = u.Units
				known[u.Twin] = u
			}
			return known, err
		}),
		codecs: newCodecs(l),
	}
}

// changed forgets what an event says has changed. Drivers and types change seldom, so it asks for all again.
func (d *drivers) changed(event.Event) { d.unsettle() }

// watchDrivers subscribes to what changes how payloads are read: drivers, the types that name them, and the types of twins.
func (l *Link) watchDrivers() (stop func(), err error) {
	if l.drivers == nil {
		return func() {}, nil
	}
	stop, err = l.config.Bus.Watch([]event.Topic{event.DriverChanged, event.TypeChanged}, l.drivers.changed, l.drivers.clear)
	l.drivers.clear() // nothing told of changes until now
	return stop, err
}

// of tells how payloads of the twin are read; ok is false when done was closed before that was clear. A process without workers for
// drivers reads the wire contract only.
func (d *drivers) of(id twin.ID, done <-chan struct{}) (u api.UsedDriver, ok bool) {
	if d == nil {
		return u, true
	}
	u, _, ok = d.get(id, done)
	return u, ok
}

// call calls a driver. errBroken means that it never can be; other errors may pass.
func (d *drivers) call(ctx context.Context, u *api.UsedDriver, calls []driver.Call) ([]driver.Result, error) {
	codec, err := d.codecs.open(ctx, u)
	if err != nil {
		return nil, err
	}
	if u.Normalised {
		codec = driver.Normalised(codec)
	}
	return codec.Run(ctx, calls)
}

// nameOf is how a version of a driver is called, for people: "acme-th1@1.2.0".
func nameOf(u *api.UsedDriver) string {
	if u.Name == "" || u.Version == "" {
		return u.Name
	}
	return u.Name + "@" + u.Version
}
