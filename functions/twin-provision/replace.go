package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// replace lets a new device take over a twin. Its identity becomes the new device's first, after which the old one is refused
// wherever it asks; then what the old one had is withdrawn. Asked again, it does what is left to do. The answer is the run of the
// old device; zero if it came in without one.
func (f *function) replace(ctx context.Context, c *faas.Call, in api.Replacement) (out provision.Run, err error) {
	i, err := readIdentity(in.Serial, in.MAC, in.Model, in.Maker)
	switch {
	case err != nil:
		return out, err
	case strings.TrimSpace(in.Reason) == "" || !legible(in.Reason, maxDeviceText):
		return out, api.Invalid("reason must say why, in plain text of at most %d bytes", maxDeviceText)
	}
	t, err := f.p.Twin(ctx, f.twins, c.Caller, access.Write, in.Twin)
	if err != nil {
		return out, err
	}
	if t.Kind != twin.Instance {
		return out, api.Invalid("twin: %s is no device's", in.Twin)
	}
	if err := f.notOnItsWay(ctx, c.Caller, &t, i.Serial); err != nil {
		return out, err
	}
	as := ctx
	if c.Token != "" {
		as = api.OnBehalf(ctx, c.Token)
	}
	in.Serial, in.MAC, in.Model, in.Maker = i.Serial, i.MAC, i.Model, i.Maker
	if _, err := f.p.API.ReplaceIdentity(as, in.Twin, api.IdentityReplacement{Serial: in.Serial, MAC: in.MAC, Model: in.Model, Maker: in.Maker, Reason: in.Reason}); err != nil {
		return out, err
	}
	if out, err = f.cutOff(ctx, in.Twin, in.Serial, in.Reason, c.Caller.String()); err != nil {
		return out, err
	}
	return out, f.p.API.NoteCutOff(ctx, in.Twin, in.Serial)
}

// cutOff has what the twin's devices before the one with this serial had withdrawn. It returns the run that changed last.
func (f *function) cutOff(ctx context.Context, id twin.ID, serial, reason, by string) (out provision.Run, err error) {
	why := short(fmt.Sprintf("replaced by the device with serial %s: %s", serial, reason), maxDeviceText)
	page, err := f.runs.Find(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", id), Limit: store.DefaultLimit, Partial: true})
	if err != nil {
		return out, err
	}
	for _, old := range page.Items {
		if old.Request.Serial == serial {
			continue // it is the new device's already
		}
		r, err := f.change(ctx, old.ID, func(r *provision.Run, now time.Time) error {
			if r.Round != old.Round || r.Outcome == provision.Rejected {
				return store.Unchanged
			}
			r.Results.TwinMade = false // it is the new device's
			if r.Withdrawing {
				return nil
			}
			r.Reset(by, why, now)
			return nil
		})
		if err == nil {
			r, err = f.goOn(ctx, r.ID)
		}
		if err != nil {
			return out, err
		}
		if r.Updated.After(out.Updated) {
			out = r
		}
	}
	return out, nil
}

// sweepReplaced ends what devices have that were replaced by somebody who died before that, or was somebody else than this
// function. It returns how many there were.
func (f *function) sweepReplaced(ctx context.Context) (n int, err error) {
	page, err := f.p.API.Replacing(ctx)
	if err != nil {
		return 0, err
	}
	var faults []error
	for _, i := range page.Items {
		if f.p.Time().Sub(i.Replacing) < sweepAfter || len(i.Former) == 0 {
			continue
		}
		last := i.Former[len(i.Former)-1]
		_, err := f.cutOff(ctx, i.ID, i.Serial, last.Reason, last.By)
		if err == nil {
			err = f.p.API.NoteCutOff(ctx, i.ID, i.Serial)
		}
		n, faults = n+1, append(faults, err)
	}
	return n, errors.Join(faults...)
}

// notOnItsWay refuses a new device that a run brings in as another one, unless it has taken the twin over already.
func (f *function) notOnItsWay(ctx context.Context, c access.Caller, t *twin.Twin, serial string) error {
	i, err := f.p.API.GetIdentity(ctx, t.ID)
	if err != nil || i.Serial == serial {
		if errors.Is(err, api.ErrNotFound) {
			err = nil // the replacement says so
		}
		return err
	}
	id := runID(t.Definition.Type, serial)
	r, err := f.runs.Get(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		err = f.free(ctx, id, id, serial)
	case err == nil && r.Outcome == "" && r.Twin != t.ID:
		err = taking(&r)
	}
	return f.named(ctx, c, err)
}
