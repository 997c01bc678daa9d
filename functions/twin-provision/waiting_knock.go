package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	// noteEvery is how often the knocks of a device that waits are noted; those in between cost no write.
	noteEvery = 30 * time.Second

	// admittedFor is how long an admitted device may take to knock again.
	admittedFor = 7 * 24 * time.Hour

	waits = "nobody knows this device yet; it waits to be let in"
)

// takeKnock takes the knock of a device that has shown nothing. It waits until people admit it; then its knocks are the requests
// of a run, with the claim that its admission has made.
func (f *function) takeKnock(ctx context.Context, c *faas.Call, in api.Knock) (api.ProvisionAnswer, error) {
	switch {
	case c.Caller.Gateway == "" || in.Gateway != c.Caller.Gateway:
		return api.ProvisionAnswer{}, fmt.Errorf("%w: a connector may speak for its own gateway only", access.ErrDenied)
	case !clientPattern.MatchString(in.Client):
		return api.ProvisionAnswer{}, api.Invalid("client must be 1 to 64 letters, digits, '-' or '_'")
	}
	ctx, cancel := asking(ctx)
	defer cancel()
	if err := f.speaksFor(ctx, in.Gateway, twin.Provisioning); err != nil {
		return api.ProvisionAnswer{}, err
	}
	w, err := readKnock(&in)
	if err != nil {
		metrics.Knocked("refused")
		return api.ProvisionAnswer{Status: rejected, Reason: reason(err)}, nil
	}
	for range 3 { // it may be admitted, or forgotten, meanwhile
		a, err := f.answerKnock(ctx, w)
		if !errors.Is(err, errSuperseded) {
			return a, err
		}
	}
	return api.ProvisionAnswer{}, errSuperseded
}

func (f *function) answerKnock(ctx context.Context, w waiting) (api.ProvisionAnswer, error) {
	old, err := f.list.Get(ctx, w.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		err = f.waitNew(ctx, w)
	case err != nil:
	case old.State == api.WaitingBanned:
		metrics.Knocked("banned")
		return api.ProvisionAnswer{Status: rejected, Reason: "this device is banned"}, nil
	case old.State == api.WaitingAdmitted:
		return f.comeIn(ctx, old, w)
	case old.another(&w) != "":
		metrics.Knocked("refused")
		return api.ProvisionAnswer{Status: rejected, Reason: old.another(&w)}, nil
	default:
		err = f.waitOn(ctx, &old, &w)
	}
	return api.ProvisionAnswer{Status: "pending", State: api.WaitingNow, Reason: waits}, err
}

// waitNew puts a device into the list. Where the list is full, the one that was not seen for longest gives way.
func (f *function) waitNew(ctx context.Context, w waiting) error {
	if err := f.makeRoom(ctx); err != nil {
		return err
	}
	now := f.p.Time()
	w.Count, w.First, w.Last = 1, now, now
	f.guess(ctx, &w)
	f.tally.move("", api.WaitingNow)
	f.tell(ctx, &w, now)
	err := f.list.Insert(ctx, w)
	if errors.Is(err, store.ErrExists) {
		return errSuperseded
	}
	if err == nil {
		metrics.Knocked("waiting")
		f.flush(ctx, w)
	}
	return err
}

// waitOn notes that a device still waits, and what it says otherwise than before.
func (f *function) waitOn(ctx context.Context, old, w *waiting) error {
	metrics.Knocked("again")
	now := f.p.Time()
	same := old.says(w)
	if same && now.Sub(old.Last) < noteEvery && !now.Before(old.Last) {
		return nil
	}
	if !same {
		f.guess(ctx, w)
	}
	_, err := f.list.Update(ctx, w.ID, func(v *waiting) error {
		if v.State != api.WaitingNow || v.another(w) != "" {
			return errSuperseded
		}
		v.Count, v.Last = v.Count+1, now
		if same {
			return nil
		}
		before := v.Waiting
		v.Waiting, v.CSR, v.PublicKey, v.Kind = w.Waiting, w.CSR, w.PublicKey, w.Kind
		v.Count, v.First, v.Last = before.Count, before.First, now
		v.By, v.Reason, v.At, v.Claim, v.Run, v.Type, v.Owner = before.By, before.Reason, before.At, before.Claim, before.Run, before.Type, before.Owner
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return errSuperseded
	}
	return err
}

// says tells whether the device says the same of itself as in w.
func (w *waiting) says(o *waiting) bool {
	a, b := &w.Waiting, &o.Waiting
	return a.Gateway == b.Gateway && a.Client == b.Client && a.Address == b.Address && a.Serial == b.Serial && a.MAC == b.MAC && a.Model == b.Model &&
		a.Maker == b.Maker && a.Protocol == b.Protocol && w.Kind == o.Kind && maps.Equal(a.Facts, b.Facts) && slices.Equal(a.Capabilities, b.Capabilities)
}

// comeIn makes the knock of an admitted device a request of its run.
func (f *function) comeIn(ctx context.Context, old, w waiting) (api.ProvisionAnswer, error) {
	metrics.Knocked("admitted")
	if old.Run == "" && f.p.Time().Sub(old.At) > admittedFor {
		_, err := f.changeWaiting(ctx, w.ID, func(v *waiting, now time.Time) error {
			if v.State != api.WaitingAdmitted || !v.At.Equal(old.At) {
				return errSuperseded
			}
			v.unadmit("it did not come within " + twin.Duration(admittedFor).String() + " of its admission by " + v.By)
			v.Last = now
			return nil
		})
		return api.ProvisionAnswer{Status: "pending", State: api.WaitingNow, Reason: waits}, err
	}
	if old.Serial != w.Serial {
		return api.ProvisionAnswer{Status: rejected, Reason: fmt.Sprintf("serial %q is not the one that this device was admitted with", w.Serial)}, nil
	}
	old, err := f.settle(ctx, old)
	if err != nil {
		return f.noComing(ctx, old, err)
	}
	req := provision.Request{Claim: old.Claim, Serial: w.Serial, MAC: w.MAC, Model: w.Model, Facts: maps.Clone(w.Facts), CSR: w.CSR, Key: w.Key,
		PublicKey: w.PublicKey, Protocol: w.Protocol, Kind: w.Kind, Gateway: w.Gateway, Client: w.Client, Listed: w.ID}
	r, err := f.enter(ctx, old.Type, req)
	var no refusal
	if errors.As(err, &no) {
		if r.Request.Key != w.Key { // the serial is another device's, or there is no run
			err = f.endAdmission(ctx, &old, string(no))
		} else {
			err = nil
		}
		return api.ProvisionAnswer{Status: rejected, Reason: string(no)}, err
	}
	if err == nil && old.Run != r.ID {
		_, err = f.list.Update(ctx, old.ID, func(v *waiting) error {
			v.Run, v.Last = r.ID, f.p.Time()
			return nil
		})
		if errors.Is(err, store.ErrNotFound) {
			err = nil // forgotten meanwhile; it is in
		}
	}
	if err != nil {
		return api.ProvisionAnswer{}, err
	}
	if r.Ready(f.p.Time()) {
		if r, err = f.advance(ctx, r.ID); err == nil && r.Outcome == provision.Rejected {
			err = f.endAdmission(ctx, &old, r.Reason)
		}
		if err != nil {
			return api.ProvisionAnswer{}, err
		}
	}
	return answer(&r), nil
}

// endAdmission has a device wait again that was admitted and then refused, with the reason, for people to see: it is theirs to mend.
func (f *function) endAdmission(ctx context.Context, w *waiting, why string) error {
	at := w.At
	_, err := f.changeWaiting(ctx, w.ID, func(v *waiting, _ time.Time) error {
		if v.State != api.WaitingAdmitted || !v.At.Equal(at) {
			return store.Unchanged
		}
		v.unadmit("admitted, and refused then: " + short(why, maxDeviceText))
		return nil
	})
	if isNotFound(err) {
		err = nil // forgotten meanwhile
	}
	return err
}

// noComing tells a device whose admission cannot be carried out why. People see it in the list.
func (f *function) noComing(ctx context.Context, w waiting, err error) (api.ProvisionAnswer, error) {
	if !refused(err) {
		return api.ProvisionAnswer{}, err
	}
	if err := f.undoAdmission(ctx, &w, reason(err)); err != nil {
		return api.ProvisionAnswer{}, err
	}
	return api.ProvisionAnswer{Status: "pending", State: api.WaitingNow, Reason: waits}, nil
}

// unadmit has the device wait again.
func (w *waiting) unadmit(why string) {
	w.State, w.Reason, w.Settled = api.WaitingNow, why, false
	if !w.Asked {
		w.Claim = ""
	}
}
