package gateways

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

// A claim is what provisioning gateways are told of one. Dismissed is for ever, because a claim's id is never used again.
type claim struct {
	ID           string        `bson:"_id"`
	Admission    api.Admission `bson:"admission"`
	Dismissed    bool          `bson:"dismissed"`
	PendingSince time.Time     `bson:"pendingSince,omitempty"` // the gateways are still to be told
}

func (g *gateways) admitClaim(ctx context.Context, call *faas.Call, in api.Admission) (faas.None, error) {
	id := call.Var("id")
	switch {
	case !idPattern.MatchString(id) || in.Client != id:
		return faas.None{}, api.Invalid("client must be the claim's id, as in the path")
	case in.Phase != provisioning:
		return faas.None{}, api.Invalid("phase must be %q", provisioning)
	case len(in.Verifiers) != 1 || !sumPattern.MatchString(in.Verifiers[0]) || len(in.Fingerprints) > 0:
		return faas.None{}, api.Invalid("verifiers must be one of 64 hexadecimal digits in lower case, and fingerprints none")
	}
	v, err := g.claims.Upsert(ctx, id, func(v *claim, exists bool) error {
		if v.Dismissed {
			return fmt.Errorf("%w: claim %s was dismissed", api.ErrConflict, id)
		}
		if exists && v.PendingSince.IsZero() {
			return store.Unchanged
		}
		v.Admission, v.PendingSince = in, g.p.Time()
		return nil
	})
	if err != nil || v.PendingSince.IsZero() {
		return faas.None{}, err
	}
	return faas.None{}, g.tell(ctx, v)
}

func (g *gateways) dismissClaim(ctx context.Context, call *faas.Call, _ faas.None) (faas.None, error) {
	id := call.Var("id")
	if !idPattern.MatchString(id) {
		return faas.None{}, api.Invalid("id must be a claim's")
	}
	return faas.None{}, g.dismiss(ctx, id)
}

func (g *gateways) dismiss(ctx context.Context, id string) error {
	v, err := g.claims.Upsert(ctx, id, func(v *claim, _ bool) error {
		if v.Dismissed {
			return store.Unchanged
		}
		v.Admission.Client, v.Dismissed, v.PendingSince = id, true, g.p.Time()
		return nil
	})
	if err != nil || v.PendingSince.IsZero() {
		return err
	}
	return g.tell(ctx, v)
}

// tell writes the claim into the bucket of every provisioning gateway, or takes it out, and notes that this is done.
func (g *gateways) tell(ctx context.Context, v claim) error {
	all, err := g.ofPhase(ctx, provisioning)
	if err != nil {
		return err
	}
	for _, w := range all {
		if err := g.tellOne(ctx, w.ID, v); err != nil {
			return err
		}
	}
	dismissed := v.Dismissed
	_, err = g.claims.Update(ctx, v.ID, func(v *claim) error {
		if v.Dismissed != dismissed || v.PendingSince.IsZero() {
			return store.Unchanged // whoever dismissed it meanwhile tells that
		}
		v.PendingSince = time.Time{}
		return nil
	})
	return err
}

func (g *gateways) tellOne(ctx context.Context, gateway string, v claim) error {
	if v.Dismissed {
		return g.drop(ctx, gateway, v.ID)
	}
	if _, err := g.put(ctx, gateway, v.Admission); err != nil {
		return err
	}
	// Whoever dismissed it meanwhile may have been faster with the bucket.
	now, err := g.claims.Get(ctx, v.ID)
	if err == nil && now.Dismissed {
		return g.drop(ctx, gateway, v.ID)
	}
	return err
}

// expire dismisses claims whose admission has ended.
func (g *gateways) expire(ctx context.Context) (int, error) {
	page, err := g.claims.Find(ctx, store.Query{Index: "by-expiry", Limit: 1000,
		Filter: store.And(store.Eq("dismissed", false), store.Gt("admission.expires", time.UnixMilli(0)), store.Lte("admission.expires", g.p.Time()))})
	faults := []error{err}
	for _, v := range page.Items {
		faults = append(faults, g.dismiss(ctx, v.ID))
	}
	return len(page.Items), errors.Join(faults...)
}
