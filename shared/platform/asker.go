package platform

import (
	"context"
	"errors"
	"fmt"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
)

// Asker is who asked for what goes on in the background, with the roles and groups that they have now. The error is
// access.ErrUnauthenticated if they may not sign in any more.
func (p *Platform) Asker(ctx context.Context, kind access.CallerKind, id string) (access.Caller, error) {
	c := access.Caller{Kind: kind, ID: id}
	gone := fmt.Errorf("%w: %s is not there any more", access.ErrUnauthenticated, c)
	if c.Kind == access.Service {
		a, err := p.API.GetAccount(ctx, c.ID)
		if errors.Is(err, api.ErrNotFound) {
			err = gone
		}
		c.Roles, c.Groups = a.Roles, a.Groups
		return c, err
	}
	u, err := p.API.GetUser(ctx, c.ID)
	if errors.Is(err, api.ErrNotFound) || err == nil && u.Disabled {
		err = gone
	}
	c.Roles, c.Groups = u.Roles, u.Groups
	return c, err
}
