package users

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// An account is a service account as it is stored.
type account struct {
	api.Account `bson:",inline"`
	Hash        []byte    `bson:"hash,omitempty"`    // SHA-256 of the secret, which is random: no slow hash is needed
	Deleted     time.Time `bson:"deleted,omitempty"` // the id stays taken, as a user's does
}

func (u *users) createAccount(ctx context.Context, _ *faas.Call, in api.Account) (faas.Reply, error) {
	if err := errors.Join(checkID("id", in.ID), checkText("name", in.Name)); err != nil {
		return faas.Reply{}, err
	}
	if in.Secret != "" {
		return faas.Reply{}, api.Invalid("secret is made by the platform; leave it out")
	}
	var err error
	if in.Roles, err = checkRoles(in.Roles); err != nil {
		return faas.Reply{}, err
	}
	if in.Groups, err = u.checkGroups(ctx, in.Groups); err != nil {
		return faas.Reply{}, err
	}
	in.Created = u.p.Time()
	secret := random(32)
	if err := u.accounts.Insert(ctx, account{Account: in, Hash: sum(secret)}); err != nil {
		return faas.Reply{}, taken(err, "service account", in.ID)
	}
	in.Secret = base64.RawURLEncoding.EncodeToString(secret)
	return faas.Created("/accounts/"+in.ID, in), nil
}

func (u *users) listAccounts(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[api.Account], error) {
	return list(ctx, c, u.accounts, func(a account) api.Account { return a.Account })
}

func (u *users) getAccount(ctx context.Context, c *faas.Call, _ faas.None) (api.Account, error) {
	id := c.Var("id")
	a, err := u.accounts.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) || err == nil && !a.Deleted.IsZero() {
		return api.Account{}, platform.NotFound("service account", id)
	}
	return a.Account, err
}

func (u *users) deleteAccount(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	id := c.Var("id")
	gone := platform.NotFound("service account", id)
	if checkID("id", id) != nil {
		return faas.None{}, gone
	}
	_, err := u.accounts.Update(ctx, id, func(a *account) error {
		if !a.Deleted.IsZero() {
			return gone
		}
		*a = account{Account: api.Account{ID: id, Roles: []access.Role{}, Created: a.Created}, Deleted: u.p.Time()}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		err = gone
	}
	return faas.None{}, err
}
