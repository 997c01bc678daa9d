package events

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/trace"
)

const (
	tickBucket = "CASTOR_TICKS"

	tickTime = 2 * time.Minute // of one tick with all its tries

	// claimTime is how long a claim lasts. It is renewed while the tick is under way; a replica that says nothing for longer
	// is taken for dead.
	claimTime = 3 * time.Second

	maxSleep    = 10 * time.Second // clocks are set
	skew        = time.Minute      // between replicas' clocks
	busRetry    = time.Second
	maxTickWait = 30 * time.Second
)

// A tick is what the bucket keeps for a function: the planned time that was claimed last. A claim is made by compare-and-
// swap, so one replica makes the call. While it is not done, later ticks wait.
type tick struct {
	Schedule string    `json:"schedule"`
	Planned  time.Time `json:"planned"`
	Done     bool      `json:"done"`
	Until    time.Time `json:"until"` // when others may take it over
}

// tick calls a function by its schedule until ctx ends.
func (c *Connector) tick(ctx context.Context, ticks *bus.Bucket, w wish) {
	s, err := parseSchedule(w.schedule)
	if err != nil {
		return // wishes has looked at it
	}
	for ctx.Err() == nil {
		wait, err := c.tickOnce(ctx, ticks, w, s)
		if err != nil && ctx.Err() == nil {
			c.Log.Warn("schedule not kept, trying again", "function", w.function, "error", err)
			wait = busRetry
		}
		pause.For(ctx, min(wait, maxSleep))
	}
}

// tickOnce makes the call that is due, if any, and returns how long to wait for the next look.
func (c *Connector) tickOnce(ctx context.Context, ticks *bus.Bucket, w wish, s schedule) (wait time.Duration, err error) {
	now := c.Now().UTC()
	var last tick
	entry, err := ticks.Get(ctx, w.function)
	switch {
	case errors.Is(err, bus.ErrNotFound):
	case err != nil:
		return 0, err
	case json.Unmarshal(entry.Value, &last) != nil:
		last = tick{}
	}
	if last.Schedule != w.schedule || last.Planned.After(s.next(now).Add(skew)) {
		// A new schedule begins with its next time. A last time far ahead is that of a clock that was wrong.
		last = tick{Schedule: w.schedule, Planned: now, Done: true}
		_, err := c.claim(ctx, ticks, w, last, entry.Revision)
		return 0, err
	}
	if !last.Done && now.Before(last.Until) {
		return min(last.Until.Sub(now), time.Second), nil
	}
	planned, due := s.latest(last.Planned, now)
	if !due && !last.Done {
		planned, due = last.Planned, true // who claimed it is gone
	}
	if !due {
		return s.next(now).Sub(now), nil
	}
	claimed := tick{Schedule: w.schedule, Planned: planned, Until: now.Add(claimTime)}
	revision, err := c.claim(ctx, ticks, w, claimed, entry.Revision)
	if revision == 0 || err != nil {
		return 0, err
	}
	fired := make(chan bool, 1)
	go func() { fired <- c.fire(ctx, w, s, planned) }()
	revision = c.renewUntil(ctx, ticks, w, &claimed, revision, fired)
	if !claimed.Done {
		claimed.Until = c.Now().UTC() // we are stopping: another replica shall have it now
	}
	settled, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err = c.claim(settled, ticks, w, claimed, revision)
	return 0, err
}

// renewUntil renews a claim until the tick was fired, notes whether it is done and returns the revision that the claim has then.
func (c *Connector) renewUntil(ctx context.Context, ticks *bus.Bucket, w wish, t *tick, revision uint64, fired <-chan bool) uint64 {
	ctx = context.WithoutCancel(ctx) // a call that gets its grace is still ours
	renew := time.NewTicker(claimTime / 4)
	defer renew.Stop()
	for {
		select {
		case t.Done = <-fired:
			return revision
		case <-renew.C:
			t.Until = c.Now().UTC().Add(claimTime)
			// A renewal that fails leaves the revision: if somebody has taken the tick over, what is written last is not ours.
			if r, err := c.claim(ctx, ticks, w, *t, revision); err == nil && r != 0 {
				revision = r
			}
		}
	}
}

// claim writes t if the function's tick is still that of revision (0: there is none); else it returns 0.
func (c *Connector) claim(ctx context.Context, ticks *bus.Bucket, w wish, t tick, revision uint64) (uint64, error) {
	value, err := json.Marshal(t)
	if err != nil {
		return 0, err
	}
	if revision == 0 {
		revision, err = ticks.Create(ctx, w.function, value)
	} else {
		revision, err = ticks.Update(ctx, w.function, value, revision)
	}
	if errors.Is(err, bus.ErrConflict) {
		return 0, nil // another replica was first
	}
	return revision, err
}

// fire calls the function until it says 2xx, the next time has come, or tickTime is over. It returns false if ctx ended
// before.
func (c *Connector) fire(ctx context.Context, w wish, s schedule, planned time.Time) (done bool) {
	ctx = trace.With(ctx, trace.New()) // one for all attempts
	bounded, cancel := context.WithTimeout(ctx, tickTime)
	defer cancel()
	for wait := time.Second; ; wait = min(2*wait, maxTickWait) {
		header := http.Header{"X-Castor-Planned": {planned.UTC().Format(time.RFC3339)}}
		call, end := c.finish(bounded)
		err := c.post(call, w.function, "/schedule", header, nil)
		end()
		switch {
		case err == nil:
			c.count.ticks.Add(1)
			return true
		case ctx.Err() != nil:
			return false
		case bounded.Err() != nil, !s.next(planned).After(c.Now().Add(wait)):
			c.count.ticksFailed.Add(1)
			c.Log.WarnContext(ctx, "schedule missed", "function", w.function, "planned", planned, "error", err)
			return true
		}
		pause.For(bounded, wait)
	}
}
