package link

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/shelf"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
)

// drivers is the transformer's lookup in the driver registry: how a twin's payloads are read, and its commands written.
type drivers struct {
	*lookup[twin.ID, api.UsedDriver]
	codecs *shelf.Shelf[driver.Codec]
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
		codecs: shelf.New(l.driverCode, l.openDriver),
	}
}

// changed forgets what an event says has changed: how payloads are read of the twins that use the driver, or are of the type. They are
// asked for again with their next messages, so a fleet that one driver does not read costs nothing when it changes.
func (d *drivers) changed(e event.Event) {
	var v api.DriverChanged
	var t api.TwinChanged
	switch {
	case e.Topic == event.DriverChanged && e.Decode(&v) == nil && v.Name != "":
		d.unsettle(func(u api.UsedDriver) bool { return u.Name == v.Name })
	case e.Topic == event.TypeChanged && e.Decode(&t) == nil && t.Twin != "":
		d.unsettle(func(u api.UsedDriver) bool { return u.Type == "" || u.Type == t.Twin }) // "" = the registry is of before it said types
	default:
		d.unsettle(func(api.UsedDriver) bool { return true })
	}
}

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
	codec, err := d.codecs.Get(ctx, driver.Driver{Name: u.Name, Version: u.Version, Kind: u.Kind, Limit: u.Limit.D(), Port: u.Port}, u.Digest)
	if err != nil {
		return nil, err
	}
	if u.Normalised {
		codec = driver.Normalised(codec)
	}
	return codec.Run(ctx, calls)
}

// driverCode fetches a driver's code.
func (l *Link) driverCode(ctx context.Context, digest string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, l.limits.Timeout)
	defer cancel()
	code, err := l.api.DriverCode(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("code %s: %w", digest, err)
	}
	if sum := sha256.Sum256(code); hex.EncodeToString(sum[:]) != digest {
		return nil, fmt.Errorf("code %s: what came is not what its digest names", digest)
	}
	return code, nil
}

// errBroken is wrapped by errors about code that can never be called.
var errBroken = errors.New("the driver's code cannot be used")

func (l *Link) openDriver(_ context.Context, d *driver.Driver) (driver.Codec, error) {
	codec, err := l.config.Drivers.Open(d)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	return codec, nil
}

// nameOf is how a version of a driver is called, for people: "acme-th1@1.2.0".
func nameOf(u *api.UsedDriver) string {
	if u.Name == "" || u.Version == "" {
		return u.Name
	}
	return u.Name + "@" + u.Version
}
