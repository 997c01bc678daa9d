package alerts

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/trace"
	"golang.org/x/sync/errgroup"
)

// keepAtOnce is how many alarms of one batch are kept at a time. Each takes several round trips to the store, one after the other;
// alarms that were kept so too would be told late by as many of them as began before, in a store that could do more.
const keepAtOnce = 8

// A heard is a transition that was heard of, with the trace of its event.
type heard struct {
	monitor.Transition
	trace string
}

// events takes alarms that began or ended, has them go with their twins, and ends those of twins that are gone. An event may come twice and in any order.
func (f *function) events(ctx context.Context, events []event.Event) error {
	alarms, twins := map[string][]heard{}, []event.Event(nil)
	for _, e := range events {
		switch e.Topic {
		case event.AlarmRaised, event.AlarmCleared:
			var t monitor.Transition
			if err := e.Decode(&t); err != nil || !usable(t) {
				// It will not get better by being delivered again.
				f.p.Log.ErrorContext(e.Context(ctx), "event of an alarm cannot be used", "event", e.ID, "topic", e.Topic, "error", err)
				continue
			}
			alarms[t.Alarm] = append(alarms[t.Alarm], heard{t, trace.Of(e.Context(ctx))})
		case event.TwinMoved, event.TwinDeleted:
			twins = append(twins, e)
		}
	}
	var g errgroup.Group
	g.SetLimit(keepAtOnce)
	for id, happened := range alarms {
		g.Go(func() error { return f.keep(ctx, id, happened...) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, e := range twins {
		if err := f.twinEvent(e.Context(ctx), e); err != nil {
			return err
		}
	}
	return nil
}

func usable(t monitor.Transition) bool {
	return t.Alarm != "" && len(t.Alarm) <= 256 && t.Severity.Rank() > 0 && !t.At.IsZero()
}

// twinEvent has alarms go with a twin that moved, and ends those of one that is gone.
func (f *function) twinEvent(ctx context.Context, e event.Event) error {
	var d api.TwinChanged
	if err := e.Decode(&d); err != nil {
		f.p.Log.ErrorContext(ctx, "event of a twin cannot be used", "event", e.ID, "topic", e.Topic, "error", err)
		return nil
	}
	if e.Topic == event.TwinMoved {
		return f.moved(ctx, d.Twin)
	}
	return f.gone(ctx, d, e.At)
}

// keep keeps what happened to one alarm, then makes the messages that tell of it. A crash in between leaves the alarm untold; the
// event comes again, or sweep finds it.
func (f *function) keep(ctx context.Context, id string, happened ...heard) error {
	ctx = trace.With(ctx, happened[len(happened)-1].trace)
	settled := false // the alarm was there before its twin was read
	a, err := f.alarms.Upsert(ctx, id, func(a *alarm, exists bool) error {
		changed := false
		for _, h := range happened {
			h.At = h.At.UTC().Truncate(time.Millisecond)
			if !a.take(h.Transition, f.p.Time()) {
				continue
			}
			if changed = true; h.Raised || a.Trace == "" {
				a.Trace = h.trace
			}
		}
		if settled = exists && changed; !changed {
			return store.Unchanged
		}
		_, err := f.follow(ctx, a)
		return err
	})
	if err != nil {
		return err
	}
	for _, h := range happened {
		f.p.Log.InfoContext(trace.With(ctx, h.trace), "alarm kept", "function", f.p.Part, "alarm", a.ID, "twin", a.Twin, "state", a.State, "severity", a.Severity)
	}
	if settled {
		return f.tell(ctx, a)
	}
	// The twin may have gone elsewhere after it was read above, and its event have come before there was an alarm to be found.
	return f.change(ctx, a.ID, func(a *alarm) (bool, error) { return f.follow(ctx, a) })
}

// gone ends the open alarms of a twin that was deleted. All its alarms, past ones too, stay with whom it belonged to last.
func (f *function) gone(ctx context.Context, d api.TwinChanged, at time.Time) error {
	twins, err := f.present(ctx, []alarm{{Alarm: api.Alarm{Twin: d.Twin}}})
	if err != nil || twins[d.Twin] != nil {
		return err // a twin of that id is there again: its alarms are its own
	}
	if d.Before != nil {
		if err := f.keepIn(ctx, d.Twin, *d.Before); err != nil {
			return err
		}
	}
	return f.eachOf(ctx, d.Twin, openStates, func(a alarm) error {
		return f.keep(ctx, a.ID, heard{monitor.Transition{Alarm: a.ID, At: at}, trace.Of(ctx)})
	})
}
