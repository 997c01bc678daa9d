package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// confirm takes a device's confirmation on its operational gateway. It is idempotent, and one that no run waits for is taken
// too: the device has done its part.
func (f *function) confirm(ctx context.Context, c *faas.Call, in api.Confirmation) (faas.None, error) {
	if c.Caller.Gateway == "" || in.Gateway != c.Caller.Gateway {
		return faas.None{}, fmt.Errorf("%w: a connector may speak for its own gateway only", access.ErrDenied)
	}
	if err := in.Ref.Valid(); err != nil {
		return faas.None{}, fmt.Errorf("ref: %w", err)
	}
	if err := f.speaksFor(ctx, in.Gateway, twin.Operational); err != nil {
		return faas.None{}, err
	}
	return faas.None{}, f.trigger(ctx, string(in.Ref), in.Gateway, provision.DeviceConfirm, "device")
}

// events takes what gateways have written back, and ends the runs of twins that were deleted.
func (f *function) events(ctx context.Context, events []event.Event) error {
	return each(events, func(e event.Event) error {
		ctx := e.Context(ctx)
		switch e.Topic {
		case event.GatewayApplied:
			var d api.GatewayApplied
			if e.Decode(&d) == nil && !d.Removed {
				return f.trigger(ctx, d.Client, d.Gateway, provision.GatewayReady, "gateway:"+d.Gateway)
			}
		case event.TwinDeleted:
			var d api.TwinChanged
			if e.Decode(&d) == nil {
				return f.twinDeleted(ctx, d)
			}
		}
		return nil
	})
}

// trigger tells the run of a device that t came from its gateway, and takes it on.
func (f *function) trigger(ctx context.Context, ref, gateway string, t provision.Trigger, actor string) error {
	page, err := f.runs.Find(ctx, store.Query{Index: "by-ref", Filter: store.Eq("results.deviceRef", ref), Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return err
	}
	went := false
	id := page.Items[0].ID
	_, err = f.change(ctx, id, func(r *provision.Run, now time.Time) error {
		went = false
		if r.Results.DeviceRef != ref || r.Results.Gateway != "" && r.Results.Gateway != gateway {
			return store.Unchanged // it is another round's, or of a gateway the device has left
		}
		n := len(r.Came)
		went = r.Triggered(t, actor, "", now)
		if !went && len(r.Came) == n {
			return store.Unchanged
		}
		return nil
	})
	if err != nil || !went {
		return err
	}
	// The trigger is stored: should this fail, the schedule takes the run on.
	if _, err := f.goOn(ctx, id); err != nil {
		f.p.Log.WarnContext(ctx, "run not taken on yet", "run", id, "error", err)
	}
	return nil
}

// twinDeleted resets the run of a twin that is there no more. The run is read before the twin is looked for, so that a newer
// round is left alone.
func (f *function) twinDeleted(ctx context.Context, d api.TwinChanged) error {
	page, err := f.runs.Find(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", d.Twin)})
	if err != nil || len(page.Items) == 0 {
		return err
	}
	if _, err := f.p.API.GetTwin(ctx, d.Twin); err == nil || !errors.Is(err, api.ErrNotFound) {
		return err
	}
	for _, old := range page.Items {
		if !old.Results.TwinReady {
			continue
		}
		_, err := f.change(ctx, old.ID, func(r *provision.Run, now time.Time) error {
			if r.Round != old.Round || !r.Results.TwinReady || r.Withdrawing || r.Outcome == provision.Rejected {
				return store.Unchanged
			}
			r.Reset("platform:twins", "twin "+string(d.Twin)+" was deleted", now)
			return nil
		})
		if err != nil {
			return err
		}
		if _, err := f.goOn(ctx, old.ID); err != nil {
			f.p.Log.WarnContext(ctx, "run not taken on yet", "run", old.ID, "error", err)
		}
	}
	return nil
}
