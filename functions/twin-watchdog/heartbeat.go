package twinwatchdog

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

// A pulse is the newest heartbeat. There is one.
type pulse struct {
	ID            string `bson:"_id"`
	api.Heartbeat `bson:",inline"`
}

// beat notes that a run has come to its end. Function twin-monitor raises an alarm when that is long ago.
func (f *function) beat(ctx context.Context) error {
	now := api.Heartbeat{At: f.p.Time(), Overdue: map[string]int{}}
	err := f.operations.Scan(ctx, store.Query{}, func(w operation) error {
		if !w.Over {
			now.Overdue[w.Kind]++
		}
		if w.Alarm != "" {
			now.Alarms++
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = f.pulse.Upsert(ctx, "pulse", func(p *pulse, _ bool) error {
		if now.At.Before(p.At) && p.At.Sub(now.At) < time.Hour {
			return store.Unchanged // another instance was faster; a time far ahead was a wrong clock's
		}
		p.Heartbeat = now
		return nil
	})
	return err
}

// heartbeat tells whether the watchdog is at work.
func (f *function) heartbeat(ctx context.Context, _ *faas.Call, _ faas.None) (api.Heartbeat, error) {
	p, err := f.pulse.Get(ctx, "pulse")
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	if p.Overdue == nil {
		p.Overdue = map[string]int{}
	}
	return p.Heartbeat, err
}

// listOperations pages through what is overdue.
func (f *function) listOperations(ctx context.Context, c *faas.Call, _ faas.None) (page api.Page[api.WatchedOperation], err error) {
	page.Items = []api.WatchedOperation{}
	limit, err := c.Limit()
	if err != nil {
		return page, err
	}
	found, err := f.operations.Find(ctx, store.Query{Limit: limit, Cursor: c.Query.Get("cursor")})
	for _, w := range found.Items {
		page.Items = append(page.Items, w.WatchedOperation)
	}
	page.Next = found.Next
	return page, err
}
