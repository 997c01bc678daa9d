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

// create makes one identity. Owners make those of devices that a claim of theirs may bring in; they count for claims of that
// group only, and give way to what a configurator makes, which counts for every group.
func (i *identities) create(ctx context.Context, c *faas.Call, in device.Identity) (faas.Reply, error) {
	given := in.ID
	if err := in.Normalise(); err != nil {
		return faas.Reply{}, err
	}
	in.Created, in.By = i.p.Time(), c.Caller.String()
	if !seesAll(c.Caller) {
		if given != "" { // what Normalise makes of the serial counts, not what was given
			made := device.Identity{Serial: in.Serial}
			if err := made.Normalise(); err != nil {
				return faas.Reply{}, err
			}
			in.ID = made.ID
		}
		if err := i.own(ctx, c.Caller, &in, given); err != nil {
			return faas.Reply{}, err
		}
		err := i.known.Insert(ctx, in)
		if errors.Is(err, store.ErrExists) {
			err = errKnown
		}
		return faas.Created("/identities/"+string(in.ID), in), err
	}
	if c.Caller.Kind == access.Part && c.Caller.For == nil && in.Owner != "" {
		return i.register(ctx, in)
	}
	in.Owner = ""
	err := i.known.Insert(ctx, in)
	if errors.Is(err, store.ErrExists) {
		clashes, err := i.clashes(ctx, []device.Identity{in})
		if err != nil {
			return faas.Reply{}, err
		}
		switch gone, err := i.giveWay(ctx, clashes, in); {
		case err != nil:
			return faas.Reply{}, err
		case gone:
			return faas.Created("/identities/"+string(in.ID), in), i.known.Insert(ctx, in)
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

func (i *identities) checkType(ctx context.Context, c access.Caller, id twin.TypeID) error {
	if id == "" {
		return api.Invalid("type must be the type that the device is provisioned as")
	}
	t, err := i.p.Twin(ctx, i.twins, c, access.Read, id)
	if errors.Is(err, api.ErrNotFound) || err == nil && t.Kind != twin.Type {
		return api.Invalid("type: there is no type %q; make it first, or ask for a grant to read it", id)
	}
	return err
}

// shows tells whether the caller may see an identity: whoever made it, and whoever may see its twin.
func (i *identities) shows(ctx context.Context, c access.Caller, v *device.Identity) (bool, error) {
	if seesAll(c) || v.By != "" && v.By == c.String() {
		return true, nil
	}
	_, err := i.p.Twin(ctx, i.twins, c, access.Read, v.ID)
	if errors.Is(err, api.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
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
	if err != nil {
		return device.Identity{}, err
	}
	switch ok, err := i.shows(ctx, c.Caller, &v); {
	case err != nil:
		return device.Identity{}, err
	case !ok:
		return device.Identity{}, missing
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
	v, err := i.known.Get(ctx, string(id))
	if errors.Is(err, store.ErrNotFound) {
		return faas.None{}, missing
	}
	if err != nil {
		return faas.None{}, err
	}
	switch ok, err := i.shows(ctx, c.Caller, &v); {
	case err != nil:
		return faas.None{}, err
	case !ok:
		return faas.None{}, missing
	}
	switch t, err := i.twins.Get(ctx, string(id)); {
	case err == nil && t.Deleted.IsZero():
		return faas.None{}, fmt.Errorf("%w: there is a twin %q; delete it first", api.ErrConflict, string(id))
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return faas.None{}, err
	}
	err = i.known.Delete(ctx, string(id))
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
