package gateways

import (
	"context"
	"errors"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
)

// noteGone keeps that a gateway has let a device out whose place was taken away: the proof that it is over.
func (g *gateways) noteGone(ctx context.Context, d api.GatewayApplied) error {
	_, err := g.places.Update(ctx, d.Client, func(v *place) error {
		if !v.Removed || v.Gateway != d.Gateway || !v.GoneAt.IsZero() {
			return store.Unchanged
		}
		v.GoneAt, v.GoneRevision = g.p.Time(), d.Revision
		return nil
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return nil // a claim, or a client of somebody else's making
	}
	return err
}
