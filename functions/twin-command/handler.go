// Package twincommand has devices do things (paper 5): it keeps commands from the moment somebody asks until the device has
// answered or it is known, and said, that nobody will know. Connectors fetch commands under a lease when a device is there,
// and bring the answers by function twin-ingest. It speaks to no device itself and knows no protocol.
//
// A command's document is the truth; the twin only lists the ids (twin.Commands), so that whoever reads the twin anyway
// sees that something waits. Each change of a command is one compare-and-swap; what has to follow it (the twin's list, the
// connector's nudge, the event) follows from the document, so that any instance can take it up again when Due has come.
package twincommand

import (
	"context"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/schema"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	handler "github.com/openfaas/templates-sdk/go-http"
)

var handle = platform.Lazy("twin-command", New)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		f, err := open(ctx, p)
		if err != nil {
			return nil, err
		}
		return platform.Watched(p, faas.Routes{
			"POST /commands":             faas.Op(p, access.Users().And("drivers"), f.create),
			"GET /commands":              faas.Op(p, access.Users(), f.list),
			"GET /commands/{id}":         faas.Op(p, access.Users(), f.get),
			"POST /commands/{id}/cancel": faas.Op(p, access.Users(), f.cancel),
			"POST /lease":                faas.Op(p, access.Parts("connector"), f.lease).Quiet(),
			"POST /deliveries":           faas.Op(p, access.Parts("connector"), f.delivered).Quiet(),
			"POST /events":               faas.Events(p, f.events),
			"POST /schedule":             faas.Schedule(p, f.schedule),
			"POST /sweep":                faas.Op(p, access.Parts("twin-watchdog"), f.sweep).Quiet(),
		}, platform.Operations[command]{Kind: "command", C: f.commands, Index: "by-due", Field: "due", Grace: overdueAfter, Of: overdueOf, Retry: f.look}), nil
	})
}

// function is what the operations share.
type function struct {
	p        *platform.Platform
	commands *store.Collection[command]
	twins    *store.Collection[twin.Twin]
	history  *store.Collection[api.Record]
	schemas  schema.Cache
	places   *platform.Places
	outbox   platform.Outbox[command]
	send     func(context.Context, bus.Downlink) error
}

func open(ctx context.Context, p *platform.Platform) (f *function, err error) {
	f = &function{p: p, send: p.Bus.Send}
	f.commands, err = store.Open[command](ctx, p.DB, store.Spec{Name: "commands", Schema: 1, Indexes: []store.Index{
		{Name: "by-twin", Fields: []string{"twin", "-created"}},
		{Name: "by-created", Fields: []string{"-created"}},
		{Name: "by-due", Fields: []string{"due"}},
		{Name: "by-outbox", Fields: []string{"outbox.since"}},
	}})
	if err != nil {
		return nil, err
	}
	if f.twins, err = platform.OpenTwins(ctx, p.DB); err != nil {
		return nil, err
	}
	if f.places, err = platform.OpenPlaces(ctx, p); err != nil {
		return nil, err
	}
	f.outbox = platform.Outbox[command]{P: p, C: f.commands, Index: "by-outbox", Field: "outbox.since",
		Of: func(c *command) (string, *event.Outbox) { return c.ID, &c.Outbox }}
	f.history, err = platform.OpenHistory(ctx, p.DB)
	return f, err
}
