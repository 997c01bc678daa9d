// Package twinwatchdog sees to it that nothing stays half done (paper 4.8): every few seconds it has each function that can
// "sweep" repair what a crash or an outage left over, and raises an alarm about one whose sweep keeps failing. It asks each
// function that owns "operations" which of them are overdue, has them tried again and raises an alarm about those that do not
// go on, by the policy of the twin's type. It repairs nothing itself and knows no function's data; which functions there are,
// it learns from the service directory. Function twin-monitor watches it.
package twinwatchdog

import (
	"context"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	handler "github.com/openfaas/templates-sdk/go-http"
)

var handle = platform.Lazy("twin-watchdog", New)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		f, err := open(ctx, p)
		if err != nil {
			return nil, err
		}
		return faas.Routes{
			"GET /status":     faas.Op(p, access.Only(access.Maintainer), f.status),
			"GET /operations": faas.Op(p, access.Only(access.Maintainer), f.listOperations),
			"GET /heartbeat":  faas.Op(p, access.Only(access.Maintainer).And("twin-monitor"), f.heartbeat),
			"GET /bus":        faas.Op(p, access.Only(access.Maintainer), f.bus),
			"POST /schedule":  faas.Schedule(p, f.schedule),
		}, nil
	})
}

// function is what the operations share.
type function struct {
	p       *platform.Platform
	watched *store.Collection[watched]
	outbox  platform.Outbox[watched]

	operations *store.Collection[operation]
	told       platform.Outbox[operation]
	pulse      *store.Collection[pulse]
}

// A watched function is one that is swept.
type watched struct {
	api.SweepStatus `bson:",inline"`

	// Episode numbers the alarms about the function; the first is 1.
	Episode int64 `bson:"episode"`

	Outbox event.Outbox `bson:"outbox"`
}

func open(ctx context.Context, p *platform.Platform) (f *function, err error) {
	f = &function{p: p}
	f.watched, err = store.Open[watched](ctx, p.DB, store.Spec{Name: "watched", Schema: 1, Indexes: []store.Index{
		{Name: "by-outbox", Fields: []string{"outbox.since"}},
	}})
	f.outbox = platform.Outbox[watched]{P: p, C: f.watched, Index: "by-outbox", Field: "outbox.since",
		Of: func(w *watched) (string, *event.Outbox) { return w.Function, &w.Outbox }}
	if err != nil {
		return nil, err
	}
	f.operations, err = store.Open[operation](ctx, p.DB, store.Spec{Name: "operations", Schema: 1, Indexes: []store.Index{
		{Name: "by-outbox", Fields: []string{"outbox.since"}},
	}})
	if err != nil {
		return nil, err
	}
	f.told = platform.Outbox[operation]{P: p, C: f.operations, Index: "by-outbox", Field: "outbox.since",
		Of: func(w *operation) (string, *event.Outbox) { return w.Key, &w.Outbox }}
	f.pulse, err = store.Open[pulse](ctx, p.DB, store.Spec{Name: "pulse", Schema: 1})
	return f, err
}

// status tells how the sweep of each function went.
func (f *function) status(ctx context.Context, c *faas.Call, _ faas.None) (page api.Page[api.SweepStatus], err error) {
	page.Items = []api.SweepStatus{}
	limit, err := c.Limit()
	if err != nil {
		return page, err
	}
	found, err := f.watched.Find(ctx, store.Query{Limit: limit, Cursor: c.Query.Get("cursor")})
	for _, w := range found.Items {
		page.Items = append(page.Items, w.SweepStatus)
	}
	page.Next = found.Next
	return page, err
}
