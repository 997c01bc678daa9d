package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/trace"
)

// maxHops bounds how far one call takes a run; the schedule takes it on.
const maxHops = 50

// self is who acts when the platform does.
const self = "platform:twin-provision"

// A refusal is an error that repeating does not help against. Its text is the reason that the device is told.
type refusal string

func (r refusal) Error() string { return string(r) }

// advance does what is to be done of a run until it waits, rests or ends. Any instance may, several at once too: an action is
// idempotent, and what comes of an attempt counts once.
func (f *function) advance(ctx context.Context, id string) (provision.Run, error) {
	r, err := f.runs.Get(ctx, id)
	told := "" // the event of the hop before
	ctx, judge := f.metered(ctx)
	looked := false // this very call has looked at the claim
	for range maxHops {
		if err != nil || !r.Ready(f.p.Time()) || judge.spent > judgeFor {
			break
		}
		before := r.Attempt
		var waits hold
		var stands stop
		var over lapse
		made, failure := result{}, f.stopped(ctx, &r)
		if failure == nil && !looked && makes(r.Next()) {
			failure = f.lapsed(ctx, &r)
		}
		if failure == nil {
			looked = looked || r.Next() == provision.CheckClaim
			made, failure = f.act(ctx, &r)
		}
		if ctx.Err() != nil {
			return r, ctx.Err() // what came of it is not known; the attempt is repeated
		}
		r, told, err = f.changeOn(ctx, id, told, func(r *provision.Run, now time.Time) error {
			switch {
			case r.Attempt != before || !r.Ready(now):
				return store.Unchanged
			case failure == nil:
				made.apply(r)
				r.Done(self, made.note, now)
			case errors.As(failure, &stands):
				r.Suspended(self, string(stands), now)
			case errors.As(failure, &over):
				r.Reset(self, string(over), now)
			case errors.As(failure, &waits):
				held(r, string(waits), now)
			case refused(failure):
				r.Refused(self, reason(failure), now)
			default:
				r.Failed(self, reason(failure), now)
			}
			return nil
		})
	}
	if err != nil {
		return r, err
	}
	if err := f.outbox.Flush(ctx, r); err != nil {
		f.p.Log.WarnContext(ctx, "steps not published yet", "run", id, "error", err)
	}
	if r.Asks != nil && r.Asks.Told.IsZero() {
		if err := f.tellAsked(ctx, &r); err != nil {
			f.p.Log.WarnContext(ctx, "people not told yet that they are asked", "run", id, "error", err)
		}
	}
	return r, nil
}

// goOn is advance for when the device does not wait for an answer: it is sent the reason if its run was rejected, and hears
// it when it asks again soon if it is not there.
func (f *function) goOn(ctx context.Context, id string) (provision.Run, error) {
	r, err := f.advance(ctx, id)
	if err == nil && r.Outcome == provision.Rejected {
		if err := f.send(ctx, &r, answer(&r)); err != nil {
			f.p.Log.InfoContext(ctx, "rejection not brought to the device", "run", id, "error", err)
		}
	}
	return r, err
}

// change alters a run by compare-and-swap; what it logs is put into the outbox with it.
func (f *function) change(ctx context.Context, id string, do func(r *provision.Run, now time.Time) error) (provision.Run, error) {
	r, _, err := f.changeOn(ctx, id, "", do)
	return r, err
}

// changeOn is change by a call that has put event told into the outbox before, and has not published it yet: what is logged
// goes into one event with that. Each event is synced, one after the other, and that is what limits how many devices can be
// provisioned at a time. It returns the event that it has put there; "" if none.
func (f *function) changeOn(ctx context.Context, id, told string, do func(r *provision.Run, now time.Time) error) (provision.Run, string, error) {
	var tells string
	r, err := f.runs.Update(ctx, id, func(r *provision.Run) error {
		tells = ""
		now, was := f.p.Time(), r.Outcome
		if err := do(r.Under(f.guardOf(ctx)), now); err != nil {
			return err
		}
		if r.Outcome == provision.Rejected && r.Outcome != was && !asks(ctx) && !r.Free {
			r.Sent = now
		}
		if err := f.tellOn(ctx, r, told, now); err != nil {
			return err
		}
		if len(r.Fresh()) > 0 {
			tells = r.Outbox.Newest()
		}
		return nil
	})
	return r, tells, err
}

// tellOf puts what was logged into the run's outbox.
func (f *function) tellOf(ctx context.Context, r *provision.Run, now time.Time) error {
	return f.tellOn(ctx, r, "", now)
}

// tellOn is tellOf in place of event told, if that is the newest that is held back: its steps are told with the new ones. Should
// another instance have published it meanwhile, they are told twice.
func (f *function) tellOn(ctx context.Context, r *provision.Run, told string, now time.Time) error {
	if len(r.Fresh()) == 0 {
		return nil
	}
	scope, err := f.scopeOf(ctx, r)
	if err != nil {
		return err
	}
	r.Mark(trace.Of(ctx))
	all := api.ProvisionStep{Run: r.ID, Type: r.Type, Twin: r.Twin, Owner: r.Owner, Serial: r.Request.Serial, Outcome: r.Outcome, Steps: r.Fresh(), Scope: scope}
	if told != "" && r.Outbox.Newest() == told {
		var d api.ProvisionStep
		if err := r.Outbox.Take().Decode(&d); err != nil {
			return err
		}
		all.Steps = append(d.Steps, all.Steps...)
	}
	if r.Outbox.Full() {
		return fmt.Errorf("%w: too many steps of run %s are still to be published", api.ErrUnavailable, r.ID)
	}
	r.Outbox.Add(r.ID, event.ProvisionStep, r.ID, now, all)
	r.Outbox.Mark(trace.Of(ctx))
	return nil
}

// scopeOf is who may see the run's twin as it is now, which may have been given to others since; nil where there is none,
// or it is not the run's yet.
func (f *function) scopeOf(ctx context.Context, r *provision.Run) (*api.TwinScope, error) {
	if r.Twin == "" || !settled(r) {
		return nil, nil
	}
	t, err := f.twins.Get(ctx, string(r.Twin))
	if errors.Is(err, store.ErrNotFound) || err == nil && (!t.Deleted.IsZero() || t.Definition.Type != r.Type) {
		return nil, nil
	}
	return api.ScopeOf(&t), err
}

// refused tells whether repeating the action cannot help: a function has said no. Everything else may pass: networks, a
// function that is being replaced, a store that is away.
func refused(err error) bool {
	if errors.As(err, new(refusal)) {
		return true
	}
	var p *api.Problem
	if !errors.As(err, &p) || p.CallID == "" { // a function's own answer carries the call's id; a gateway's does not
		return false
	}
	for _, passing := range []error{access.ErrUnauthenticated, api.ErrTooMany, api.ErrStale} {
		if errors.Is(err, passing) {
			return false
		}
	}
	return p.Status >= 400 && p.Status < 500
}

// reason is an error as people are told it.
func reason(err error) string {
	var p *api.Problem
	if errors.As(err, &p) {
		return p.Error()
	}
	return err.Error()
}
