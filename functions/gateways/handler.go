// Package gateways is the IoT gateway manager (paper 4.4.4): which gateways there are, at which of them a device has its
// place, and which claims may knock. It writes what a gateway must know into that gateway's bucket on the bus, never a
// secret, and learns from events what the gateway has taken over. It speaks to no gateway itself.
package gateways

import (
	"context"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

var handle = platform.Lazy("gateways", New)

// gateways is the function with its collections.
type gateways struct {
	p        *platform.Platform
	gateways *store.Collection[gateway]
	places   *store.Collection[place]
	claims   *store.Collection[claim]
	pulses   *store.Collection[pulse]
	deleted  *store.Collection[deletion]
	twins    *store.Collection[twin.Twin] // read only

	moves moves
}

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		g, err := open(ctx, p)
		if err != nil {
			return nil, err
		}
		return g.routes(), nil
	})
}

func open(ctx context.Context, p *platform.Platform) (*gateways, error) {
	g := &gateways{p: p}
	var err error
	if g.gateways, err = store.Open[gateway](ctx, p.DB, store.Spec{Name: "gateways", Schema: 1, Indexes: []store.Index{
		{Name: "by-phase", Fields: []string{"phase"}},
	}}); err != nil {
		return nil, err
	}
	if g.places, err = platform.OpenAssignments[place](ctx, p.DB); err != nil {
		return nil, err
	}
	if g.claims, err = store.Open[claim](ctx, p.DB, store.Spec{Name: "admissions", Schema: 1, Indexes: []store.Index{
		{Name: "by-state", Fields: []string{"dismissed"}},
		{Name: "by-expiry", Fields: []string{"dismissed", "admission.expires"}},
		{Name: "by-pending", Fields: []string{"pendingSince"}},
	}}); err != nil {
		return nil, err
	}
	if g.pulses, err = store.Open[pulse](ctx, p.DB, store.Spec{Name: "gateway-pulse", Schema: 1}); err != nil {
		return nil, err
	}
	if g.deleted, err = store.Open[deletion](ctx, p.DB, store.Spec{Name: "gateway-deletions", Schema: 1}); err != nil {
		return nil, err
	}
	g.twins, err = platform.OpenTwins(ctx, p.DB)
	return g, err
}

func (g *gateways) routes() faas.Routes {
	provision := access.Parts("twin-provision")
	claims := access.Parts("credentials")
	configurators := access.Only(access.Configurator)
	reporters := access.Users().And("connector")
	reporters.Services = true // a stranger's gateway is kept by an account that needs no role: it speaks for that gateway only
	return platform.Watched(g.p, faas.Routes{
		"PUT /gateways/{id}":          faas.Op(g.p, reporters, g.putGateway).Quiet(), // a heartbeat
		"GET /gateways":               faas.Op(g.p, configurators.And("twin-provision", "twin-watchdog", "credentials"), g.listGateways),
		"GET /gateways/{id}":          faas.Op(g.p, configurators, g.getGateway),
		"DELETE /gateways/{id}":       faas.Op(g.p, configurators, g.deleteGateway),
		"POST /gateways/{id}/applied": faas.Op(g.p, access.Parts("connector"), g.tells).Quiet(),
		"POST /gateways/{id}/drain":   faas.Op(g.p, configurators, g.drain),
		"POST /gateways/{id}/resume":  faas.Op(g.p, configurators, g.resume),

		"POST /gateways/find": faas.Op(g.p, claims, g.findEntrances).Quiet(),

		"GET /assignments":             faas.Op(g.p, access.Users(), g.listAssignments),
		"PUT /assignments/{ref}":       faas.Op(g.p, provision, g.assign).Quiet(),
		"GET /assignments/{ref}":       faas.Op(g.p, access.Users().And("twin-provision", "credentials"), g.getAssignment),
		"DELETE /assignments/{ref}":    faas.Op(g.p, provision.And("credentials"), g.removeAssignment).Quiet(),
		"PUT /assignments/{ref}/proof": faas.Op(g.p, access.Parts("credentials", "twin-provision"), g.changeProof).Quiet(),
		"POST /assignments/{ref}/move": faas.Op(g.p, configurators, g.moveAssignment),
		"POST /assignments/find":       faas.Op(g.p, access.Parts("credentials", "twin-provision"), g.findAssignments).Quiet(),

		"PUT /claims/{id}":    faas.Op(g.p, claims, g.admitClaim).Quiet(),
		"DELETE /claims/{id}": faas.Op(g.p, claims, g.dismissClaim).Quiet(),

		"POST /events": faas.Events(g.p, g.events),
		"POST /sweep":  faas.Op(g.p, access.Parts("twin-watchdog"), g.sweep).Quiet(),
	}, g.operations()...)
}

// put writes what a gateway must know of a claim into its bucket.
func (g *gateways) put(ctx context.Context, gateway string, a api.Admission) (revision uint64, err error) {
	b, err := g.p.Bus.Bucket(ctx, api.BucketOf(gateway))
	if err != nil {
		return 0, err
	}
	return b.Put(ctx, api.AdmissionKey(a.Client), encode(a))
}

// drop takes a claim out of a gateway's bucket.
func (g *gateways) drop(ctx context.Context, gateway, client string) error {
	b, err := g.p.Bus.Bucket(ctx, api.BucketOf(gateway))
	if err != nil {
		return err
	}
	_, err = b.Delete(ctx, api.AdmissionKey(client))
	return err
}
