package gateways

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// A place is an assignment as it is stored. Its document comes first and says what is intended, then the gateway counts the
// device, then the bucket is written; whoever finds PendingSince set may finish it.
type place struct {
	api.Assignment `bson:",inline"`

	Protocol string `bson:"protocol"`
	Region   string `bson:"region,omitempty"`

	// Counted is set while the device counts among its gateway's.
	Counted bool `bson:"counted,omitempty"`

	// Left is a gateway that the device has left for another and that may still count it; LeftCounted tells that it did.
	Left        string `bson:"left,omitempty"`
	LeftCounted bool   `bson:"leftCounted,omitempty"`

	// AppliedRevision is the newest revision that the gateway has written back.
	AppliedRevision uint64 `bson:"appliedRevision,omitempty"`

	// Removed is for ever: references are not used again, and what comes late must not bring one back.
	Removed   bool      `bson:"removed,omitempty"`
	RemovedAt time.Time `bson:"removedAt,omitempty"`

	PendingSince time.Time `bson:"pendingSince,omitempty"`
}

var fingerprintPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (g *gateways) assign(ctx context.Context, call *faas.Call, in api.Assign) (api.Assignment, error) {
	ref := device.Ref(call.Var("ref"))
	if in.Protocol == "" {
		in.Protocol = "mqtt"
	}
	region := ""
	if in.Location != nil {
		region = in.Location.Region
	}
	switch {
	case ref.Valid() != nil:
		return api.Assignment{}, fmt.Errorf("ref: %w", ref.Valid())
	case in.Ref != "" && in.Ref != ref:
		return api.Assignment{}, api.Invalid("ref: the path says %q, the body %.80q", ref, string(in.Ref))
	case in.Twin.Valid() != nil:
		return api.Assignment{}, fmt.Errorf("twin: %w", in.Twin.Valid())
	case !fingerprintPattern.MatchString(in.Fingerprint):
		return api.Assignment{}, api.Invalid("fingerprint must be 64 hexadecimal digits in lower case")
	case !wordPattern.MatchString(in.Protocol):
		return api.Assignment{}, api.Invalid("protocol must be a word like \"mqtt\"")
	case len(region) > 64:
		return api.Assignment{}, api.Invalid("location.region must be at most 64 characters")
	}
	v, err := g.places.Upsert(ctx, string(ref), func(v *place, exists bool) error {
		switch {
		case v.Removed:
			return fmt.Errorf("%w: device reference %s has ended", api.ErrConflict, ref)
		case exists && (v.Fingerprint != in.Fingerprint || v.Twin != in.Twin):
			return fmt.Errorf("%w: device reference %s has a place with another certificate", api.ErrConflict, ref)
		case exists:
			return store.Unchanged
		}
		now := g.p.Time()
		v.Twin, v.Fingerprint, v.Protocol, v.Region = in.Twin, in.Fingerprint, in.Protocol, region
		v.Updated, v.PendingSince = now, now
		return nil
	})
	if err != nil || v.Applied {
		return v.Assignment, err
	}
	if v, err = g.unstick(ctx, v); err != nil || v.PendingSince.IsZero() {
		return v.Assignment, err
	}
	v, err = g.settle(ctx, v)
	return v.Assignment, err
}

// settle does what is still to be done of a place: find a gateway with room, be counted there, be in its bucket. Every step
// may be repeated, by any instance.
func (g *gateways) settle(ctx context.Context, v place) (place, error) {
	var err error
	if v, err = g.leaveOld(ctx, v); err != nil {
		return v, err
	}
	for !v.Counted {
		if v, err = g.take(ctx, v); err != nil {
			return v, err
		}
	}
	at := v.Gateway
	revision, err := g.put(ctx, at, admission(v))
	if err != nil {
		return v, err
	}
	v, err = g.places.Update(ctx, string(v.Ref), func(v *place) error {
		switch {
		case v.Removed:
			return errRemoved
		case v.Gateway != at:
			return errMoved
		}
		v.Revision = revision // not the highest: a bucket that was lost counts from one again
		v.applied()
		v.PendingSince, v.Updated = time.Time{}, g.p.Time()
		return nil
	})
	if errors.Is(err, errRemoved) || errors.Is(err, errMoved) { // what was written must go again
		err = errors.Join(err, g.drop(ctx, at, string(v.Ref)))
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
		best, reason, err := choose(all, v.Protocol, v.Region, g.p.Time())
		if err != nil {
			return v, err
		}
		v, err = g.places.Update(ctx, ref, func(v *place) error {
			if v.Removed {
				return errRemoved
			}
			if v.Gateway == "" {
				v.Gateway, v.URL, v.Reason = best.ID, best.URL, reason
			}
			return nil
		})
		if err != nil {
			return v, err
		}
	}
	full := errors.New("full")
	_, err := g.gateways.Update(ctx, v.Gateway, func(w *gateway) error {
		now, err := g.places.Get(ctx, ref)
		switch {
		case err != nil:
			return err
		case now.Removed:
			return errRemoved
		case now.Gateway != w.ID, now.Counted, slices.Contains(w.Counting, ref):
			return store.Unchanged
		case w.Devices >= w.Capacity:
			return full
		}
		w.Devices++
		w.Counting = append(w.Counting, ref)
		return nil
	})
	at := v.Gateway
	if errors.Is(err, full) {
		return g.places.Update(ctx, ref, func(v *place) error {
			if v.Gateway == at && !v.Counted && !v.Removed {
				v.Gateway, v.URL, v.Reason = "", "", ""
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

// The place was taken away, or given elsewhere, while it was being made.
var (
	errRemoved = fmt.Errorf("%w: the device's place was taken away meanwhile", api.ErrConflict)
	errMoved   = fmt.Errorf("%w: the device gets a place elsewhere", api.ErrUnavailable)
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
	return err
}

func (g *gateways) getAssignment(ctx context.Context, call *faas.Call, _ faas.None) (api.Assignment, error) {
	ref := call.Var("ref")
	v, err := g.places.Get(ctx, ref)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) || err == nil && v.Removed {
		return api.Assignment{}, platform.NotFound("assignment", ref)
	}
	if err != nil || call.Caller.Kind == access.Part {
		return v.Assignment, err
	}
	if _, err := g.p.Twin(ctx, g.twins, call.Caller, access.Read, v.Twin); errors.Is(err, api.ErrNotFound) {
		return api.Assignment{}, platform.NotFound("assignment", ref)
	} else if err != nil {
		return api.Assignment{}, err
	}
	return v.Assignment, nil
}

// maxFind is how many references one call may ask for.
const maxFind = 1000

func (g *gateways) findAssignments(ctx context.Context, _ *faas.Call, in api.Resolve) ([]api.Assignment, error) {
	out := []api.Assignment{}
	if len(in.Refs) > maxFind {
		return out, api.Invalid("refs: at most %d at once, not %d", maxFind, len(in.Refs))
	}
	ids := make([]string, 0, len(in.Refs))
	for _, r := range in.Refs {
		if r.Valid() == nil {
			ids = append(ids, string(r))
		}
	}
	found, err := g.places.GetMany(ctx, ids)
	for _, v := range found {
		if !v.Removed && v.Gateway != "" {
			out = append(out, v.Assignment)
		}
	}
	return out, err
}
