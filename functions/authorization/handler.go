// Package authorization is the twin authorisation service (paper 4.3.2): it keeps the grants, explains decisions, and keeps
// the audit of who changed what. The decision itself is package access's, made wherever an object is used; nobody has to ask
// here before each call.
package authorization

import (
	"context"
	"errors"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

var handle = platform.Lazy("authorization", New)

// authorization is the function with its collections.
type authorization struct {
	p      *platform.Platform
	grants *store.Collection[access.Grant]
	audit  *store.Collection[access.Record]
	twins  *store.Collection[twin.Twin] // read only
	outbox platform.Outbox[access.Grant]
}

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		a, err := open(ctx, p)
		if err != nil {
			return nil, err
		}
		everybody := access.Users().And("*")
		return faas.Routes{
			"POST /grants":        faas.Op(p, access.Users(), a.createGrant),
			"GET /grants":         faas.Op(p, access.Users(), a.listGrants),
			"GET /grants/{id}":    faas.Op(p, access.Users(), a.getGrant),
			"DELETE /grants/{id}": faas.Op(p, access.Users(), a.deleteGrant),
			"POST /check":         faas.Op(p, everybody, a.check).Quiet(), // asks, changes nothing
			"GET /audit":          faas.Op(p, access.Only(access.Maintainer), a.listAudit),
			"POST /events":        faas.Events(p, a.events),
			"POST /sweep":         faas.Op(p, access.Only(access.Maintainer).And("twin-watchdog"), a.sweep).Quiet(),
		}, nil
	})
}

func open(ctx context.Context, p *platform.Platform) (*authorization, error) {
	grants, err1 := platform.OpenGrants(ctx, p.DB)
	twins, err2 := platform.OpenTwins(ctx, p.DB)
	audit, err3 := store.Open[access.Record](ctx, p.DB, store.Spec{Name: "audit", Schema: 1, Indexes: []store.Index{
		{Name: "by-caller", Fields: []string{"caller", "at"}},
		{Name: "by-function", Fields: []string{"function", "at"}},
	}})
	return &authorization{p: p, grants: grants, twins: twins, audit: audit, outbox: platform.Outbox[access.Grant]{
		P: p, C: grants, Index: "by-outbox", Field: "outbox.since",
		Of: func(g *access.Grant) (string, *event.Outbox) { return g.ID, &g.Outbox },
	}}, errors.Join(err1, err2, err3)
}
