package drivers

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

const (
	sweepFor  = 15 * time.Second // one sweep; what is left is the next one's
	atOnce    = 100
	tellAfter = 5 * time.Second  // an event that is held back longer was left by a crash
	nobodys   = 10 * time.Minute // content that no driver names after that never will be
)

// sweep takes up what a crash or an outage left: events that were not published, content that no driver came to name. One that
// does not work out does not hold up the others.
func (f *function) sweep(ctx context.Context, _ *faas.Call, _ faas.None) (out api.Swept, err error) {
	ctx, cancel := withTime(ctx, sweepFor)
	defer cancel()
	now := f.p.Time()
	out.Repaired, err = f.outbox.Sweep(ctx, now.Add(-tellAfter))
	faults := []error{err}
	sent, err := f.reactions.leftovers(ctx, now.Add(-tellAfter))
	faults = append(faults, err)
	out.Repaired += sent
	left, err := f.contents.Find(ctx, store.Query{Index: "by-pending", Limit: atOnce,
		Filter: store.And(store.Gt("pending", time.UnixMilli(0)), store.Lte("pending", now.Add(-nobodys)))})
	faults = append(faults, err)
	for _, v := range left.Items {
		if ctx.Err() != nil {
			break
		}
		faults = append(faults, f.settle(ctx, v))
		out.Repaired++
	}
	went, err := f.reactions.goOn(ctx, now.Add(-tellAfter)) // last, because it takes what time there is
	out.Repaired += went
	return out, errors.Join(append(faults, err)...)
}

// settle keeps content that a driver names, and removes what none does.
func (f *function) settle(ctx context.Context, v content) error {
	r, err := f.drivers.Get(ctx, v.Name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if of := r.version(v.Version); of != nil && of.Content == v.ID {
		return f.named(ctx, v, nil)
	}
	return f.drop(ctx, v)
}
