package identities

import (
	"context"
	"errors"
	"fmt"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

func (i *identities) create(ctx context.Context, _ *faas.Call, in device.Identity) (faas.Reply, error) {
	if err := in.Normalise(); err != nil {
		return faas.Reply{}, err
	}
	in.Created = i.p.Time()
	err := i.known.Insert(ctx, in)
	if errors.Is(err, store.ErrExists) {
		clashes, err := i.clashes(ctx, []device.Identity{in})
		if err != nil {
			return faas.Reply{}, err
		}
		if reason := clashes.with(in); reason != "" {
			return faas.Reply{}, fmt.Errorf("%w: %s", api.ErrExists, reason)
		}
		return faas.Reply{}, fmt.Errorf("%w: this very identity", api.ErrExists)
	}
	if err != nil {
		return faas.Reply{}, err
	}
	return faas.Created("/identities/"+string(in.ID), in), nil
}

func (i *identities) get(ctx context.Context, c *faas.Call, _ faas.None) (device.Identity, error) {
	id := twin.ID(c.Var("id"))
	missing := platform.NotFound("identity", string(id))
	if id.Valid() != nil {
		return device.Identity{}, missing
	}
	v, err := i.known.Get(ctx, string(id))
	if errors.Is(err, store.ErrNotFound) {
		return device.Identity{}, missing
	}
	if err != nil || seesAll(c.Caller) {
		return v, err
	}
	// Whose a device is only its twin knows: before there is one, it is the configurators' alone.
	if _, err := i.p.Twin(ctx, i.twins, c.Caller, access.Read, id); errors.Is(err, api.ErrNotFound) {
		return device.Identity{}, missing
	} else if err != nil {
		return device.Identity{}, err
	}
	return v, nil
}

// remove refuses while there is a twin: the identity is what tells it from another device.
func (i *identities) remove(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	id := twin.ID(c.Var("id"))
	missing := platform.NotFound("identity", string(id))
	if id.Valid() != nil {
		return faas.None{}, missing
	}
	if _, err := i.known.Get(ctx, string(id)); errors.Is(err, store.ErrNotFound) {
		return faas.None{}, missing
	} else if err != nil {
		return faas.None{}, err
	}
	switch t, err := i.twins.Get(ctx, string(id)); {
	case err == nil && t.Deleted.IsZero():
		return faas.None{}, fmt.Errorf("%w: there is a twin %q; delete it first", api.ErrConflict, string(id))
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return faas.None{}, err
	}
	err := i.known.Delete(ctx, string(id))
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return faas.None{}, err
}

// seesAll tells who sees the identities of devices that are nobody's yet: who brings devices in, and the platform itself.
func seesAll(c access.Caller) bool {
	if c.For != nil {
		c = *c.For
	}
	return c.Kind == access.Part || c.Is(access.Configurator, access.Maintainer)
}
