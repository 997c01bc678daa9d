package gateways

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
)

// A deletion is what stays of a gateway that was deleted: folders that were made before open it no more.
type deletion struct {
	ID string    `bson:"_id"`
	At time.Time `bson:"at"`
}

// bound refuses what a connector's folder is not for: a gateway of another phase, or to come again after it was deleted.
func (g *gateways) bound(ctx context.Context, by access.Caller, in *api.Gateway, exists bool) error {
	if by.Phase != "" && by.Phase != in.Phase {
		return fmt.Errorf("%w: the folder is of a gateway for %s; make another one: castor gateway join %s --phase %s …", access.ErrDenied, by.Phase, in.ID, in.Phase)
	}
	if exists || by.Made.IsZero() {
		return nil
	}
	d, err := g.deleted.Get(ctx, in.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil && !by.Made.After(d.At) {
		return fmt.Errorf("%w: gateway %s was deleted; its folder counts again once it is written anew: castor gateway join %s --renew …", access.ErrDenied, in.ID, in.ID)
	}
	return err
}
