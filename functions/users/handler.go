// Package users is the user identity manager (paper 4.2.1): people, their groups, service accounts, their sessions, and the
// key that every token of the platform is signed with. Nobody else signs. It decides nothing about twins: what a token's
// holder may do is for package access and each function.
package users

import (
	"context"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

var handle = platform.Lazy("users", New)

// users is the function with its collections.
type users struct {
	p        *platform.Platform
	users    *store.Collection[user]
	groups   *store.Collection[group]
	accounts *store.Collection[account]
	sessions *store.Collection[session]
	hasher   *hasher
	failures *failures // sign-ins that failed
	signer   *signer
}

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		u, err := open(ctx, p)
		if err != nil {
			return nil, err
		}
		return u.routes(), nil
	})
}

func open(ctx context.Context, p *platform.Platform) (*users, error) {
	u := &users{p: p, hasher: newHasher(p.PasswordMemory), failures: newFailures()}
	var err error
	if u.users, err = store.Open[user](ctx, p.DB, store.Spec{Name: "users", Schema: 1, Indexes: []store.Index{
		{Name: "by-role", Fields: []string{"roles"}},
		{Name: "by-group", Fields: []string{"groups"}},
	}}); err != nil {
		return nil, err
	}
	if u.groups, err = store.Open[group](ctx, p.DB, store.Spec{Name: "groups", Schema: 1}); err != nil {
		return nil, err
	}
	if u.accounts, err = store.Open[account](ctx, p.DB, store.Spec{Name: "accounts", Schema: 1, Indexes: []store.Index{
		{Name: "by-group", Fields: []string{"groups"}},
	}}); err != nil {
		return nil, err
	}
	if u.sessions, err = store.Open[session](ctx, p.DB, store.Spec{Name: "sessions", Schema: 1, Indexes: []store.Index{
		{Name: "by-expiry", Fields: []string{"expires"}},
		{Name: "by-user", Fields: []string{"user", "used"}},
	}}); err != nil {
		return nil, err
	}
	if u.signer, err = openSigner(ctx, p); err != nil {
		return nil, err
	}
	p.UseKeys(u.signer.published)
	return u, u.firstAdministrator(ctx)
}

func (u *users) routes() faas.Routes {
	everybody := access.Allow{Public: true}
	maintainers := access.Only(access.Maintainer)
	return faas.Routes{
		"POST /login":   faas.Op(u.p, everybody, u.login),
		"POST /logout":  faas.Op(u.p, everybody, u.logout),
		"POST /refresh": faas.Op(u.p, everybody, u.refresh).Quiet(),  // every 15 minutes per session
		"POST /token":   faas.Op(u.p, everybody, u.exchange).Quiet(), // every 10 minutes per part and audience
		"GET /keys":     faas.Op(u.p, everybody, u.keys),
		"POST /keys":    faas.Op(u.p, maintainers, fresh(u, maintainers, u.rotateKeys)),

		"GET /me":                   faas.Op(u.p, access.Users(), u.me),
		"POST /users/{id}/password": faas.Op(u.p, access.Users(), fresh(u, access.Users(), u.setPassword)),

		"POST /users":        faas.Op(u.p, maintainers, fresh(u, maintainers, u.createUser)),
		"GET /users":         faas.Op(u.p, maintainers, fresh(u, maintainers, u.listUsers)),
		"GET /users/{id}":    faas.Op(u.p, maintainers.And("authorization", "drivers", "twins"), fresh(u, maintainers, u.getUser)),
		"PATCH /users/{id}":  faas.Op(u.p, maintainers, fresh(u, maintainers, u.updateUser)),
		"DELETE /users/{id}": faas.Op(u.p, maintainers, fresh(u, maintainers, u.deleteUser)),

		"POST /groups":        faas.Op(u.p, maintainers, fresh(u, maintainers, u.createGroup)),
		"GET /groups":         faas.Op(u.p, access.Only(access.Configurator), fresh(u, access.Only(access.Configurator), u.listGroups)),
		"GET /groups/{id}":    faas.Op(u.p, access.Only(access.Configurator).And("*"), fresh(u, access.Only(access.Configurator), u.getGroup)),
		"DELETE /groups/{id}": faas.Op(u.p, maintainers, fresh(u, maintainers, u.deleteGroup)),

		"POST /accounts":        faas.Op(u.p, maintainers, fresh(u, maintainers, u.createAccount)),
		"GET /accounts":         faas.Op(u.p, maintainers, fresh(u, maintainers, u.listAccounts)),
		"GET /accounts/{id}":    faas.Op(u.p, maintainers.And("authorization", "directory", "drivers", "twins"), fresh(u, maintainers, u.getAccount)),
		"DELETE /accounts/{id}": faas.Op(u.p, maintainers, fresh(u, maintainers, u.deleteAccount)),
	}
}
