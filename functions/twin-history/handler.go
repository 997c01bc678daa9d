// Package twinhistory answers what a twin has reported: raw records page by page, and aggregates in steps of time, as JSON and
// CSV. It reads what function twin-ingest writes, walks the records of one twin and time range only, and changes nothing.
package twinhistory

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

var handle = platform.Lazy("twin-history", New)

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		f := &function{p: p}
		var err error
		if f.twins, err = platform.OpenTwins(ctx, p.DB); err != nil {
			return nil, err
		}
		if f.history, err = platform.OpenHistory(ctx, p.DB); err != nil {
			return nil, err
		}
		if f.samples, err = store.Open[sampled](ctx, p.DB, store.Spec{Name: "history", Schema: 1}); err != nil {
			return nil, err
		}
		return faas.Routes{
			"GET /twins/{id}":        faas.Op(p, access.Users(), f.get),
			"GET /twins/{id}/series": faas.Op(p, access.Users(), f.series),
		}, nil
	})
}

// function is the function with what it has open.
type function struct {
	p       *platform.Platform
	twins   *store.Collection[twin.Twin]
	history *store.Collection[api.Record]
	samples *store.Collection[sampled] // the same documents
}

// get answers the four forms of a twin's history.
func (f *function) get(ctx context.Context, c *faas.Call, _ faas.None) (faas.Reply, error) {
	t, err := f.p.Twin(ctx, f.twins, c.Caller, access.Read, twin.ID(c.Var("id")))
	if err != nil {
		return faas.Reply{}, err
	}
	q, err := read(t.ID, c.Query, f.p.Time())
	if err != nil {
		return faas.Reply{}, err
	}
	if q.step > 0 {
		page, err := f.aggregate(ctx, q)
		if err != nil || !q.csv {
			return faas.Reply{Value: page}, err
		}
		return csvReply(c, page.Next, bucketRows(q, page.Items)), nil
	}
	page, err := f.raw(ctx, q)
	if err != nil || !q.csv {
		return faas.Reply{Value: page}, err
	}
	return csvReply(c, page.Next, recordRows(page.Items)), nil
}
