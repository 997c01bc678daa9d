package gateways

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// stayFor is how long the old gateway lets a device in after the new one does: the device is told of the new one meanwhile.
const stayFor = 2 * time.Minute

// A move says where a device is to go, and why it leaves.
type move struct {
	to   *gateway // nil = the best of the others
	why  string
	stay bool // the old gateway lets the device in until it has arrived
}

// relocate gives a device a place elsewhere. Nothing changes where no gateway can take it.
func (g *gateways) relocate(ctx context.Context, v place, m move) (place, error) {
	if v.Leaving != "" { // it is on its way already, and the way has turned out wrong
		var err error
		if v, err = g.leaveOld(ctx, v); err != nil {
			return v, err
		}
	}
	all := []gateway{}
	if m.to != nil {
		all = append(all, *m.to)
	} else {
		var err error
		if all, err = g.ofPhase(ctx, operational); err != nil {
			return v, err
		}
	}
	from, need := v.Gateway, v.want()
	need.not = from
	best, reason, err := choose(all, need, g.p.Time())
	if err != nil {
		return v, err
	}
	v, err = g.places.Update(ctx, string(v.Ref), func(v *place) error {
		if v.Removed {
			return errRemoved
		}
		if v.Gateway != from || v.Leaving != "" {
			return store.Unchanged // another instance was faster
		}
		now := g.p.Time()
		v.Leaving, v.LeftCounted, v.StayUntil = from, v.Counted, time.Time{}
		if m.stay {
			v.StayUntil = now.Add(stayFor)
		}
		v.at(&best, m.why+": "+reason)
		v.Updated, v.PendingSince = now, now
		return nil
	})
	if err != nil {
		return v, err
	}
	g.moves.begun()
	return g.settle(ctx, v)
}

// leaveOld takes the device from the gateway that it has left for another.
func (g *gateways) leaveOld(ctx context.Context, v place) (place, error) {
	if v.Leaving == "" {
		return v, nil
	}
	ref, old := string(v.Ref), v.Leaving
	if !v.StayUntil.IsZero() {
		var err error
		if v, err = g.places.Update(ctx, ref, func(v *place) error {
			if v.Leaving != old || v.StayUntil.IsZero() {
				return store.Unchanged
			}
			v.StayUntil = time.Time{}
			if v.PendingSince.IsZero() {
				v.PendingSince = g.p.Time()
			}
			return nil
		}); err != nil || v.Leaving != old {
			return v, err
		}
	}
	if _, err := g.inform(ctx, ref, old); err != nil {
		return v, err
	}
	if err := g.discount(ctx, old, ref); err != nil {
		return v, err
	}
	v, err := g.places.Update(ctx, ref, func(v *place) error {
		if v.Leaving != old || !v.StayUntil.IsZero() {
			return store.Unchanged
		}
		v.Leaving, v.LeftCounted = "", false
		return nil
	})
	if err != nil {
		return v, err
	}
	return v, g.unlist(ctx, old, ref, leaving)
}

// arrived ends a move: the device has a session at its new gateway.
func (g *gateways) arrived(ctx context.Context, v place) error {
	v, err := g.leaveOld(ctx, v)
	if err == nil && !v.Removed {
		_, err = g.settle(ctx, v)
	}
	return err
}

// call tells a device at the gateway it is to leave where its place is now. One that is not there, or does not hear, is told
// again, and in the end finds out by being let in nowhere else.
func (g *gateways) call(ctx context.Context, v place) error {
	if !v.staying() || !v.Applied {
		return nil
	}
	a, err := g.told(ctx, v, nil)
	if err != nil {
		return err
	}
	payload, err := json.Marshal(api.GatewayMove{URL: v.URL, Alternatives: a.Alternatives, Reason: v.Reason})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	err = g.p.Bus.Send(ctx, bus.Downlink{Gateway: v.Leaving, Device: string(v.Ref), Topic: "castor/" + string(v.Ref) + "/gateway",
		Payload: payload, ID: "move." + string(v.Ref)})
	if errors.Is(err, bus.ErrNoListener) || errors.Is(err, bus.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// goOn takes a device's move as far as it goes now.
func (g *gateways) goOn(ctx context.Context, v place) error {
	here, err := g.isThere(ctx, v)
	switch {
	case err != nil:
		return err
	case here:
		return g.arrived(ctx, v)
	case v.mayLeave(g.p.Time()):
		_, err = g.settle(ctx, v)
		return err
	}
	return g.call(ctx, v)
}

// isThere tells whether the device is connected at its new gateway.
func (g *gateways) isThere(ctx context.Context, v place) (bool, error) {
	t, err := g.twins.Get(ctx, string(v.Twin))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	p := t.Live.Presence
	return err == nil && v.Applied && p.Connected && p.Gateway == v.Gateway, err
}

// moving tells of every move under way.
func (g *gateways) moving(ctx context.Context, limit int) ([]place, error) {
	page, err := g.places.Find(ctx, store.Query{Index: "by-moving", Filter: store.Gt("stayUntil", time.UnixMilli(0)), Limit: limit})
	return page.Items, err
}

// twinConnected goes on with the moves of a twin's device, which may have come to its new gateway.
func (g *gateways) twinConnected(ctx context.Context, id twin.ID) error {
	page, err := g.places.Find(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", id), Partial: true})
	if err != nil {
		return err
	}
	for _, v := range page.Items {
		if v.staying() && !v.Removed {
			if err := g.goOn(ctx, v); err != nil {
				return err
			}
		}
	}
	return nil
}
