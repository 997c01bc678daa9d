package users

import (
	"context"
	"errors"
	"fmt"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

// errLogin is the one answer to an unknown name, a wrong password and a disabled user.
var errLogin = fmt.Errorf("%w: the name or the password is wrong", access.ErrUnauthenticated)

func (u *users) login(ctx context.Context, c *faas.Call, in api.Login) (api.Token, error) {
	bound, err := boundOf(in.Bound)
	if err != nil {
		return api.Token{}, err
	}
	v, err := u.verified(ctx, client(c), in.Name, in.Password)
	if err != nil {
		return api.Token{}, err
	}
	c.Caller = access.Caller{Kind: access.User, ID: v.ID}
	return u.begin(ctx, v, bound)
}

// verified returns the user of that name and password. It takes the same time and says the same whether the name or the
// password is wrong.
func (u *users) verified(ctx context.Context, client, name, password string) (user, error) {
	if err := u.failures.check(name, client, u.p.Time()); err != nil {
		return user{}, err
	}
	if len(password) > maxPassword {
		return user{}, errLogin
	}
	done, err := u.hasher.turn(ctx)
	if err != nil {
		return user{}, err
	}
	defer done()
	// Counted as failed before it is looked at, so that many at once cannot slip through.
	forgive, err := u.failures.take(name, client, u.p.Time())
	if err != nil {
		return user{}, err
	}
	v, err := u.byName(ctx, name)
	if err != nil {
		forgive()
		return user{}, err
	}
	hash := v.Hash
	if !v.active() {
		hash = u.hasher.nobody
	}
	if !verify(hash, password) || !v.active() {
		return user{}, errLogin
	}
	forgive()
	return v, nil
}

// byName is the user of that name, the zero user if there is none.
func (u *users) byName(ctx context.Context, name string) (user, error) {
	if checkID("name", name) != nil {
		return user{}, nil
	}
	v, err := u.users.Get(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return user{}, nil
	}
	return v, err
}

func (u *users) me(ctx context.Context, c *faas.Call, _ faas.None) (api.User, error) {
	if c.Caller.Kind != access.User {
		return api.User{ID: c.Caller.ID, Roles: append([]access.Role{}, c.Caller.Roles...), Groups: c.Caller.Groups}, nil
	}
	v, err := u.byName(ctx, c.Caller.ID)
	if err != nil {
		return api.User{}, err
	}
	if !v.active() {
		return api.User{}, fmt.Errorf("%w: %s is not there any more", access.ErrUnauthenticated, c.Caller)
	}
	return v.User, nil
}
