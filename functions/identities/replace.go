package identities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// maxFormer is how many devices one twin may have had before its own.
const maxFormer = 100

// replace makes an identity that of another device. One write does it: from then on the old serial is of a device that was
// replaced, which the index of all serials keeps anybody from making known anew. Asked again it changes nothing.
func (i *identities) replace(ctx context.Context, c *faas.Call, in api.IdentityReplacement) (device.Identity, error) {
	id := twin.ID(c.Var("id"))
	next := device.Identity{Serial: in.Serial, MAC: in.MAC, Model: in.Model, Maker: in.Maker}
	if err := next.Normalise(); err != nil {
		return device.Identity{}, err
	}
	if in.Reason = strings.TrimSpace(in.Reason); in.Reason == "" || len(in.Reason) > 500 || !utf8.ValidString(in.Reason) {
		return device.Identity{}, api.Invalid("reason must say why, in at most 500 bytes of text")
	}
	t, err := i.p.Twin(ctx, i.twins, c.Caller, access.Write, id)
	if errors.Is(err, api.ErrNotFound) {
		return device.Identity{}, platform.NotFound("identity", string(id))
	}
	if err != nil {
		return device.Identity{}, err
	}
	own, err := i.absorb(ctx, c.Caller, &t, &next)
	if err != nil {
		return device.Identity{}, err
	}
	if err := i.room(ctx, id, &next, own); errors.Is(err, api.ErrExists) && !seesAll(c.Caller) {
		return device.Identity{}, noSpare(next.Serial)
	} else if err != nil {
		return device.Identity{}, err
	}
	if own != nil { // its serial is one identity's only; last, so that what is refused loses nothing
		if err := i.known.Delete(ctx, string(own.ID)); err != nil && !errors.Is(err, store.ErrNotFound) {
			return device.Identity{}, err
		}
	}
	out, err := i.known.Update(ctx, string(id), func(v *device.Identity) error {
		switch {
		case v.Serial == next.Serial && len(v.Former) == 0:
			return fmt.Errorf("%w: serial %q is the device that the twin has; to let it in anew, reset its run: castor run reset RUN", api.ErrConflict, v.Serial)
		case v.Serial == next.Serial && (in.MAC == "" || v.MAC == next.MAC) && (in.Model == "" || v.Model == next.Model):
			return store.Unchanged
		case v.Serial == next.Serial:
			return fmt.Errorf("%w: serial %q is the device's own, with other data; identities do not change", api.ErrConflict, v.Serial)
		case len(v.Former) >= maxFormer:
			return fmt.Errorf("%w: %q has had %d devices, which is the most", api.ErrConflict, id, maxFormer)
		}
		v.Replace(next, in.Reason, c.Caller.String(), i.p.Time())
		return nil
	})
	if err != nil && own != nil { // somebody was faster: what is known of the new device stays known
		if again := i.known.Insert(context.WithoutCancel(ctx), *own); again != nil && !errors.Is(again, store.ErrExists) {
			err = errors.Join(err, again)
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		return out, platform.NotFound("identity", string(id))
	}
	if errors.Is(err, store.ErrExists) && !seesAll(c.Caller) {
		return out, noSpare(next.Serial)
	}
	if errors.Is(err, store.ErrExists) {
		return out, fmt.Errorf("%w: serial %q or its mac is another device's, or was", api.ErrExists, next.Serial)
	}
	return out, err
}

// room refuses what the write would: a twin that is known by no identity or has had too many devices, and a serial or mac of another.
func (i *identities) room(ctx context.Context, id twin.ID, next, own *device.Identity) error {
	v, err := i.known.Get(ctx, string(id))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return platform.NotFound("identity", string(id))
	case err != nil || own == nil:
		return err
	case len(v.Former) >= maxFormer:
		return fmt.Errorf("%w: %q has had %d devices, which is the most", api.ErrConflict, id, maxFormer)
	}
	clashes, err := i.clashes(ctx, []device.Identity{{ID: id, Serial: next.Serial, MAC: next.MAC}})
	if err != nil {
		return err
	}
	for _, old := range clashes.of(device.Identity{ID: id, Serial: next.Serial, MAC: next.MAC}) {
		if old.ID != id && old.ID != own.ID {
			return fmt.Errorf("%w: serial %q or its mac is another device's, or was", api.ErrExists, next.Serial)
		}
	}
	return nil
}

// absorb returns the identity that the new device is known by, nil if it is not; what is known of the device goes over. It must have
// no twin and may come in as this one: an owner shows by its mac and model that they have it, and takes their own group's, or one
// that is nobody's yet. Who
// repeats a replacement that was cut short says again what is to be known.
func (i *identities) absorb(ctx context.Context, c access.Caller, t *twin.Twin, next *device.Identity) (*device.Identity, error) {
	own, err := i.known.FindOne(ctx, store.Query{Index: "by-serial", Filter: store.Eq("serial", next.Serial)})
	if errors.Is(err, store.ErrNotFound) || err == nil && own.ID == t.ID {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	used, err := i.twins.Get(ctx, string(own.ID))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	taken := err == nil && used.Deleted.IsZero() || own.Owner != "" && own.Owner != t.Definition.Owner || len(own.Former) > 0
	switch {
	case !seesAll(c) && own.Owner != t.Definition.Owner && (taken || !spare(&own, next, t)):
		return nil, noSpare(next.Serial)
	case taken:
		return nil, fmt.Errorf("%w: serial %q is another twin's device", api.ErrConflict, next.Serial)
	case own.Type != "" && own.Type != string(t.Definition.Type):
		return nil, fmt.Errorf("%w: serial %q is of type %s, not %s", api.ErrConflict, next.Serial, own.Type, t.Definition.Type)
	case own.MAC != "" && next.MAC != own.MAC && (next.MAC != "" || !seesAll(c)):
		return nil, fmt.Errorf("%w: mac %q is not the one that serial %q is registered with", api.ErrConflict, next.MAC, next.Serial)
	case own.Model != "" && next.Model != own.Model && (next.Model != "" || !seesAll(c)):
		return nil, fmt.Errorf("%w: model %q is not the one that serial %q is registered with", api.ErrConflict, next.Model, next.Serial)
	}
	if next.MAC == "" {
		next.MAC = own.MAC
	}
	if next.Model == "" {
		next.Model = own.Model
	}
	if next.Maker == "" {
		next.Maker = own.Maker
	}
	next.Made = own.Made
	return &own, nil
}

// spare tells whether what an owner says of a device is what a configurator has registered of one that is nobody's yet: a claim of
// theirs would let it in with that.
func spare(own, next *device.Identity, t *twin.Twin) bool {
	return own.Owner == "" && own.Retired == nil && (own.Type == "" || own.Type == string(t.Definition.Type)) &&
		(own.MAC == "" || next.MAC == own.MAC) && (own.Model == "" || next.Model == own.Model)
}

// noSpare is what an owner is told of a serial that they may not use, whatever the reason: whose it is, and what else is known of
// it, is not theirs to learn.
func noSpare(serial string) error {
	return fmt.Errorf("%w: serial %q is another's, or was, or is registered with another type, mac or model than you say; say what is on the device, or ask a configurator",
		api.ErrConflict, serial)
}

// replaced tells the platform's parts that a serial is of a device that was replaced; nil if it is not known at all.
func (i *identities) replaced(ctx context.Context, serial string) error {
	v, err := i.known.FindOne(ctx, store.Query{Index: "by-serials", Filter: store.Eq("serials", serial)})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return &api.Problem{Title: "Not found", Status: 404, Detail: fmt.Sprintf("the device with serial %q was replaced as %q by the one with serial %q, and is refused", serial, v.ID, v.Serial)}
}
