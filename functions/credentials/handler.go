// Package credentials is the credential mapper (paper 4.4.1): the claims that devices come in with, what they prove
// themselves by afterwards (certificates of the platform's CA, tokens, passwords, API keys), and which twin a device reference
// stands for. It keeps verifiers, public certificates and what is sealed to its reader, never a plain secret, and it lets
// nobody in: gateways do, by what function gateways tells them.
package credentials

import (
	"context"
	"sync/atomic"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

var handle = platform.Lazy("credentials", New)

// credentials is the function with its collections.
type credentials struct {
	p      *platform.Platform
	ca     *pki.CA
	claims *store.Collection[claim]
	uses   *store.Collection[use]
	listed *store.Collection[listedSerial]
	creds  *store.Collection[credential]
	twins  *store.Collection[twin.Twin] // read only
	outbox platform.Outbox[credential]
	places *places

	searches *store.Collection[search]
	searched atomic.Bool // for who speaks for devices
}

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		c, err := open(ctx, p)
		if err != nil {
			return nil, err
		}
		return c.routes(), nil
	})
}

func open(ctx context.Context, p *platform.Platform) (*credentials, error) {
	c := &credentials{p: p, places: newPlaces(p)}
	cert, err := p.Secrets(platform.SecretCACert)
	if err != nil {
		return nil, err
	}
	key, err := p.Secrets(platform.SecretCAKey)
	if err != nil {
		return nil, err
	}
	if c.ca, err = pki.LoadCA(cert, key); err != nil {
		return nil, err
	}
	if c.claims, err = store.Open[claim](ctx, p.DB, store.Spec{Name: "claims", Schema: 1, Indexes: []store.Index{
		{Name: "by-owner", Fields: []string{"owner"}},
		{Name: "by-type", Fields: []string{"type"}},
		{Name: "by-batch", Fields: []string{"batch"}},
		{Name: "by-pending", Fields: []string{"pendingSince"}},
		{Name: "by-open", Fields: []string{"openSince"}},
	}}); err != nil {
		return nil, err
	}
	if c.uses, err = store.Open[use](ctx, p.DB, store.Spec{Name: "claim-uses", Schema: 1, Indexes: []store.Index{
		{Name: "by-state", Fields: []string{"claim", "state"}},
	}}); err != nil {
		return nil, err
	}
	if c.listed, err = store.Open[listedSerial](ctx, p.DB, store.Spec{Name: "claim-serials", Schema: 1}); err != nil {
		return nil, err
	}
	if c.creds, err = openCredentials(ctx, p); err != nil {
		return nil, err
	}
	if c.searches, err = store.Open[search](ctx, p.DB, store.Spec{Name: "credential-searches", Schema: 1}); err != nil {
		return nil, err
	}
	if c.twins, err = platform.OpenTwins(ctx, p.DB); err != nil {
		return nil, err
	}
	c.outbox = platform.Outbox[credential]{P: p, C: c.creds, Index: "by-outbox", Field: "outbox.since",
		Of: func(v *credential) (string, *event.Outbox) { return string(v.Twin), &v.Outbox }}
	return c, nil
}

func (c *credentials) routes() faas.Routes {
	// Owners' members and viewers see their groups' claims; who may make one is narrower.
	makers := access.Only(access.Configurator, access.Owner)
	readers := access.Only(access.Configurator, access.Owner, access.Viewer).And("twin-provision")
	provision := access.Parts("twin-provision")
	return faas.Routes{
		"POST /claims":             faas.Op(c.p, makers.And("twin-provision"), c.createClaim),
		"GET /claims":              faas.Op(c.p, readers, c.listClaims),
		"GET /claims/{id}":         faas.Op(c.p, readers, c.getClaim),
		"DELETE /claims/{id}":      faas.Op(c.p, makers.And("twin-provision"), c.revokeClaim),
		"GET /claims/{id}/serials": faas.Op(c.p, readers, c.listSerials),

		"POST /claims/{id}/uses":             faas.Op(c.p, provision, c.useClaim).Quiet(),
		"DELETE /claims/{id}/uses/{run}":     faas.Op(c.p, provision, c.returnClaim).Quiet(),
		"POST /claims/{id}/uses/{run}/close": faas.Op(c.p, provision, c.closeClaim).Quiet(),

		"POST /credentials":               faas.Op(c.p, provision, c.issue),
		"DELETE /credentials":             faas.Op(c.p, provision, c.withdraw),
		"GET /credentials":                faas.Op(c.p, access.Users().And("twins", "twin-provision"), c.listCredentials),
		"POST /credentials/{ref}/erase":   faas.Op(c.p, provision, c.erase),
		"POST /credentials/{ref}/renew":   faas.Op(c.p, access.Parts("connector"), c.renew),
		"POST /credentials/{ref}/confirm": faas.Op(c.p, access.Parts("connector"), c.confirm).Quiet(),
		"POST /credentials/{ref}/revoke":  faas.Op(c.p, makers.And("twins"), c.revoke),

		"GET /relayed":              faas.Op(c.p, access.Users(), c.listRelayed),
		"POST /relayed/{twin}/move": faas.Op(c.p, makers, c.moveRelayed),
		"GET /usernames/{username}": faas.Op(c.p, provision, c.username).Quiet(),

		"POST /resolve": faas.Op(c.p, access.Parts("connector", "twin-ingest"), c.resolve).Quiet(),
		"GET /ca":       faas.Op(c.p, access.Allow{Public: true}, c.caPEM),
		"GET /revoked":  faas.Op(c.p, access.Only(access.Maintainer).And("connector"), c.revoked).Quiet(),

		"POST /events": faas.Events(c.p, c.events),
		"POST /sweep":  faas.Op(c.p, access.Parts("twin-watchdog"), c.sweep).Quiet(),
	}
}
