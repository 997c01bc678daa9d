package authorization

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

// sweepAfter is how old unfinished work must be before a sweep takes it up: whoever does it may still be at it.
const sweepAfter = 10 * time.Second

// sweep finishes what a crash or an outage left: events of grants that are not published, and deleted grants that are not
// removed.
func (a *authorization) sweep(ctx context.Context, _ *faas.Call, _ faas.None) (out api.Swept, err error) {
	before := a.p.Time().Add(-sweepAfter)
	if out.Repaired, err = a.outbox.Sweep(ctx, before); err != nil {
		return out, err
	}
	page, err := a.grants.Find(ctx, store.Query{Index: "by-deletion", Limit: 1000,
		Filter: store.And(store.Gt("deleted", time.UnixMilli(0)), store.Lte("deleted", before))})
	if err != nil {
		return out, err
	}
	for _, g := range page.Items {
		if err := a.purge(ctx, g.ID); err != nil {
			return out, err
		}
		out.Repaired++
	}
	return out, nil
}
