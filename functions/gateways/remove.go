package gateways

import (
	"context"
	"errors"
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
		v.StayUntil, v.SealedFor = time.Time{}, nil
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
		if _, err := g.inform(ctx, ref, v.Gateway); err != nil {
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
	if v.Gateway == "" || v.Leaving != "" {
		return v, nil
	}
	w, err := g.gateways.Get(ctx, v.Gateway)
	if errors.Is(err, store.ErrNotFound) {
		w.ID, err = v.Gateway, nil // it was deleted
	}
	if err != nil || w.healthy(g.p.Time()) {
		return v, err
	}
	return g.places.Update(ctx, string(v.Ref), func(v *place) error {
		if v.Removed || v.Gateway != w.ID || v.Applied || v.Leaving != "" {
			return store.Unchanged
		}
		v.Leaving, v.LeftCounted = v.Gateway, v.Counted
		v.at(&gateway{}, "")
		v.PendingSince = g.p.Time()
		return nil
	})
}

// discount makes a gateway that the device has left, or that it was taken from, count it no more, once.
func (g *gateways) discount(ctx context.Context, id, ref string) error {
	_, err := g.gateways.Update(ctx, id, func(w *gateway) error {
		now, err := g.places.Get(ctx, ref)
		if err != nil {
			return err
		}
		at := slices.Index(w.Counting, ref)
		gone := now.Removed || now.Gateway != id // else it has come back meanwhile
		counted := now.Counted && now.Gateway == id || now.LeftCounted && now.Leaving == id
		if !gone || slices.Contains(w.Leaving, ref) || at < 0 && !counted {
			return store.Unchanged
		}
		if at >= 0 {
			w.Counting = slices.Delete(w.Counting, at, at+1)
		}
		w.Devices--
		w.Leaving = append(w.Leaving, ref)
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil // the gateway was deleted
	}
	return err
}
