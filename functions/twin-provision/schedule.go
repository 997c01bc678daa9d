package twinprovision

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"golang.org/x/sync/errgroup"
)

const (
	// atOnce bounds how many runs one call works on at a time, so that provisioning does not crowd out operation.
	atOnce = 4

	// maxDue is how many due runs one tick takes up.
	maxDue = 100

	sweepAfter    = 10 * time.Second
	rejectedFor   = 30 * 24 * time.Hour // how long a rejected run is kept
	maxRejections = 10_000
)

// each does do for every item, a few at a time, and returns the errors joined: one does not hold up the others.
func each[T any](items []T, do func(T) error) error {
	var g errgroup.Group
	g.SetLimit(atOnce)
	errs := make([]error, len(items))
	for i, item := range items {
		g.Go(func() error { errs[i] = do(item); return nil })
	}
	g.Wait()
	return errors.Join(errs...)
}

// schedule takes on the runs whose rest or limit is over, and those that somebody has left unfinished.
func (f *function) schedule(ctx context.Context, _ time.Time) error {
	_, err := f.due(ctx)
	return err
}

func (f *function) due(ctx context.Context) (int, error) {
	now := f.p.Time()
	page, err := f.runs.Find(ctx, store.Query{Index: "by-due", Limit: maxDue, Fields: []string{"due"},
		Filter: store.And(store.Gt("due", time.UnixMilli(0)), store.Lte("due", now))})
	if err != nil {
		return 0, err
	}
	return len(page.Items), each(page.Items, func(r provision.Run) error { return f.takeUp(ctx, r.ID) })
}

// takeUp makes a due run this instance's for a while, notes that its limit has passed if it has, and takes it on.
func (f *function) takeUp(ctx context.Context, id string) error {
	mine, reminds := false, false
	before, err := f.runs.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	var stands stop
	if err := f.stopped(ctx, &before); err != nil && !errors.As(err, &stands) {
		return err
	}
	r, err := f.change(ctx, id, func(r *provision.Run, now time.Time) error {
		mine, reminds = false, false
		if r.Due.IsZero() || now.Before(r.Due) {
			return store.Unchanged // somebody else was faster
		}
		late := !r.Deadline.IsZero() && !now.Before(r.Deadline)
		if stands != "" && r.Attempt == before.Attempt && (!r.Waiting || late) { // people who are asked are reminded all the same
			r.Suspended(self, string(stands), now)
			return nil
		}
		mine = true
		if !r.Late(now) {
			r.Due = now.Add(provision.Pickup)
			reminds = r.Asks != nil && !r.Asks.Remind.IsZero() && !now.Before(r.Asks.Remind)
		}
		return nil
	})
	if err != nil || !mine {
		return err
	}
	if reminds {
		if _, over, err := f.lapse(ctx, &r); over || err != nil {
			return err // nobody is to be asked about a device that is turned away
		}
		return f.remind(ctx, &r)
	}
	_, err = f.goOn(ctx, id)
	return err
}

// sweep does what the schedule does, publishes what was not, and forgets what is old.
func (f *function) sweep(ctx context.Context, _ *faas.Call, _ faas.None) (out api.Swept, err error) {
	now := f.p.Time()
	_, dueErr := f.due(ctx)
	n, outErr := f.outbox.Sweep(ctx, now.Add(-sweepAfter))
	_, oldErr := f.runs.DeleteRange(ctx, store.Query{Index: "by-outcome",
		Filter: store.And(store.Eq("outcome", provision.Rejected), store.Lt("updated", now.Add(-rejectedFor)))})
	waits, waitErr := f.sweepWaiting(ctx)
	replaced, replErr := f.sweepReplaced(ctx)
	out.Repaired = n + waits + replaced
	return out, errors.Join(dueErr, outErr, oldErr, waitErr, replErr, f.sweepSerials(ctx), f.trim(ctx))
}
