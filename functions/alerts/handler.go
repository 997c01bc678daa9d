// Package alerts is the alert service (paper 4.5): it keeps alarms through their life, lets people take them on, and tells
// whom their routes name, by e-mail and webhook, until the message is out. It decides no alarm: functions twin-ingest and
// twin-watchdog do, and say so by events.
package alerts

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	handler "github.com/openfaas/templates-sdk/go-http"
)

var handle = platform.Lazy("alerts", New)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		f, err := open(ctx, p)
		if err != nil {
			return nil, err
		}
		routers := access.Only(access.Owner, access.Configurator)
		return platform.Watched(p, faas.Routes{
			"GET /alarms":                   faas.Op(p, access.Users().And("castor"), f.listAlarms),
			"GET /alarms/{id}":              faas.Op(p, access.Users(), f.getAlarm),
			"POST /alarms/{id}/acknowledge": faas.Op(p, access.Users(), f.acknowledgeAlarm),
			"POST /alarms/{id}/release":     faas.Op(p, access.Users(), f.releaseAlarm),
			"GET /counts":                   faas.Op(p, access.Users(), f.countAlarms),
			"GET /alarms/{id}/deliveries":   faas.Op(p, access.Users(), f.listDeliveries),
			"POST /routes":                  faas.Op(p, routers, f.createRoute),
			"GET /routes":                   faas.Op(p, routers, f.listRoutes),
			"DELETE /routes/{id}":           faas.Op(p, routers, f.deleteRoute),
			"POST /notices":                 faas.Op(p, access.Parts("twin-provision", "credentials"), f.notify).Quiet(),
			"POST /events":                  faas.Events(p, f.events),
			"POST /schedule":                faas.Schedule(p, f.schedule),
			"POST /sweep":                   faas.Op(p, access.Only(access.Maintainer).And("twin-watchdog"), f.sweep).Quiet(),
		}, platform.Operations[delivery]{Kind: "delivery", C: f.deliveries, Index: "by-next", Field: "next", Grace: overdueAfter, Of: overdue,
			Retry: func(ctx context.Context, id string) error { _, err := f.send(ctx, id); return err }}), nil
	})
}

// overdueAfter is how late a delivery may be: many may wait for one receiver.
const overdueAfter = 2 * time.Minute

func overdue(d *delivery) api.Overdue {
	return api.Overdue{ID: d.ID, Owner: d.Owner, Since: d.Next, Deadline: d.Created.Add(giveUpAfter), Attempts: d.Attempts, Reason: d.Reason}
}

// function is what the operations share.
type function struct {
	p          *platform.Platform
	alarms     *store.Collection[alarm]
	routes     *store.Collection[route]
	deliveries *store.Collection[delivery]
	twins      *store.Collection[twin.Twin]
}

func open(ctx context.Context, p *platform.Platform) (f *function, err error) {
	f = &function{p: p}
	f.alarms, err = store.Open[alarm](ctx, p.DB, store.Spec{Name: "alarms", Schema: 1, Indexes: []store.Index{
		{Name: "by-scope", Fields: []string{"scopes", "state", "key"}},
		{Name: "by-severity", Fields: []string{"scopes", "severity", "state", "key"}},
		{Name: "by-untold", Fields: []string{"untold.since"}},
	}})
	if err != nil {
		return nil, err
	}
	f.routes, err = store.Open[route](ctx, p.DB, store.Spec{Name: "routes", Schema: 1, Indexes: []store.Index{
		{Name: "by-of", Fields: []string{"of"}},
	}})
	if err != nil {
		return nil, err
	}
	f.deliveries, err = store.Open[delivery](ctx, p.DB, store.Spec{Name: "deliveries", Schema: 1, Indexes: []store.Index{
		{Name: "by-alarm", Fields: []string{"alarm"}},
		{Name: "by-next", Fields: []string{"next"}},
	}})
	if err != nil {
		return nil, err
	}
	f.twins, err = platform.OpenTwins(ctx, p.DB)
	return f, err
}

// sweepAfter is how old what a write left behind must be before a sweep takes it for left.
const sweepAfter = 5 * time.Second

// sweep makes the deliveries of transitions that were kept but not told of.
func (f *function) sweep(ctx context.Context, _ *faas.Call, _ faas.None) (api.Swept, error) {
	page, err := f.alarms.Find(ctx, store.Query{Index: "by-untold", Limit: 1000,
		Filter: store.And(store.Gt("untold.since", time.UnixMilli(0)), store.Lte("untold.since", f.p.Time().Add(-sweepAfter)))})
	if err != nil {
		return api.Swept{}, err
	}
	for i, a := range page.Items {
		if err := f.tell(ctx, a); err != nil {
			return api.Swept{Repaired: i}, err
		}
	}
	swept := api.Swept{Repaired: len(page.Items)}
	swept.Waiting, swept.Oldest, err = f.undelivered(ctx)
	return swept, err
}

// late is after how long people should have been told.
const late = time.Minute

// undelivered counts the deliveries that should have gone out by now, up to 1,000, and tells when the oldest was made.
func (f *function) undelivered(ctx context.Context) (n int, oldest time.Time, err error) {
	before := f.p.Time().Add(-late)
	page, err := f.deliveries.Find(ctx, store.Query{Index: "by-next", Limit: maxDue, Fields: []string{"created"},
		Filter: store.Gt("next", time.UnixMilli(0))})
	for _, d := range page.Items {
		if d.Created.Before(before) {
			n++
			if oldest.IsZero() || d.Created.Before(oldest) {
				oldest = d.Created
			}
		}
	}
	return n, oldest, err
}
