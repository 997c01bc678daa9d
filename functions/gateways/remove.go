package gateways

import (
	"context"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

func (g *gateways) removeAssignment(ctx context.Context, call *faas.Call, _ faas.None) (faas.None, error) {
	return faas.None{}, g.remove(ctx, call.Var("ref"))
}

// remove takes a device's place away: its document says so first, then the gateway is told, then it counts the device no
// more. That there is no place is no error; there will be none then.
func (g *gateways) remove(ctx context.Context, ref string) error {
	if device.Ref(ref).Valid() != nil {
		return nil
	}
	v, err := g.places.Upsert(ctx, ref, func(v *place, _ bool) error {
		if v.Removed {
			return store.Unchanged
		}
		now := g.p.Time()
		v.Removed, v.RemovedAt, v.PendingSince, v.Applied = true, now, now, false
		return nil
	})
	if err != nil || v.PendingSince.IsZero() {
		return err
	}
	return g.leave(ctx, v)
}

// leave finishes a removal.
func (g *gateways) leave(ctx context.Context, v place) error {
	ref := string(v.Ref)
	v, err := g.leaveOld(ctx, v)
	if err != nil {
		return err
	}
	if v.Gateway != "" {
		if err := g.drop(ctx, v.Gateway, ref); err != nil {
			return err
		}
		if err := g.discount(ctx, v.Gateway, ref); err != nil {
			return err
		}
	}
	if _, err := g.places.Update(ctx, ref, func(v *place) error {
		v.Counted, v.PendingSince = false, time.Time{}
		return nil
	}); err != nil || v.Gateway == "" {
		return err
	}
	return g.unlist(ctx, v.Gateway, ref, leaving)
}

// unstick takes a device that its gateway has not let in yet from a gateway that is not heard of any more, so that it gets
// another.
func (g *gateways) unstick(ctx context.Context, v place) (place, error) {
	if v.Gateway == "" || v.Left != "" {
		return v, nil
	}
	w, err := g.gateways.Get(ctx, v.Gateway)
	if err != nil || w.healthy(g.p.Time()) {
		return v, err
	}
	return g.places.Update(ctx, string(v.Ref), func(v *place) error {
		if v.Removed || v.Gateway != w.ID || v.Applied || v.Left != "" {
			return store.Unchanged
		}
		v.Left, v.LeftCounted = v.Gateway, v.Counted
		v.Gateway, v.URL, v.Reason, v.Counted, v.Revision, v.AppliedRevision = "", "", "", false, 0, 0
		v.PendingSince = g.p.Time()
		return nil
	})
}

// leaveOld takes the device from the gateway that it has left for another.
func (g *gateways) leaveOld(ctx context.Context, v place) (place, error) {
	if v.Left == "" {
		return v, nil
	}
	ref, old := string(v.Ref), v.Left
	if err := g.drop(ctx, old, ref); err != nil {
		return v, err
	}
	if err := g.discount(ctx, old, ref); err != nil {
		return v, err
	}
	v, err := g.places.Update(ctx, ref, func(v *place) error {
		if v.Left != old {
			return store.Unchanged
		}
		v.Left, v.LeftCounted = "", false
		return nil
	})
	if err != nil {
		return v, err
	}
	return v, g.unlist(ctx, old, ref, leaving)
}

// discount makes the gateway count the device no more, once.
func (g *gateways) discount(ctx context.Context, id, ref string) error {
	_, err := g.gateways.Update(ctx, id, func(w *gateway) error {
		now, err := g.places.Get(ctx, ref)
		if err != nil {
			return err
		}
		at := slices.Index(w.Counting, ref)
		counted := now.Counted && now.Gateway == id || now.LeftCounted && now.Left == id
		if slices.Contains(w.Leaving, ref) || at < 0 && !counted {
			return store.Unchanged
		}
		if at >= 0 {
			w.Counting = slices.Delete(w.Counting, at, at+1)
		}
		w.Devices--
		w.Leaving = append(w.Leaving, ref)
		return nil
	})
	return err
}
