package twincommand

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
)

const (
	lookAtOnce = 200              // commands per query
	lookFor    = 20 * time.Second // one run
	sweepAfter = 5 * time.Second  // how old what a write left behind must be before a sweep takes it for left
)

// schedule looks at the commands whose time has come. What it decides follows from their documents and the time, so a run
// that comes twice acts once.
func (f *function) schedule(ctx context.Context, _ time.Time) error {
	_, err := f.overdue(ctx, f.p.Time())
	return err
}

// sweep publishes what a crash or an outage left, and looks at what the schedule should have looked at.
func (f *function) sweep(ctx context.Context, _ *faas.Call, _ faas.None) (api.Swept, error) {
	before := f.p.Time().Add(-sweepAfter)
	published, err := f.outbox.Sweep(ctx, before)
	if err != nil {
		return api.Swept{Repaired: published}, err
	}
	looked, err := f.overdue(ctx, before)
	return api.Swept{Repaired: published + looked}, err
}

// overdue looks at every command that was due by then.
func (f *function) overdue(ctx context.Context, by time.Time) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	for {
		page, err := f.commands.Find(ctx, store.Query{Index: "by-due", Limit: lookAtOnce, Fields: []string{"_id"},
			Filter: store.And(store.Gt("due", time.UnixMilli(0)), store.Lte("due", by))})
		if err != nil {
			return n, err
		}
		for _, c := range page.Items {
			if err := f.look(ctx, c.ID); err != nil {
				return n, err
			}
			n++
		}
		if page.Next == "" {
			return n, nil
		}
	}
}

// look does what time decides about one command, and whatever should have followed its last change.
func (f *function) look(ctx context.Context, id string) error {
	now := f.p.Time()
	n, err := f.commands.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	t, err := f.twins.Get(ctx, string(n.Twin))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	gone := err != nil || !t.Deleted.IsZero() || n.Created.Before(t.Created)
	if gone || n.State.Ended() && n.Filed && !now.Before(n.Ended.Add(keepFor)) {
		err = f.commands.DeleteIf(ctx, id, store.Eq("updated", n.Updated))
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
			err = nil
		}
		return err
	}
	n, err = f.commands.Update(ctx, id, func(n *command) error {
		if now.Before(n.Due) {
			return store.Unchanged // somebody else was faster
		}
		n.elapse(now)
		return nil
	})
	if err == nil {
		f.settle(ctx, n)
	} else if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return err
}

// events takes answers of devices, and the end of twins.
func (f *function) events(ctx context.Context, events []event.Event) error {
	for _, e := range events {
		var err error
		switch e.Topic {
		case event.CommandAnswered:
			err = f.answered(ctx, e)
		case event.TwinDeleted:
			err = f.forget(ctx, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// answered brings an answer from history to its command. Which twin answered, history says; a command of another is none of
// its business.
func (f *function) answered(ctx context.Context, e event.Event) error {
	var d api.CommandAnswered
	if err := e.Decode(&d); err != nil {
		f.p.Log.WarnContext(ctx, "event not readable", "function", f.p.Part, "event", e.ID, "error", err)
		return nil
	}
	r, err := f.history.Get(ctx, d.Record)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		f.p.Log.WarnContext(ctx, "answer is not in history", "function", f.p.Part, "twin", d.Twin, "command", d.Command)
		return nil
	}
	if err != nil {
		return err
	}
	a, ok := telemetry.AnswerOf(r.Samples)
	if !ok || a.Command != d.Command || !idPattern.MatchString(a.Command) {
		return nil
	}
	n, err := f.commands.Update(ctx, a.Command, func(n *command) error {
		if n.Twin != r.Twin || !n.answer(a, r.Received, f.p.Time()) {
			return store.Unchanged
		}
		if !a.OK {
			return nil
		}
		// The device has done it all the same, and what it says is kept.
		fault, err := f.checkOutput(ctx, n.Twin, n.Name, a.Output)
		if fault != "" {
			n.Reason = strings.TrimSuffix(fault+". "+n.Reason, ". ")
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		f.settle(ctx, n)
	}
	return err
}

// forget removes the commands of a twin that is gone. A twin made anew under its id keeps its own.
func (f *function) forget(ctx context.Context, e event.Event) error {
	for {
		n, err := f.commands.DeleteRange(ctx, store.Query{Index: "by-twin", Limit: 1000,
			Filter: store.And(store.Eq("twin", e.Subject), store.Lt("created", e.At))})
		if err != nil || n < 1000 {
			return err
		}
	}
}

// overdueAfter is how late a command may be looked at: the schedule and the sweep have had their turns by then.
const overdueAfter = 30 * time.Second

// overdueOf is what function twin-watchdog sees of a command.
func overdueOf(c *command) api.Overdue {
	return api.Overdue{ID: c.ID, Twin: c.Twin, Since: c.Due, Reason: c.Reason}
}
