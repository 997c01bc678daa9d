package users

import (
	"context"
	"errors"
	"fmt"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

// fresh makes an operation look at the caller's own record instead of believing the token, which says for up to 15 minutes
// what was true when it was signed: a maintainer who was disabled a moment ago must not be able to undo that here.
func fresh[In, Out any](u *users, allow access.Allow, do func(context.Context, *faas.Call, In) (Out, error)) func(context.Context, *faas.Call, In) (Out, error) {
	return func(ctx context.Context, c *faas.Call, in In) (out Out, err error) {
		if c.Caller.Kind == access.Part {
			return do(ctx, c, in)
		}
		if c.Caller.Roles, c.Caller.Groups, err = u.present(ctx, c.Caller); err != nil {
			return out, err
		}
		if !allow.Permits(c.Caller) {
			return out, fmt.Errorf("%w: this is not for %s any more", access.ErrDenied, c.Caller)
		}
		return do(ctx, c, in)
	}
}

// present returns the roles and groups that a caller has now.
func (u *users) present(ctx context.Context, c access.Caller) (roles []access.Role, groups []string, err error) {
	gone := fmt.Errorf("%w: %s is not there any more", access.ErrUnauthenticated, c)
	if c.Kind == access.Service {
		a, err := u.accounts.Get(ctx, c.ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && !a.Deleted.IsZero() {
			err = gone
		}
		return a.Roles, a.Groups, err
	}
	v, err := u.users.Get(ctx, c.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && !v.active() {
		err = gone
	}
	return v.Roles, v.Groups, err
}
