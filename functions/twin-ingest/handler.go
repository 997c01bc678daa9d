// Package twiningest takes what devices say (architecture, "A reading's way"): a connector's batch becomes one append to
// history and one compare-and-swap of the twins it is about, which holds all that the batch decides: reported state,
// presence, rules, and the events to be published. It is the only writer of a twin's live part, so scheduled looks at twins
// (deadlines of rules, silence) go through it too. It knows no protocol, and tells nobody of alarms: function alerts does.
package twiningest

import (
	"context"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/schema"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

var handle = platform.Lazy("twin-ingest", New)

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		f, err := open(ctx, p)
		if err != nil {
			return nil, err
		}
		return faas.Routes{
			"POST /batches":  faas.Op(p, access.Parts("connector"), f.ingest).Quiet(),
			"POST /ticks":    faas.Op(p, access.Parts("twin-monitor"), f.tick).Quiet(),
			"POST /sweep":    faas.Op(p, access.Parts("twin-watchdog"), f.sweep).Quiet(),
			"GET /parked":    faas.Op(p, access.Users(), f.listParked),
			"DELETE /parked": faas.Op(p, access.Only(access.Maintainer), f.deleteStray),

			"POST /parked/{twin}/adopt": faas.Op(p, access.Only(adopters...), f.adopt),

			"POST /lines":    faas.Op(p, access.Parts("drivers", "credentials"), f.lines).Quiet(),
			"POST /redriven": faas.Op(p, access.Parts("drivers"), f.redriven).Quiet(),
		}, nil
	})
}

// function is the function with what it has open.
type function struct {
	p       *platform.Platform
	twins   *store.Collection[twin.Twin]
	history *store.Collection[api.Record]
	parked  *store.Collection[api.ParkedMessage]
	strays  *trimmer
	typer   *typer
	known   *platform.Cache[twin.ID, entry]
	schemas schema.Cache // of events
	places  *platform.Places
	publish func(context.Context, ...event.Event) error
	live    *teller
}

func open(ctx context.Context, p *platform.Platform) (*function, error) {
	f := &function{p: p, publish: p.Bus.Publish, live: newTeller(p.Bus, p.Log)}
	var err error
	if f.twins, err = platform.OpenTwins(ctx, p.DB); err != nil {
		return nil, err
	}
	if f.history, err = platform.OpenHistory(ctx, p.DB); err != nil {
		return nil, err
	}
	if f.parked, err = platform.OpenParked(ctx, p.DB); err != nil {
		return nil, err
	}
	f.strays = &trimmer{parked: f.parked, bounds: &strayKept}
	if f.typer, err = openTyper(ctx, p.DB, f); err != nil {
		return nil, err
	}
	if f.places, err = platform.OpenPlaces(ctx, p); err != nil {
		return nil, err
	}
	f.known, err = openCache(ctx, p, f.twins)
	return f, err
}
