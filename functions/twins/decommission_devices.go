package twins

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"golang.org/x/sync/errgroup"
)

const (
	devicesAtOnce = 100             // that one pass has go along
	devicesFor    = 5 * time.Second // how long a pass begins with more of them
	maxFaults     = 10              // that a pass tells of
)

// endDevices has the devices go along that the one of v speaks for, as far as it gets, and tells whether any are left. Each is
// decommissioned like any other, with a proof of its own; it is found by its credential until that is revoked, so after a crash those
// that are found are those that are left.
func (f *function) endDevices(ctx context.Context, v *decommission) (left bool, err error) {
	if !v.WithDevices { // it had none when that was asked for
		n, err := f.speaksFor(ctx, v.Twin)
		if n > 0 {
			v.Waits = fmt.Sprintf("%s, for which it speaks since it was asked for: ask again with withDevices (castor twin decommission %s --with-devices), or have another speak for them (castor device move)",
				numbered(n), v.Twin)
		}
		return n > 0, err
	}
	// Those that cannot go stay where they are found, so a pass begins behind the last one's: they do not hold up the others.
	page, err := f.spoken.Find(ctx, store.Query{Index: "by-via", Limit: devicesAtOnce, Filter: store.And(store.Eq("viaTwin", v.Twin), store.Gt("_id", string(v.Past)))})
	if err != nil {
		return true, err
	}
	var (
		faults = make([]error, len(page.Items))
		until  = time.Now().Add(devicesFor)
		went   atomic.Bool
		g      errgroup.Group
	)
	g.SetLimit(endingsAtOnce)
	v.Past = ""
	for i, s := range page.Items {
		if i > 0 && time.Now().After(until) {
			v.Past = page.Items[i-1].Twin
			break
		}
		if page.Next != "" {
			v.Past = s.Twin
		}
		g.Go(func() error {
			gone, err := f.goesAlong(ctx, s.Twin, v)
			if gone {
				went.Store(true)
			}
			if err != nil {
				faults[i] = fmt.Errorf("twin %s: %w", s.Twin, err)
			}
			return nil
		})
	}
	_ = g.Wait()
	faults = slices.DeleteFunc(faults, func(err error) bool { return err == nil })
	faults = faults[max(0, len(faults)-maxFaults):]
	n := 0
	faults = append(faults, f.eachDevice(ctx, v.Twin, maxTold, func(found []twin.Twin) bool {
		n += len(found)
		return n >= maxTold
	}))
	if n > 0 {
		v.Waits = numbered(n) + " for which it speaks to go first"
		if went.Load() {
			v.Due = f.p.Time().Add(-headStart)
		}
	}
	return n > 0, errors.Join(faults...)
}

// goesAlong decommissions a device for which the one of with speaks, or goes on with it, and tells whether its access has ended. Its proof is
// known by the time at which with's was asked for, so that it is made once. One that is moving is left until that is decided: it may stay
// elsewhere.
func (f *function) goesAlong(ctx context.Context, id twin.ID, with *decommission) (gone bool, err error) {
	if s, err := f.spoken.Get(ctx, string(id)); err != nil || s.Via != with.Twin || s.Moving != "" {
		return false, err
	}
	t, err := f.retire(ctx, hand{caller: access.Caller{Kind: access.Part, ID: f.p.Part}}, id)
	if errors.Is(err, api.ErrNotFound) {
		return false, nil // somebody has deleted it
	} else if err != nil {
		return false, err
	}
	v, err := f.newest(ctx, id)
	if err != nil && !errors.Is(err, api.ErrNotFound) {
		return false, err
	}
	if err != nil || v.State == api.DecommissionDone { // else somebody decommissions it on its own
		v = proofOf(&t, with.Asked)
		v.By, v.Reason, v.Data, v.With = with.By, with.Reason, with.Data, with.Twin
		if err := f.ended.Insert(ctx, v); err != nil && !errors.Is(err, store.ErrExists) {
			return false, err
		}
	}
	now, err := f.goOnEnding(ctx, v.ID)
	return err == nil && now.State != api.DecommissionAccess, err
}
