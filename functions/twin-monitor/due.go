package twinmonitor

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	maxTick = 500 // twins in one call of twin-ingest

	// maxRun is how long one scheduled run goes on; what is left then is found by the next one.
	maxRun = 20 * time.Second
)

// A run is the newest scheduled run of one kind.
type run struct {
	ID      string    `bson:"_id"`
	Planned time.Time `bson:"planned"`
}

// tick has the twins looked at that are due at planned. A run that is fired twice acts once, and one that ends early, or is
// killed, leaves the twins due: the next run finds them.
func (f *function) tick(ctx context.Context, planned time.Time) error {
	mine := false
	_, err := f.runs.Upsert(ctx, "due", func(v *run, _ bool) error {
		mine = planned.After(v.Planned)
		if !mine {
			return store.Unchanged
		}
		v.Planned = planned
		return nil
	})
	if err != nil || !mine {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, maxRun)
	defer cancel()
	late := f.due(ctx, planned)
	_, err = f.settleAll(ctx)
	return errors.Join(late, err, f.guardWatchdog(ctx))
}

// due hands over the twins that are due, the longest waiting first. A batch that fails does not keep the others waiting.
func (f *function) due(ctx context.Context, planned time.Time) error {
	q := store.Query{Index: "by-due", Limit: maxTick, Fields: []string{"live.due"},
		Filter: store.And(store.Gt("live.due", time.UnixMilli(0)), store.Lte("live.due", planned))}
	var errs []error
	for {
		page, err := f.twins.Find(ctx, q)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if len(page.Items) > 0 {
			ids := make([]twin.ID, len(page.Items))
			for i, t := range page.Items {
				ids[i] = t.ID
			}
			if err := f.p.API.Tick(ctx, api.Tick{Planned: planned, Twins: ids}); err != nil {
				errs = append(errs, err)
			}
		}
		// Twins that were handed over leave the index behind the cursor; those that came meanwhile are the next run's.
		if q.Cursor = page.Next; q.Cursor == "" || ctx.Err() != nil {
			return errors.Join(append(errs, ctx.Err())...)
		}
	}
}
