package identities

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// mostWaiting is how many identities of one group may be without a twin: an owner's word makes them, nobody else's.
const mostWaiting = 1000

// own completes an identity that an owner makes: of a type they may read, for one of their groups, under the id that its serial
// gives it. given is the id that came with it.
func (i *identities) own(ctx context.Context, c access.Caller, in *device.Identity, given twin.ID) error {
	if c.For != nil {
		c = *c.For
	}
	if given != "" && given != in.ID {
		return api.Invalid("id: an owner's is made of the serial, here %q; leave it out, or ask a configurator", in.ID)
	}
	if err := i.checkType(ctx, c, twin.ID(in.Type)); err != nil {
		return err
	}
	switch {
	case in.Owner == "" && len(c.Groups) == 1:
		in.Owner = c.Groups[0]
	case in.Owner == "":
		return api.Invalid("owner must be the one of your groups that the device is for: you have %d", len(c.Groups))
	case !slices.Contains(c.Groups, in.Owner):
		return fmt.Errorf("%w: owner: you may make identities for your own groups only", access.ErrDenied)
	}
	t, err := i.twins.Get(ctx, string(in.ID))
	switch {
	case err == nil && (!t.Deleted.IsZero() || t.Definition.Owner != in.Owner):
		return errKnown
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	}
	n, err := i.waiting(ctx, in.Owner)
	if err == nil && n >= mostWaiting {
		err = fmt.Errorf("%w: %d identities of group %s are without a twin, which is the most; delete what does not come, or ask a configurator", api.ErrConflict, n, in.Owner)
	}
	return err
}

// register makes the identity of a device that comes in for a group by a step of its run. Nothing gives way to it, as nothing
// does to an owner's: who begins a run is no configurator, and what a device says of itself is not proven.
func (i *identities) register(ctx context.Context, in device.Identity) (faas.Reply, error) {
	t, err := i.twins.Get(ctx, string(in.ID))
	switch {
	case err == nil && t.Deleted.IsZero() && t.Definition.Owner != "" && t.Definition.Owner != in.Owner:
		return faas.Reply{}, errKnown
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return faas.Reply{}, err
	}
	err = i.known.Insert(ctx, in)
	if errors.Is(err, store.ErrExists) {
		err = errKnown
	}
	return faas.Created("/identities/"+string(in.ID), in), err
}

// errKnown is what an owner is told of a clash: whose it is, and what else is known of it, is not theirs to learn.
var errKnown = fmt.Errorf("%w: this serial, id or mac is known already; if it is your device's, make the claim, or ask a configurator", api.ErrExists)

// waiting counts a group's identities without a twin, as far as mostWaiting.
func (i *identities) waiting(ctx context.Context, group string) (n int, err error) {
	of := store.Eq("owner", group)
	if all, err := i.known.Count(ctx, of, "by-owner"); err != nil || all < mostWaiting {
		return all, err
	}
	var ids []string
	count := func() error {
		found, err := i.twins.GetMany(ctx, ids)
		n, ids = n+len(ids)-len(found), ids[:0]
		if err == nil && n >= mostWaiting {
			err = store.Stop
		}
		return err
	}
	err = i.known.Scan(ctx, store.Query{Index: "by-owner", Filter: of, Fields: []string{"owner"}}, func(v device.Identity) error {
		if ids = append(ids, string(v.ID)); len(ids) < batch {
			return nil
		}
		return count()
	})
	if err == nil && len(ids) > 0 {
		err = count()
	}
	if errors.Is(err, store.Stop) {
		err = nil
	}
	return n, err
}

// giveWay removes what stands in the way of an identity that a configurator makes, and tells whether it did: only identities
// that owners have made, and that no twin uses.
func (i *identities) giveWay(ctx context.Context, c clashes, in device.Identity) (bool, error) {
	var ids []string
	for _, old := range c.of(in) {
		if old.Owner == "" {
			return false, nil
		}
		ids = append(ids, string(old.ID))
	}
	if found, err := i.twins.GetMany(ctx, ids); err != nil || len(found) > 0 {
		return false, err
	}
	for _, id := range ids {
		if err := i.known.Delete(ctx, id); err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
	}
	return len(ids) > 0, nil
}

// of returns the stored identities that stand in the way of v, each once.
func (c clashes) of(v device.Identity) (out []device.Identity) {
	add := func(old device.Identity, ok bool) {
		if ok && !slices.ContainsFunc(out, func(o device.Identity) bool { return o.ID == old.ID }) {
			out = append(out, old)
		}
	}
	byID, ok := c.byID[string(v.ID)]
	add(byID, ok)
	bySerial, ok := c.bySerial[v.Serial]
	add(bySerial, ok)
	former, ok := c.byFormer[v.Serial]
	add(former, ok)
	byMAC, ok := c.byMAC[v.MAC]
	add(byMAC, ok && v.MAC != "")
	return out
}
