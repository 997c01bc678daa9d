package gateways

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

func (g *gateways) assign(ctx context.Context, call *faas.Call, in api.Assign) (api.Assignment, error) {
	ref := device.Ref(call.Var("ref"))
	if in.Protocol == "" {
		in.Protocol = "mqtt"
	}
	switch {
	case ref.Valid() != nil:
		return api.Assignment{}, fmt.Errorf("ref: %w", ref.Valid())
	case in.Ref != "" && in.Ref != ref:
		return api.Assignment{}, api.Invalid("ref: the path says %q, the body %.80q", ref, string(in.Ref))
	case in.Twin.Valid() != nil:
		return api.Assignment{}, fmt.Errorf("twin: %w", in.Twin.Valid())
	case len(in.Fingerprints) == 0 && len(in.Verifiers) == 0:
		return api.Assignment{}, api.Invalid("fingerprints or verifiers: what the device shows must be known")
	case !wordPattern.MatchString(in.Protocol):
		return api.Assignment{}, api.Invalid("protocol must be a word like \"mqtt\"")
	}
	if err := checkProof(&in.Proof, in.SealedFor); err != nil {
		return api.Assignment{}, err
	}
	if in.Location != nil {
		if err := in.Location.Validate(); err != nil {
			return api.Assignment{}, err
		}
	}
	v, err := g.places.Upsert(ctx, string(ref), func(v *place, exists bool) error {
		switch {
		case v.Removed:
			return fmt.Errorf("%w: device reference %s has ended", api.ErrConflict, ref)
		case exists && v.Twin != in.Twin:
			return fmt.Errorf("%w: device reference %s is another twin's", api.ErrConflict, ref)
		case exists && v.Version > in.Version: // it was changed since
			return store.Unchanged
		case exists && (!slices.Equal(v.Fingerprints, in.Fingerprints) || !slices.Equal(v.Verifiers, in.Verifiers)):
			return fmt.Errorf("%w: device reference %s has a place with another credential", api.ErrConflict, ref)
		case exists:
			return store.Unchanged
		}
		now := g.p.Time()
		v.Twin, v.Proof, v.Protocol, v.Location = in.Twin, in.Proof, in.Protocol, in.Location
		v.merge(in.SealedFor)
		v.Updated, v.PendingSince = now, now
		return nil
	})
	if err != nil || v.Applied {
		return g.told(ctx, v, err)
	}
	// Its twin may be suspended already: of that no event comes any more.
	switch heeded, _, err := g.heedPhase(ctx, v); {
	case err == nil:
		v = heeded
	case !errors.Is(err, store.ErrNotFound):
		return v.Assignment, err
	}
	if v, err = g.unstick(ctx, v); err != nil || v.PendingSince.IsZero() {
		return g.told(ctx, v, err)
	}
	v, err = g.settle(ctx, v)
	return g.told(ctx, v, err)
}

// told is a place as it is answered, with the addresses the device may dial.
func (g *gateways) told(ctx context.Context, v place, err error) (api.Assignment, error) {
	if err != nil || v.URL == "" {
		return v.Assignment, err
	}
	all, err := g.ofPhase(ctx, operational)
	v.Alternatives = v.want().alternatives(all, v.URL, g.p.Time())
	return v.Assignment, err
}

// settle does what is still to be done of a place: leave the old gateway, find one with room, be counted there, be in its
// bucket. Every step may be repeated, by any instance.
func (g *gateways) settle(ctx context.Context, v place) (place, error) {
	for range 5 {
		var err error
		if v.mayLeave(g.p.Time()) {
			if v, err = g.leaveOld(ctx, v); err != nil {
				return v, err
			}
		}
		for !v.Counted {
			if v, err = g.take(ctx, v); err != nil {
				return v, err
			}
		}
		if v, err = g.write(ctx, v); !errors.Is(err, errAgain) {
			return v, err
		}
	}
	return v, fmt.Errorf("%w: the place of device %s is being changed by others", api.ErrUnavailable, v.Ref)
}

// write tells the gateway of the device, and the one that is being left while the device may still be there.
func (g *gateways) write(ctx context.Context, v place) (place, error) {
	ref, at, changes, revision := string(v.Ref), v.Gateway, v.Changes, v.Revision
	if v.Told != changes+1 || revision == 0 {
		var err error
		if v.staying() {
			if _, err = g.inform(ctx, ref, v.Leaving); err != nil {
				return v, err
			}
		}
		if revision, err = g.inform(ctx, ref, at); err != nil {
			return v, err
		}
	}
	v, err := g.places.Update(ctx, ref, func(v *place) error {
		switch {
		case v.Removed:
			return errRemoved
		case v.Gateway != at:
			return errMoved
		case v.Changes != changes:
			return errAgain
		}
		if v.Told != changes+1 {
			v.Revision, v.Told = revision, changes+1 // not the highest: a bucket that was lost counts from one again
			v.Updated = g.p.Time()
		}
		v.applied()
		if v.Leaving == "" || v.staying() {
			v.PendingSince = time.Time{}
		}
		return nil
	})
	switch {
	case errors.Is(err, errRemoved), errors.Is(err, errMoved): // what was written must go again
		_, undone := g.inform(ctx, ref, at)
		return v, errors.Join(err, undone)
	case errors.Is(err, errAgain):
		now, gone := g.places.Get(ctx, ref)
		return now, errors.Join(err, gone)
	}
	return v, err
}

// take finds a gateway for the place and counts the device there.
func (g *gateways) take(ctx context.Context, v place) (place, error) {
	ref := string(v.Ref)
	if v.Gateway == "" {
		all, err := g.ofPhase(ctx, operational)
		if err != nil {
			return v, err
		}
		best, reason, err := choose(all, v.want(), g.p.Time())
		if err != nil {
			return v, err
		}
		v, err = g.places.Update(ctx, ref, func(v *place) error {
			if v.Removed {
				return errRemoved
			}
			if v.Gateway == "" && v.Leaving != best.ID {
				v.at(&best, reason)
			}
			return nil
		})
		if err != nil || v.Gateway == "" {
			return v, err
		}
	}
	_, err := g.gateways.Update(ctx, v.Gateway, func(w *gateway) error {
		now, err := g.places.Get(ctx, ref)
		switch {
		case err != nil:
			return err
		case now.Removed:
			return errRemoved
		case now.Gateway != w.ID, now.Counted, slices.Contains(w.Counting, ref):
			return store.Unchanged
		case !w.room():
			return errFull
		}
		w.Devices++
		w.Counting = append(w.Counting, ref)
		if i := slices.Index(w.Leaving, ref); i >= 0 { // it has left once before, and is back
			w.Leaving = slices.Delete(w.Leaving, i, i+1)
		}
		return nil
	})
	at := v.Gateway
	if errors.Is(err, errFull) || errors.Is(err, store.ErrNotFound) {
		return g.places.Update(ctx, ref, func(v *place) error {
			if v.Gateway == at && !v.Counted && !v.Removed {
				v.at(&gateway{}, "")
			}
			return nil
		})
	}
	if err != nil {
		return v, err
	}
	v, err = g.places.Update(ctx, ref, func(v *place) error {
		if v.Removed || v.Counted || v.Gateway != at {
			return store.Unchanged
		}
		v.Counted = true
		return nil
	})
	if err != nil {
		return v, err
	}
	switch {
	case v.Removed:
		return v, errors.Join(errRemoved, g.discount(ctx, at, ref))
	case v.Gateway != at: // another instance goes on elsewhere
		return v, errors.Join(g.discount(ctx, at, ref), g.unlist(ctx, at, ref, leaving))
	}
	return v, g.unlist(ctx, at, ref, counting)
}

// at makes w the place's gateway, which knows nothing of the device yet.
func (v *place) at(w *gateway, reason string) {
	v.Gateway, v.URL, v.Reason = w.ID, w.URL, reason
	v.Counted, v.Applied, v.Lost, v.Revision, v.AppliedRevision, v.Told = false, false, "", 0, 0, 0
	v.Changes++
}

// The place was taken away, given elsewhere or changed while it was being made, or its gateway filled up.
var (
	errRemoved = fmt.Errorf("%w: the device's place was taken away meanwhile", api.ErrConflict)
	errMoved   = fmt.Errorf("%w: the device gets a place elsewhere", api.ErrUnavailable)
	errAgain   = errors.New("the place has changed")
	errFull    = errors.New("the gateway is full")
)

// The lists of a gateway.
func counting(w *gateway) *[]string { return &w.Counting }
func leaving(w *gateway) *[]string  { return &w.Leaving }

// unlist takes a device from one of the gateway's lists: its own document says it now.
func (g *gateways) unlist(ctx context.Context, id, ref string, list func(*gateway) *[]string) error {
	_, err := g.gateways.Update(ctx, id, func(w *gateway) error {
		l := list(w)
		i := slices.Index(*l, ref)
		if i < 0 {
			return store.Unchanged
		}
		*l = slices.Delete(*l, i, i+1)
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil // the gateway was deleted
	}
	return err
}
