// Package drivers is the registry of payload drivers (paper 4.9): it takes versions that pass their own tests, says which version is
// for which twin by the firmware that its device reports, tries new ones on some devices first, takes bad ones back, puts those that
// misbehave into quarantine, and has parked messages read again. Connectors run the drivers that devices' messages go through; here
// only tests, the bench and what was parked are run, and drivers react to what their twins have said.
package drivers

import (
	"context"
	"errors"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/driver/shelf"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

var handle = platform.Lazy("drivers", New)

// function is the function with what it has open.
type function struct {
	p          *platform.Platform
	drivers    *store.Collection[record]
	contents   *store.Collection[content]
	failures   *store.Collection[failures]
	twins      *store.Collection[twin.Twin] // read only
	identities *store.Collection[identity]  // read only
	places     *platform.Places
	known      *cache
	codecs     *shelf.Shelf[*codec]
	outbox     platform.Outbox[record]
	redrives   *redriver
	reactions  *reactor

	runs, publications *gate
}

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		f, err := open(ctx, p)
		if err != nil {
			return nil, err
		}
		return f.routes(), nil
	})
}

func open(ctx context.Context, p *platform.Platform) (*function, error) {
	if p.Objects == nil {
		return nil, errors.New("there is no object store for the code of drivers: CASTOR_S3_ENDPOINT must name one")
	}
	f := &function{p: p, runs: runsGate(), publications: publishGate()}
	var err error
	if f.drivers, err = store.Open[record](ctx, p.DB, store.Spec{Name: "drivers", Schema: 1, Indexes: []store.Index{
		{Name: "by-scope", Fields: []string{"scope"}},
		{Name: "by-outbox", Fields: []string{"outbox.since"}},
	}}); err != nil {
		return nil, err
	}
	if f.contents, err = store.Open[content](ctx, p.DB, store.Spec{Name: "driver-versions", Schema: 1, Indexes: []store.Index{
		{Name: "by-code", Fields: []string{"code"}},
		{Name: "by-pending", Fields: []string{"pending"}},
	}}); err != nil {
		return nil, err
	}
	if f.failures, err = store.Open[failures](ctx, p.DB, store.Spec{Name: "driver-failures", Schema: 1}); err != nil {
		return nil, err
	}
	if f.twins, err = platform.OpenTwins(ctx, p.DB); err != nil {
		return nil, err
	}
	if f.identities, err = platform.OpenIdentities[identity](ctx, p.DB); err != nil {
		return nil, err
	}
	if f.places, err = platform.OpenPlaces(ctx, p); err != nil {
		return nil, err
	}
	f.outbox = platform.Outbox[record]{P: p, C: f.drivers, Index: "by-outbox", Field: "outbox.since",
		Of: func(r *record) (string, *event.Outbox) { return r.Name, &r.Outbox }}
	f.known, f.codecs = newCache(p, f), newCodecs(f)
	if f.redrives, err = openRedriver(ctx, f); err != nil {
		return nil, err
	}
	if f.reactions, err = openReactor(ctx, f); err != nil {
		return nil, err
	}
	if err := f.addShipped(ctx); err != nil {
		return nil, err
	}
	return f, f.known.watch(p)
}

func (f *function) routes() faas.Routes {
	makers := access.Only(access.Configurator, access.Developer)
	connectors := access.Parts("connector")
	return f.reactions.route(f.redrives.route(faas.Routes{
		"GET /drivers":                                    faas.Op(f.p, access.Users(), f.list),
		"GET /drivers/{name}":                             faas.Op(f.p, access.Users().And("twin-provision"), f.get),
		"POST /drivers/{name}/versions":                   faas.Op(f.p, makers, f.publish),
		"GET /drivers/{name}/versions/{version}":          faas.Op(f.p, access.Users(), f.getVersion),
		"DELETE /drivers/{name}/versions/{version}":       faas.Op(f.p, makers, f.deleteVersion),
		"POST /drivers/{name}/versions/{version}/canary":  faas.Op(f.p, makers, f.canary),
		"POST /drivers/{name}/versions/{version}/promote": faas.Op(f.p, makers, f.promote),
		"POST /drivers/{name}/withdraw":                   faas.Op(f.p, makers, f.withdraw),

		"POST /runs": faas.Op(f.p, makers, f.run).Quiet(), // it changes nothing

		"POST /resolve":      faas.Op(f.p, connectors, f.resolve).Quiet(),
		"GET /code/{digest}": faas.Op(f.p, access.Users().And("connector"), f.code),
		"POST /failures":     faas.Op(f.p, connectors, f.report).Quiet(),

		"POST /sweep": faas.Op(f.p, access.Parts("twin-watchdog"), f.sweep).Quiet(),
	}))
}
