package gateways

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/store"
)

// fill puts into a gateway's bucket what belongs there, unless that was done since the bucket was made: the mark comes last.
// A call that ends on the way is gone on with by the next, which passes over what is there. While the bus is away nothing is
// lost by waiting for the next heartbeat.
func (g *gateways) fill(ctx context.Context, w api.Gateway) error {
	b, err := g.p.Bus.Bucket(ctx, api.BucketOf(w.ID))
	if err == nil {
		_, err = b.Get(ctx, api.FilledKey)
	}
	if !errors.Is(err, bus.ErrNotFound) {
		if err != nil {
			g.p.Log.WarnContext(ctx, "gateway's bucket is not looked at, the next heartbeat does", "gateway", w.ID, "error", err)
		}
		return nil
	}
	if w.Phase == provisioning {
		err = g.fillClaims(ctx, b, w.ID)
	} else {
		err = g.fillPlaces(ctx, b, w.ID)
	}
	if err == nil {
		_, err = b.Put(ctx, api.FilledKey, []byte(g.p.Time().Format(time.RFC3339)))
	}
	return err
}

// fillClaims tells of every claim that is admitted. A claim that comes meanwhile finds the gateway listed.
func (g *gateways) fillClaims(ctx context.Context, b *bus.Bucket, gateway string) error {
	return g.claims.Scan(ctx, store.Query{Index: "by-state", Filter: store.Eq("dismissed", false)}, func(v claim) error {
		if _, err := b.Get(ctx, api.AdmissionKey(v.ID)); !errors.Is(err, bus.ErrNotFound) {
			return err
		}
		return g.tellOne(ctx, gateway, v)
	})
}

// fillPlaces tells of every device that has its place there, or is on its way from there. One whose place is still being made
// is told of by who makes it.
func (g *gateways) fillPlaces(ctx context.Context, b *bus.Bucket, gateway string) error {
	each := func(v place) error {
		if v.Removed || v.Revision == 0 || v.admission(gateway, true) == nil {
			return nil
		}
		if _, err := b.Get(ctx, api.AdmissionKey(string(v.Ref))); !errors.Is(err, bus.ErrNotFound) {
			return err
		}
		return g.tellPlace(ctx, v, gateway)
	}
	err := g.places.Scan(ctx, store.Query{Index: "by-gateway", Filter: store.Eq("gateway", gateway)}, each)
	if err != nil {
		return err
	}
	leaves := store.And(store.Gt("stayUntil", time.UnixMilli(0)), store.Eq("left", gateway))
	return g.places.Scan(ctx, store.Query{Index: "by-moving", Filter: leaves}, each)
}

// tellPlace puts a place that is made into its gateway's bucket.
func (g *gateways) tellPlace(ctx context.Context, v place, at string) error {
	revision, err := g.inform(ctx, string(v.Ref), at)
	if err != nil || v.Gateway != at {
		return err
	}
	_, err = g.places.Update(ctx, string(v.Ref), func(v *place) error {
		if v.Removed || v.Gateway != at || v.Told != v.Changes+1 {
			return store.Unchanged // who changes it tells of it
		}
		v.Revision = revision
		v.Applied = !v.out() && (v.Applied || v.AppliedRevision >= revision)
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
