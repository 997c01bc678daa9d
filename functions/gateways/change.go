package gateways

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// changeProof tells the device's gateways what it may show from now on. What it showed before and may not any more ends its
// sessions at once.
func (g *gateways) changeProof(ctx context.Context, call *faas.Call, in api.ProofChange) (api.Assignment, error) {
	ref := call.Var("ref")
	if err := checkProof(&in.Proof, in.SealedFor); err != nil {
		return api.Assignment{}, err
	}
	v, err := g.places.Update(ctx, ref, func(v *place) error {
		switch {
		case v.Removed:
			return store.ErrNotFound
		case in.Version < v.Version:
			return store.Unchanged
		case in.Version == v.Version && sameProof(in.Proof, v.Proof):
			return store.Unchanged
		}
		v.Proof = in.Proof
		v.merge(in.SealedFor)
		v.change(g.p.Time())
		return nil
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return v.Assignment, platform.NotFound("assignment", ref)
	}
	if err == nil && !v.PendingSince.IsZero() {
		v, err = g.settle(ctx, v)
	}
	return g.told(ctx, v, err)
}

func sameProof(a, b api.Proof) bool {
	return reflect.DeepEqual(a.Topics, b.Topics) && a.Kind == b.Kind && a.Username == b.Username && a.Expires.Equal(b.Expires) && slices.Equal(a.Fingerprints, b.Fingerprints) && slices.Equal(a.Verifiers, b.Verifiers)
}

// twinChanged follows a twin's phase, and its device's coming and going where it may be on its way to another gateway.
func (g *gateways) twinChanged(ctx context.Context, d api.TwinChanged) error {
	if d.Part == "live" {
		if !g.any(ctx) {
			return nil
		}
		return g.twinConnected(ctx, d.Twin)
	}
	page, err := g.places.Find(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", d.Twin), Partial: true})
	if err != nil {
		return err
	}
	for _, v := range page.Items {
		if err := g.followPhase(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// followPhase keeps a device out while its twin is suspended or retired. The twin is read once more after its place was
// changed: of several that follow at once, the last to change the place has seen the twin as it is.
func (g *gateways) followPhase(ctx context.Context, v place) error {
	for !v.Removed {
		var changed bool
		var err error
		v, changed, err = g.heedPhase(ctx, v)
		if errors.Is(err, store.ErrNotFound) {
			return nil // its place goes with it
		}
		if err != nil || !changed {
			return err
		}
		if v, err = g.settle(ctx, v); err != nil && !errors.Is(err, errRemoved) {
			return err
		}
	}
	return nil
}

// heedPhase notes in a place whether its device is kept out, as its twin says now.
func (g *gateways) heedPhase(ctx context.Context, v place) (_ place, changed bool, err error) {
	t, err := g.twins.Get(ctx, string(v.Twin))
	if err != nil {
		return v, false, err
	}
	out := t.Definition.Out()
	v, err = g.places.Update(ctx, string(v.Ref), func(v *place) error {
		changed = !v.Removed && v.Suspended != out
		if !changed {
			return store.Unchanged
		}
		v.Suspended = out
		v.change(g.p.Time())
		return nil
	})
	return v, changed, err
}

// moveAssignment gives a device a place elsewhere at somebody's wish.
func (g *gateways) moveAssignment(ctx context.Context, call *faas.Call, in api.MoveDevice) (api.Assignment, error) {
	if in.Reason == "" || len(in.Reason) > 500 {
		return api.Assignment{}, api.Invalid("reason: say why, in at most 500 characters; people see it where the device is")
	}
	v, err := g.assignment(ctx, call)
	if errors.Is(err, api.ErrNotFound) {
		v, err = g.onlyPlace(ctx, call, err)
	}
	if err != nil {
		return v.Assignment, err
	}
	m := move{why: "moved (" + in.Reason + ")", stay: true}
	if in.Gateway != "" {
		w, err := g.gatewayOf(ctx, in.Gateway)
		if err != nil {
			return v.Assignment, err
		}
		if in.Gateway == v.Gateway {
			return g.told(ctx, v, nil)
		}
		need := v.want()
		if why := need.never(&w); why != "" {
			return v.Assignment, fmt.Errorf("%w: device %s cannot move to gateway %s: %s", api.ErrConflict, v.Ref, w.ID, why)
		}
		m.to = &w
	}
	if old, err := g.gateways.Get(ctx, v.Gateway); err != nil || !old.healthy(g.p.Time()) {
		m.stay = false // nobody is there to stay with
	}
	v, err = g.relocate(ctx, v, m)
	return g.told(ctx, v, err)
}

// onlyPlace is the place of a twin that people name in place of its device, if it has one device that the caller may see; else it is
// missing.
func (g *gateways) onlyPlace(ctx context.Context, call *faas.Call, missing error) (place, error) {
	id := twin.ID(call.Var("ref"))
	if id.Valid() != nil {
		return place{}, missing
	}
	page, err := g.places.Find(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", id), Partial: true})
	if err != nil {
		return place{}, err
	}
	all := slices.DeleteFunc(page.Items, func(v place) bool { return v.Removed })
	switch {
	case len(all) == 0 || g.maySee(ctx, call, all[0]) != nil:
		return place{}, missing
	case len(all) > 1:
		return place{}, api.Invalid("twin %s has %d devices; name the one that is to move: %s or %s", id, len(all), all[0].Ref, all[1].Ref)
	}
	return all[0], nil
}

// assignment is the place that a call is about, if the caller may see it.
func (g *gateways) assignment(ctx context.Context, call *faas.Call) (place, error) {
	ref := call.Var("ref")
	v, err := g.places.Get(ctx, ref)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) || err == nil && v.Removed {
		return place{}, platform.NotFound("assignment", ref)
	}
	if err != nil || call.Caller.ID == "" {
		return v, err
	}
	return v, g.maySee(ctx, call, v)
}

// findable are the references of a list that can be any.
func findable(refs []device.Ref) []string {
	ids := make([]string, 0, len(refs))
	for _, r := range refs {
		if r.Valid() == nil {
			ids = append(ids, string(r))
		}
	}
	return ids
}
