package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// admit lets devices in. That they are admitted is noted first, then what the admission needs is made: whatever stops it in
// between, the device's next knock makes the rest.
func (f *function) admit(ctx context.Context, c *faas.Call, in api.Admit) (api.Decided, error) {
	if err := f.checkAdmit(ctx, c, &in); err != nil {
		return api.Decided{}, err
	}
	as := ctx
	if c.Token != "" {
		as = api.OnBehalf(ctx, c.Token)
	}
	return f.many(ctx, in.IDs, in.All, "admitted", func(id string) error {
		w, err := f.changeWaiting(ctx, id, func(w *waiting, now time.Time) error {
			if serial, ok := in.Serials[id]; ok && serial != w.Serial {
				return fmt.Errorf("%w: its serial is %q now, not %q; look again", api.ErrConflict, w.Serial, serial)
			}
			kind := in.Type
			if w.Asked { // its claim says what it comes in as
				kind = w.Type
			} else if kind == "" {
				kind = w.likeliest()
			}
			if w.State == api.WaitingAdmitted && w.Type == kind && (w.Asked || w.Owner == in.Owner) {
				return store.Unchanged // asked again
			}
			if kind == "" {
				return api.Invalid("type: there is no guess; name one")
			}
			if w.State != api.WaitingNow {
				return fmt.Errorf("%w: it is %s; unban it first", api.ErrConflict, w.State)
			}
			w.State, w.By, w.Reason, w.At, w.Type, w.Register, w.Settled = api.WaitingAdmitted, c.Caller.String(), in.Reason, now, kind, in.Register, false
			if !w.Asked {
				w.Owner, w.Location, w.Run = in.Owner, in.Location, ""
			}
			return nil
		})
		if err != nil || w.Settled {
			return err
		}
		if w, err = f.settle(as, w); refused(err) {
			return errors.Join(err, f.undoAdmission(ctx, &w, reason(err)))
		}
		return err
	})
}

func (f *function) checkAdmit(ctx context.Context, c *faas.Call, in *api.Admit) error {
	switch {
	case twin.ID(in.Owner).Valid() != nil:
		return api.Invalid("owner must be the id of the group that the devices will belong to")
	case bad(in.Reason, maxDeviceText):
		return api.Invalid("reason must be a text of at most %d bytes", maxDeviceText)
	case len(in.Serials) > atMost:
		return api.Invalid("serials: at most %d at a time, not %d", atMost, len(in.Serials))
	case in.Location != nil && in.Location.Validate() != nil:
		return in.Location.Validate()
	}
	if err := f.p.Group(ctx, c.Caller, "owner", in.Owner); err != nil || in.Type == "" {
		return err
	}
	_, err := f.typeFor(ctx, c.Caller, in.Type)
	return err
}

// typeFor is a type that the caller may bring devices in as.
func (f *function) typeFor(ctx context.Context, c access.Caller, id twin.TypeID) (twin.Twin, error) {
	if err := id.Valid(); err != nil {
		return twin.Twin{}, fmt.Errorf("type: %w", err)
	}
	t, err := f.p.Twin(ctx, f.twins, c, access.Read, id)
	if isNotFound(err) || err == nil && t.Kind != twin.Type {
		err = api.Invalid("type: there is no type %q; make it first", id)
	}
	return t, err
}

// settle makes what an admission needs: the identity, if people asked for that, and a claim that is good for this device once. Its
// token is thrown away: the device's key takes its place. Each part may be repeated.
func (f *function) settle(ctx context.Context, w waiting) (waiting, error) {
	if w.Settled {
		return w, nil
	}
	if err := f.identify(ctx, &w); err != nil {
		return w, err
	}
	claim := w.Claim
	if !w.Asked {
		file, err := f.p.API.CreateClaim(ctx, api.NewClaim{ID: w.claimID(), Type: w.Type, Owner: w.Owner, Location: w.Location, Serials: w.Serial,
			Expires: twin.Duration(admittedFor + time.Hour), MaxUses: 1})
		if err != nil {
			return w, err
		}
		claim = file.Claim.ID
	}
	at := w.At
	settled, err := f.list.Update(ctx, w.ID, func(v *waiting) error {
		if v.State != api.WaitingAdmitted || !v.At.Equal(at) {
			return errSuperseded
		}
		v.Claim, v.Settled = claim, true
		return nil
	})
	if err == nil {
		w = settled
		if w.Asked && w.Run != "" {
			f.goOnFor(ctx, w.Run)
		}
	}
	return w, err
}

// identify makes the identity of an admitted device, if people asked for that. It refuses a device whose serial or MAC is another's:
// its run would, at every knock, and nobody would see why in the list.
func (f *function) identify(ctx context.Context, w *waiting) error {
	r, err := f.runs.Get(ctx, runID(w.Type, w.Serial))
	switch {
	case err == nil && r.Outcome != provision.Rejected && r.Request.Key != w.Key && !standsIdle(&r):
		return refusal(fmt.Sprintf("serial %q is that of another device, which came in with another key by run %s; reset that run if this one takes its place", w.Serial, r.ID))
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	}
	var clash error
	if w.Register {
		_, clash = f.p.API.CreateIdentity(ctx, device.Identity{Serial: w.Serial, MAC: w.MAC, Model: w.Model, Maker: w.Maker, Type: string(w.Type)})
		if !errors.Is(clash, api.ErrExists) {
			return clash
		}
	}
	i, err := f.p.API.FindIdentity(ctx, w.Serial) // it may be known by now
	switch {
	case errors.Is(err, api.ErrNotFound):
		return clash
	case err != nil:
		return err
	case i.Owner != "" && i.Owner != w.Owner:
		return refusal(fmt.Sprintf("serial %q is known as %s, a device of group %s", w.Serial, i.ID, i.Owner))
	}
	if why := differs(&i, w.Type, w.Serial, w.MAC, w.Model); why != "" {
		return refusal(fmt.Sprintf("%s, as %s", why, i.ID))
	}
	return nil
}

// claimID is the same however often one admission is carried out, and another one's for each.
func (w *waiting) claimID() string {
	return "claim-" + w.ID + "-" + strconv.FormatInt(w.At.UnixMilli(), 36)
}

// undoAdmission has a device wait again that cannot be admitted.
func (f *function) undoAdmission(ctx context.Context, w *waiting, why string) error {
	at := w.At
	_, err := f.changeWaiting(ctx, w.ID, func(v *waiting, _ time.Time) error {
		if v.State != api.WaitingAdmitted || !v.At.Equal(at) || v.Settled {
			return store.Unchanged
		}
		v.unadmit("not admitted: " + why)
		return nil
	})
	return err
}

// goOnFor takes a run on that waited for its device's identity. Should that fail, the schedule does.
func (f *function) goOnFor(ctx context.Context, id string) {
	r, err := f.change(ctx, id, func(r *provision.Run, now time.Time) error {
		if r.Outcome != "" || r.Waiting || r.Rest.IsZero() || r.Next() != provision.CheckIdentity {
			return store.Unchanged
		}
		r.Rest, r.Due = time.Time{}, now.Add(provision.Pickup)
		return nil
	})
	if err == nil && r.Outcome == "" {
		_, err = f.goOn(ctx, id)
	}
	if err != nil && !isNotFound(err) {
		f.p.Log.WarnContext(ctx, "run not taken on yet", "run", id, "error", err)
	}
}
