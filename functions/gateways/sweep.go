package gateways

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	// sweepAfter is how old unfinished work must be before a sweep takes it up: whoever does it may still be at it.
	sweepAfter = 10 * time.Second

	// removedFor is how long a removed place is remembered against what comes late.
	removedFor = 24 * time.Hour
)

// events takes what gateways write back, follows what becomes of twins, and sees devices arrive.
func (g *gateways) events(ctx context.Context, events []event.Event) error {
	for _, e := range events {
		ctx := e.Context(ctx)
		var err error
		switch e.Topic {
		case event.GatewayApplied:
			var d api.GatewayApplied
			if e.Decode(&d) == nil && d.Removed {
				err = g.noteGone(ctx, d)
			} else if e.Decode(&d) == nil {
				err = g.noteApplied(ctx, d)
			}
		case event.TwinChanged:
			var d api.TwinChanged
			if e.Decode(&d) == nil && d.Kind == twin.Instance {
				err = g.twinChanged(ctx, d)
			}
		case event.TwinDeleted:
			var d api.TwinChanged
			if e.Decode(&d) == nil {
				err = g.removeTwin(ctx, d)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *gateways) noteApplied(ctx context.Context, d api.GatewayApplied) error {
	fresh, sealed := false, false
	v, err := g.places.Update(ctx, d.Client, func(v *place) error {
		fresh, sealed = false, false
		if v.Gateway != d.Gateway || v.AppliedRevision > d.Revision || v.AppliedRevision == d.Revision && v.Lost == d.Lost {
			return store.Unchanged
		}
		before := v.Applied
		sealed = v.SealedFor != nil
		v.AppliedRevision, v.Lost = d.Revision, d.Lost
		v.applied()
		if fresh = v.Applied && !before && v.staying(); fresh {
			v.StayUntil = g.p.Time().Add(stayFor)
		}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return nil // a claim, or a client of somebody else's making
	}
	if err == nil && sealed && v.SealedFor == nil { // the gateway has the secret: nobody else needs it
		_, err = g.inform(ctx, d.Client, d.Gateway)
	}
	if err == nil && fresh {
		err = g.goOn(ctx, v)
	}
	return err
}

// removeTwin takes away the places of a twin that is there no more. The places are read before the twin is looked for, so
// one of a newer twin under the same id is not taken.
func (g *gateways) removeTwin(ctx context.Context, d api.TwinChanged) error {
	page, err := g.places.Find(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", d.Twin), Partial: true})
	if err != nil || len(page.Items) == 0 {
		return err
	}
	if t, err := g.twins.Get(ctx, string(d.Twin)); err == nil && t.Deleted.IsZero() {
		return nil
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	for _, v := range page.Items {
		if err := g.remove(ctx, string(v.Ref)); err != nil {
			return err
		}
	}
	return nil
}

// sweep finishes what a crash or an outage left, and forgets what has ended. One that does not work out does not hold up
// the others.
func (g *gateways) sweep(ctx context.Context, _ *faas.Call, _ faas.None) (out api.Swept, err error) {
	now := g.p.Time()
	old := store.And(store.Gt("pendingSince", time.UnixMilli(0)), store.Lte("pendingSince", now.Add(-sweepAfter)))
	var faults []error
	p, err := g.beat(ctx)
	if err != nil {
		return out, err
	}
	places, err := g.places.Find(ctx, store.Query{Index: "by-pending", Filter: old, Limit: 1000})
	faults = append(faults, err)
	for _, v := range places.Items {
		if v.Removed {
			err = g.leave(ctx, v)
		} else if v, err = g.unstick(ctx, v); err == nil {
			_, err = g.settle(ctx, v)
		}
		faults = append(faults, err)
	}
	claims, err := g.claims.Find(ctx, store.Query{Index: "by-pending", Filter: old, Limit: 1000})
	faults = append(faults, err)
	for _, v := range claims.Items {
		faults = append(faults, g.tell(ctx, v))
	}
	under, err := g.moving(ctx, maxMoving)
	faults = append(faults, err)
	for _, v := range under {
		faults = append(faults, g.goOn(ctx, v))
	}
	moved, err := g.evacuate(ctx, p, len(under))
	faults = append(faults, err)
	expired, err := g.expire(ctx)
	faults = append(faults, err, g.tidy(ctx))
	_, err = g.places.DeleteRange(ctx, store.Query{Index: "by-removed", Filter: store.And(store.Gt("removedAt", time.UnixMilli(0)),
		store.Lte("removedAt", now.Add(-removedFor)), store.Exists("pendingSince", false))})
	faults = append(faults, err)
	out.Repaired = len(places.Items) + len(claims.Items) + expired + moved
	return out, errors.Join(faults...)
}

// tidy empties gateways' lists of devices whose documents say it by now: what a crash between the two left.
func (g *gateways) tidy(ctx context.Context) error {
	all, err := g.ofPhase(ctx, operational)
	if err != nil {
		return err
	}
	var faults []error
	for _, w := range all {
		for _, ref := range w.Counting {
			switch v, err := g.places.Get(ctx, ref); {
			case err != nil:
			case v.Leaving == w.ID:
			case v.Removed, v.Gateway != w.ID:
				faults = append(faults, g.discount(ctx, w.ID, ref))
			case v.Counted:
				faults = append(faults, g.unlist(ctx, w.ID, ref, counting))
			}
		}
		for _, ref := range w.Leaving {
			if v, err := g.places.Get(ctx, ref); err == nil && !(v.Counted && v.Gateway == w.ID) && v.Leaving != w.ID {
				faults = append(faults, g.unlist(ctx, w.ID, ref, leaving))
			}
		}
	}
	return errors.Join(faults...)
}

// overdueAfter is how long a gateway may go without what it is to know: sweeps have had their turns by then.
const overdueAfter = 30 * time.Second

// operations are those that function twin-watchdog watches.
func (g *gateways) operations() []platform.Operation {
	return []platform.Operation{
		platform.Operations[place]{Kind: "assignment", C: g.places, Index: "by-pending", Field: "pendingSince", Grace: overdueAfter,
			Of: func(v *place) api.Overdue {
				return api.Overdue{ID: string(v.Ref), Twin: v.Twin, Since: v.PendingSince, Reason: v.Reason}
			},
			Retry: func(ctx context.Context, id string) error {
				v, err := g.places.Get(ctx, id)
				switch {
				case err != nil || v.PendingSince.IsZero():
				case v.Removed:
					err = g.leave(ctx, v)
				default:
					_, err = g.settle(ctx, v)
				}
				return err
			}},
		platform.Operations[claim]{Kind: "claim", C: g.claims, Index: "by-pending", Field: "pendingSince", Grace: overdueAfter,
			Of: func(v *claim) api.Overdue { return api.Overdue{ID: v.ID, Since: v.PendingSince} },
			Retry: func(ctx context.Context, id string) error {
				v, err := g.claims.Get(ctx, id)
				if err == nil {
					err = g.tell(ctx, v)
				}
				return err
			}},
	}
}
