package twinprovision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
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
	t := provision.DeviceConfirm
	if in.Seen {
		t = provision.DeviceSeen
	}
	if err := f.follow(ctx, in); err != nil {
		return faas.None{}, err
	}
	return faas.None{}, f.trigger(ctx, string(in.Ref), in.Gateway, t, "device")
}

// follow gives the run of a relayed device the reference that its credential has now: it became another when the device that speaks for
// it was enrolled anew. A confirmation that is nobody's is no fault, but the log says so.
func (f *function) follow(ctx context.Context, in api.Confirmation) error {
	page, err := f.runs.Find(ctx, store.Query{Index: "by-ref", Filter: store.Eq("results.deviceRef", in.Ref), Fields: []string{"_id"}, Limit: 1})
	if err != nil || len(page.Items) > 0 || in.Twin.Valid() != nil {
		return err
	}
	facts, err := f.p.API.ListCredentials(ctx, in.Twin)
	if err != nil {
		return err
	}
	its := slices.ContainsFunc(facts.Items, func(c api.CredentialFact) bool {
		return c.Ref == in.Ref && c.Kind == device.Relayed && c.State != api.CredentialEnded
	})
	followed := false
	if its {
		err = f.runs.Scan(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", in.Twin), Fields: []string{"twin", "results"}}, func(old provision.Run) error {
			if old.Results.Kind != string(device.Relayed) || old.Results.DeviceRef == "" {
				return nil
			}
			_, err := f.change(ctx, old.ID, func(r *provision.Run, _ time.Time) error {
				if r.Results.DeviceRef != old.Results.DeviceRef {
					return store.Unchanged // another round's
				}
				r.Results.DeviceRef = string(in.Ref)
				return nil
			})
			followed = followed || err == nil
			return err
		})
	}
	if err == nil && !followed {
		f.p.Log.InfoContext(ctx, "a device is here whose credential is not confirmed, and no run waits for it", "ref", in.Ref, "twin", in.Twin, "gateway", in.Gateway)
	}
	return err
}

// events takes what gateways have written back, has runs go with their twins, and ends those of twins that were deleted.
func (f *function) events(ctx context.Context, events []event.Event) error {
	return each(events, func(e event.Event) error {
		ctx := e.Context(ctx)
		switch e.Topic {
		case event.GatewayApplied:
			var d api.GatewayApplied
			if e.Decode(&d) == nil && !d.Removed && d.Lost == "" {
				return f.trigger(ctx, d.Client, d.Gateway, provision.GatewayReady, "gateway:"+d.Gateway)
			}
		case event.TwinMoved:
			var d api.TwinChanged
			if e.Decode(&d) == nil {
				return f.twinMoved(ctx, d.Twin)
			}
		case event.TwinResumed:
			var d api.TwinChanged
			if e.Decode(&d) == nil {
				return f.twinResumed(ctx, d.Twin)
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
	went, left := false, false
	id := page.Items[0].ID
	_, err = f.change(ctx, id, func(r *provision.Run, now time.Time) error {
		went, left = false, false
		if r.Results.DeviceRef != ref || r.Results.Gateway != "" && r.Results.Gateway != gateway {
			return store.Unchanged // it is another round's, or of a gateway the device has left
		}
		n := len(r.Came)
		went = r.Triggered(t, actor, "", now)
		// It is told again when nobody knows what came of it: whoever went on with the run may have died at it, and need not be
		// waited for. If it lives both do the same, once.
		left = !went && r.Ready(now)
		if !went && len(r.Came) == n {
			return store.Unchanged
		}
		return nil
	})
	if err != nil || !went && !left {
		return err
	}
	// The trigger is stored: should this fail, the schedule takes the run on.
	if _, err := f.goOn(ctx, id); err != nil {
		f.p.Log.WarnContext(ctx, "run not taken on yet", "run", id, "error", err)
	}
	return nil
}

// twinMoved gives the runs of a twin to whom it belongs now. The twin is read after the run: a change that met an older twin than
// another one did finds the run changed, and begins again. Where it is gone, twinDeleted knows whose it was.
func (f *function) twinMoved(ctx context.Context, id twin.ID) error {
	q := store.Query{Index: "by-twin", Filter: store.Eq("twin", id), Fields: []string{"twin"}}
	return f.runs.Scan(ctx, q, func(r provision.Run) error {
		_, err := f.change(ctx, r.ID, func(r *provision.Run, _ time.Time) error {
			if !settled(r) {
				return store.Unchanged
			}
			scope, err := f.scopeOf(ctx, r)
			if err == nil && (scope == nil || scope.Owner == r.Owner) {
				err = store.Unchanged
			}
			if err == nil {
				r.Owner = scope.Owner
			}
			return err
		})
		return err
	})
}

// twinDeleted resets the run of a twin that is there no more, and leaves it to whom the twin belonged last. The run is read
// before the twin is looked for, so that a newer round is left alone.
func (f *function) twinDeleted(ctx context.Context, d api.TwinChanged) error {
	page, err := f.runs.Find(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", d.Twin)})
	if err != nil || len(page.Items) == 0 {
		return err
	}
	if _, err := f.p.API.GetTwin(ctx, d.Twin); err == nil || !errors.Is(err, api.ErrNotFound) {
		return err
	}
	for _, old := range page.Items {
		if !old.Results.TwinReady && !lastOf(d, &old) {
			continue
		}
		_, err := f.change(ctx, old.ID, func(r *provision.Run, now time.Time) error {
			if r.Round != old.Round {
				return store.Unchanged
			}
			left := lastOf(d, r)
			if left {
				r.Owner = d.Before.Owner
			}
			if !r.Results.TwinReady || r.Withdrawing || r.Outcome == provision.Rejected {
				if left {
					return nil
				}
				return store.Unchanged
			}
			if r.Outcome == provision.Completed { // else its session still waits to hear of it
				r.Free, r.CameIn = true, completed(r)
			}
			r.Reset("platform:twins", departed(r, d), now)
			r.Hears = "twin " + string(d.Twin) + " was deleted"
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

// departed says why a run whose twin is gone is undone, to people who look for the device: who took it out, which comes first for lists that
// cut it, and that it had come in.
func departed(r *provision.Run, d api.TwinChanged) string {
	why := cmp.Or(d.Why, fmt.Sprintf("twin %s was deleted", d.Twin))
	if !r.CameIn.IsZero() {
		why += " (had completed on " + r.CameIn.UTC().Format(time.DateOnly) + ")"
	}
	return why
}

// completed is when a run that has completed did.
func completed(r *provision.Run) time.Time {
	for _, s := range slices.Backward(r.Steps) {
		if s.Outcome == "ended" && s.Reason == string(provision.Completed) {
			return s.At
		}
	}
	return r.Updated
}

// lastOf tells whether a run is to be given to whom its twin belonged when it was deleted.
func lastOf(d api.TwinChanged, r *provision.Run) bool {
	return d.Before != nil && d.Before.Type == r.Type && d.Before.Owner != r.Owner && settled(r)
}

// settled tells whether the run's twin decides whose it is. Before, its claim does: the run must not become that of a twin that
// it may yet be refused. So it is again for one that was rejected: the twin may be others' by now, or was from the beginning.
func settled(r *provision.Run) bool { return r.Results.TwinReady }
