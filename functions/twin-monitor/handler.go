// Package twinmonitor keeps the rules by which twins are watched (paper 5, 7.8) and brings in the clock: every few seconds it
// has those twins looked at whose time has come, so that "for 1m" and silence need no further message. It evaluates no rule
// and raises no alarm about twins itself; function twin-ingest does, because it alone writes a twin's live part. It also watches the watchdog.
package twinmonitor

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

var handle = platform.Lazy("twin-monitor", New)

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
			"POST /rules":           faas.Op(p, access.Users(), f.createRule),
			"GET /rules":            faas.Op(p, access.Users(), f.listRules),
			"GET /twins/{id}/rules": faas.Op(p, access.Users(), f.listWatching),
			"GET /rules/{id}":       faas.Op(p, access.Users(), f.getRule),
			"PATCH /rules/{id}":     faas.Op(p, access.Users(), f.updateRule),
			"DELETE /rules/{id}":    faas.Op(p, access.Users(), f.deleteRule),
			"POST /events":          faas.Events(p, f.events),
			"POST /schedule":        faas.Schedule(p, f.tick),
			"POST /sweep":           faas.Op(p, access.Only(access.Maintainer).And("twin-watchdog"), f.sweep).Quiet(),
		}, nil
	})
}

// function is what the operations share.
type function struct {
	p      *platform.Platform
	rules  *store.Collection[record]
	twins  *store.Collection[twin.Twin]
	runs   *store.Collection[run]
	outbox platform.Outbox[record]
	guards *store.Collection[guard]
	told   platform.Outbox[guard]
}

func open(ctx context.Context, p *platform.Platform) (f *function, err error) {
	f = &function{p: p}
	if f.rules, err = openRules(ctx, p.DB); err != nil {
		return nil, err
	}
	if f.twins, err = platform.OpenTwins(ctx, p.DB); err != nil {
		return nil, err
	}
	if f.runs, err = store.Open[run](ctx, p.DB, store.Spec{Name: "monitor-runs", Schema: 1}); err != nil {
		return nil, err
	}
	f.outbox = platform.Outbox[record]{P: p, C: f.rules, Of: outboxOf, Index: "by-outbox", Field: "outbox.since"}
	f.guards, f.told, err = openGuards(ctx, p)
	return f, err
}

// sweepAfter is how old what a write left behind must be before a sweep takes it for left.
const sweepAfter = 5 * time.Second

// sweep publishes the events that a crash or an outage held back and settles rules that ended.
func (f *function) sweep(ctx context.Context, _ *faas.Call, _ faas.None) (api.Swept, error) {
	n, err := f.outbox.Sweep(ctx, f.p.Time().Add(-sweepAfter))
	if err != nil {
		return api.Swept{}, err
	}
	m, err := f.settleAll(ctx)
	return api.Swept{Repaired: n + m}, err
}
