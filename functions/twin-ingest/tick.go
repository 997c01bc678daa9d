package twiningest

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

// maxTick bounds the twins of one tick.
const maxTick = 1000

// tick looks at twins whose time has come, or whose rules have changed. What it decides follows from their documents and
// the time, so a tick that comes twice acts once.
func (f *function) tick(ctx context.Context, _ *faas.Call, in api.Tick) (faas.None, error) {
	if len(in.Twins) > maxTick {
		return faas.None{}, api.Invalid("twins has %d ids, at most %d are taken", len(in.Twins), maxTick)
	}
	b := &batch{f: f, now: f.p.Time(), trace: trace.Of(ctx)}
	seen := map[twin.ID]bool{}
	var ids []string
	for _, id := range in.Twins {
		if err := id.Valid(); err != nil {
			return faas.None{}, err
		}
		if !seen[id] {
			seen[id], ids = true, append(ids, string(id))
		}
	}
	docs, err := f.twins.Load(ctx, ids)
	if err != nil {
		return faas.None{}, err
	}
	for i, d := range docs {
		if d != nil && d.Value.Kind == twin.Instance && d.Value.Deleted.IsZero() {
			b.subjects = append(b.subjects, &subject{id: twin.ID(ids[i]), doc: d})
		}
	}
	if err := b.learn(ctx); err != nil {
		return faas.None{}, err
	}
	return faas.None{}, b.settle(ctx)
}

// sweepAfter is how old an unpublished event must be for the sweep to take it: younger ones are being published.
const sweepAfter = 5 * time.Second

// sweep publishes what a crash or an outage of the bus left, and looks after messages that were parked by code of before.
func (f *function) sweep(ctx context.Context, _ *faas.Call, _ faas.None) (api.Swept, error) {
	o := platform.Outbox[twin.Twin]{P: f.p, C: f.twins, Index: "by-outbox", Field: "outbox.since",
		Of: func(t *twin.Twin) (string, *event.Outbox) { return string(t.ID), &t.Outbox }}
	n, err := o.Sweep(ctx, f.p.Time().Add(-sweepAfter))
	typed, err2 := f.typer.next(ctx)
	return api.Swept{Repaired: n + typed}, errors.Join(err, err2)
}
