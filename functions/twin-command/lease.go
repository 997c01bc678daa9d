package twincommand

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// maxLeasedBytes bounds what one answer to a connector holds, about.
const maxLeasedBytes = 4 << 20

var holderPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// lease gives commands to a connector whose devices are connected now. What it does not name is left alone, and what it
// holds it gets again, so that a call that is repeated, or whose answer got lost, gives nothing to nobody.
func (f *function) lease(ctx context.Context, c *faas.Call, in api.LeaseCommands) (out api.Leased, err error) {
	out.Commands = []api.LeasedCommand{}
	if err := connector(c, in.Gateway, in.Holder); err != nil {
		return out, err
	}
	if n := len(in.Devices); n > api.MaxLeaseDevices {
		return out, api.Invalid("devices has %d entries, at most %d are taken", n, api.MaxLeaseDevices)
	}
	here, err := f.here(ctx, in)
	if err != nil {
		return out, err
	}
	var ids []string
	of := map[string]api.LeaseDevice{}
	for _, d := range in.Devices {
		for _, id := range d.Commands {
			if _, twice := of[id]; here[d.Twin] != nil && !twice && idPattern.MatchString(id) {
				ids = append(ids, id)
				of[id] = d
			}
		}
	}
	if len(ids) > api.MaxLeased {
		return out, api.Invalid("%d commands are named, at most %d are given at once", len(ids), api.MaxLeased)
	}
	docs, err := f.commands.Load(ctx, ids)
	if err != nil {
		return out, err
	}
	now, size := f.p.Time(), 0
	var write, taken []*store.Doc[command]
	stale := map[twin.ID][]string{} // what twins list as waiting and is not, or will not be
	for i, d := range docs {
		switch {
		case d == nil || d.Value.Twin != of[ids[i]].Twin || size >= maxLeasedBytes:
			continue
		}
		n, lent := &d.Value, d.Value.Lease.Number
		stale[n.Twin] = append(stale[n.Twin], n.ID)
		if !n.take(lease{Gateway: in.Gateway, Holder: in.Holder, Session: of[ids[i]].Session}, now) {
			continue
		}
		size += len(n.Input)
		if n.Lease.Number != lent {
			write = append(write, d)
		} else {
			taken = append(taken, d)
		}
	}
	errs, err := f.commands.ReplaceMany(ctx, write)
	if err != nil {
		return out, err
	}
	for i, d := range write {
		if errs[i] == nil {
			taken = append(taken, d)
		}
	}
	for id, commands := range stale {
		f.file(ctx, id, commands...)
	}
	for _, d := range taken {
		n := &d.Value
		out.Commands = append(out.Commands, api.LeasedCommand{ID: n.ID, Twin: n.Twin, Name: n.Name, Input: n.Input, Repeatable: n.Repeatable,
			Lease: n.Lease.Number, Until: n.deliverUntil(), Expires: n.Expires, Owner: here[n.Twin].Owner})
	}
	return out, nil
}

// here are the definitions of the twins that say of their devices that they are connected at the gateway, by the session named, and
// operational, and that have their place there.
func (f *function) here(ctx context.Context, in api.LeaseCommands) (map[twin.ID]*twin.Definition, error) {
	var ids []string
	session := map[twin.ID]string{}
	for _, d := range in.Devices {
		if err := d.Twin.Valid(); err != nil {
			return nil, fmt.Errorf("devices: twin: %w", err)
		}
		if _, twice := session[d.Twin]; !twice {
			ids = append(ids, string(d.Twin))
			session[d.Twin] = d.Session
		}
	}
	docs, err := f.twins.Load(ctx, ids)
	if err != nil {
		return nil, err
	}
	connected, found := map[twin.ID]int64{}, map[twin.ID]*twin.Definition{} // by which generation
	for _, d := range docs {
		if d == nil || !d.Value.Deleted.IsZero() || d.Value.Definition.Phase != twin.Operational {
			continue
		}
		p := &d.Value.Live.Presence
		if p.Connected && p.Gateway == in.Gateway && p.Session == session[d.Value.ID] {
			connected[d.Value.ID], found[d.Value.ID] = d.Value.Live.Generation, &d.Value.Definition
		}
	}
	issued, err := f.places.At(ctx, in.Gateway, connected)
	here := map[twin.ID]*twin.Definition{}
	for id, generation := range issued {
		if connected[id] <= generation {
			here[id] = found[id]
		}
	}
	return here, err
}

// delivered takes what a connector says of the commands it had.
func (f *function) delivered(ctx context.Context, c *faas.Call, in api.CommandDeliveries) (faas.None, error) {
	if err := connector(c, in.Gateway, in.Holder); err != nil {
		return faas.None{}, err
	}
	if n := len(in.Deliveries); n > api.MaxLeased {
		return faas.None{}, api.Invalid("deliveries has %d entries, at most %d are taken", n, api.MaxLeased)
	}
	for _, d := range in.Deliveries {
		if !idPattern.MatchString(d.Command) {
			return faas.None{}, api.Invalid("deliveries: command %.80q is no id of a command", d.Command)
		}
		changed := false
		n, err := f.commands.Update(ctx, d.Command, func(n *command) error {
			if changed = n.report(in.Holder, in.Gateway, d, f.p.Time()); !changed {
				return store.Unchanged
			}
			return nil
		})
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return faas.None{}, err
		}
		if changed {
			f.settle(ctx, n)
		}
	}
	return faas.None{}, nil
}

// connector checks who says to be whose connector.
func connector(c *faas.Call, gateway, holder string) error {
	if c.Caller.Gateway == "" || c.Caller.Gateway != gateway {
		return fmt.Errorf("%w: this connector may not speak for gateway %.80q", access.ErrDenied, gateway)
	}
	if !holderPattern.MatchString(holder) {
		return api.Invalid("holder %.80q must be 1 to 64 letters, digits, '_' or '-'", holder)
	}
	return nil
}
