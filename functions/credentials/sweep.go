package credentials

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

const (
	// grace is how long gateways let an expired claim connect, so that a device that is late is told the reason.
	grace = time.Hour

	// sweepAfter is how old unfinished work must be before a sweep takes it up: whoever does it may still be at it.
	sweepAfter = 10 * time.Second
)

// self looks at twins for the function's own sake.
var self = access.Caller{Kind: access.Part, ID: "credentials"}

// tell has the provisioning gateways admit the claim, or dismiss it once it is over, and notes that they know. A claim that
// is over never comes back.
func (c *credentials) tell(ctx context.Context, v claim) error {
	if v.PendingSince.IsZero() {
		return nil
	}
	var err error
	if v.over() {
		err = c.p.API.DismissClaim(ctx, v.ID)
	} else {
		err = c.p.API.AdmitClaim(ctx, api.Admission{Client: v.ID, Phase: "provisioning", Verifiers: []string{v.Verifier}, Type: v.Type, Expires: v.Expires.Add(grace)})
	}
	if err != nil {
		return err
	}
	over := v.over()
	_, err = c.claims.Update(ctx, v.ID, func(v *claim) error {
		if v.over() != over || v.PendingSince.IsZero() {
			return store.Unchanged // it ended meanwhile, and whoever ended it tells that
		}
		v.PendingSince = time.Time{}
		return nil
	})
	return err
}

// sweep finishes what a crash or an outage left: claims and renewals the gateways have not heard of, uses half counted,
// moves half made or not told of, events not published. One that does not work out does not hold up the others.
func (c *credentials) sweep(ctx context.Context, _ *faas.Call, _ faas.None) (out api.Swept, err error) {
	before := c.p.Time().Add(-sweepAfter)
	old := func(field string) store.Filter {
		return store.And(store.Gt(field, time.UnixMilli(0)), store.Lte(field, before))
	}
	var faults []error
	pending, err := c.claims.Find(ctx, store.Query{Index: "by-pending", Filter: old("pendingSince"), Limit: 1000})
	faults = append(faults, err)
	for _, v := range pending.Items {
		faults = append(faults, c.tell(ctx, v))
	}
	open, err := c.claims.Find(ctx, store.Query{Index: "by-open", Filter: old("openSince"), Limit: 1000})
	faults = append(faults, err)
	for _, v := range open.Items {
		for _, run := range slices.Clone(v.Taking) {
			faults = append(faults, c.settleTaken(ctx, v.ID, run, ""))
		}
		for _, run := range slices.Clone(v.Returning) {
			faults = append(faults, c.settleReturned(ctx, v.ID, run))
		}
	}
	uninformed, err := c.creds.Find(ctx, store.Query{Index: "by-pending", Filter: old("pendingSince"), Limit: 1000})
	faults = append(faults, err)
	for _, v := range uninformed.Items {
		faults = append(faults, c.inform(ctx, v))
	}
	moved, err := c.arriveAll(ctx, before)
	faults = append(faults, err)
	found, err := c.findSpeakers(ctx)
	faults = append(faults, err)
	noted, err := c.noteAll(ctx, old("untoldSince"))
	faults = append(faults, err)
	n, err := c.outbox.Sweep(ctx, before)
	faults = append(faults, err, c.warnAll(ctx))
	out.Repaired = len(pending.Items) + len(open.Items) + len(uninformed.Items) + moved + found + noted + n
	return out, errors.Join(faults...)
}

// events ends the credentials of twins that were deleted, and follows what becomes of twins with relayed devices. Events may come late: a twin that is there again under the
// same id keeps what it has. The credential is read before the twin is looked for, so one of a newer twin is not taken.
func (c *credentials) events(ctx context.Context, events []event.Event) error {
	for _, e := range events {
		ctx := e.Context(ctx)
		var d api.TwinChanged
		if e.Topic == event.TwinChanged && e.Decode(&d) == nil {
			if err := c.twinChanged(ctx, d); err != nil {
				return err
			}
		}
		if e.Topic != event.TwinDeleted || e.Decode(&d) != nil {
			continue
		}
		v, err := c.creds.Get(ctx, string(d.Twin))
		if errors.Is(err, store.ErrNotFound) || err == nil && v.Ref == "" {
			continue
		} else if err != nil {
			return err
		}
		if t, err := c.twins.Get(ctx, string(d.Twin)); err == nil && t.Deleted.IsZero() {
			continue
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		gone := v.Ref
		v, err = c.creds.Update(ctx, string(v.Twin), func(v *credential) error {
			if v.Ref != gone {
				return store.Unchanged
			}
			return v.end(v.Run, "the twin was deleted", "platform:credentials", c.p.Time())
		})
		if err != nil {
			return err
		}
		c.flush(ctx, v)
	}
	return nil
}
