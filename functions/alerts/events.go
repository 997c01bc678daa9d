package alerts

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

// events takes alarms that began or ended, and ends those of twins that are gone. An event may come twice and in any order.
func (f *function) events(ctx context.Context, events []event.Event) error {
	for _, e := range events {
		ctx, err := e.Context(ctx), error(nil)
		switch e.Topic {
		case event.AlarmRaised, event.AlarmCleared:
			var t monitor.Transition
			if err := e.Decode(&t); err != nil || !usable(t) {
				// It will not get better by being delivered again.
				f.p.Log.ErrorContext(ctx, "event of an alarm cannot be used", "event", e.ID, "topic", e.Topic, "error", err)
				continue
			}
			err = f.transition(ctx, t)
		case event.TwinDeleted:
			var gone api.TwinChanged
			if err := e.Decode(&gone); err != nil {
				f.p.Log.ErrorContext(ctx, "event of a twin cannot be used", "event", e.ID, "topic", e.Topic, "error", err)
				continue
			}
			err = f.gone(ctx, gone.Twin, e.At)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func usable(t monitor.Transition) bool {
	return t.Alarm != "" && len(t.Alarm) <= 256 && t.Severity.Rank() > 0 && !t.At.IsZero()
}

// transition keeps what happened, then makes the messages that tell of it. A crash in between leaves the alarm untold; the
// event comes again, or sweep finds it.
func (f *function) transition(ctx context.Context, t monitor.Transition) error {
	t.At = t.At.UTC().Truncate(time.Millisecond)
	a, err := f.alarms.Upsert(ctx, t.Alarm, func(a *alarm, _ bool) error {
		if !a.take(t, f.p.Time()) {
			return store.Unchanged
		}
		if t.Raised || a.Trace == "" {
			a.Trace = trace.Of(ctx)
		}
		return nil
	})
	if err != nil {
		return err
	}
	f.p.Log.InfoContext(ctx, "alarm kept", "function", f.p.Part, "alarm", a.ID, "twin", a.Twin, "state", a.State, "severity", a.Severity)
	return f.tell(ctx, a)
}

// gone ends the open alarms of a twin that was deleted.
func (f *function) gone(ctx context.Context, id twin.ID, at time.Time) error {
	twins, err := f.present(ctx, []alarm{{Alarm: api.Alarm{Twin: id}}})
	if err != nil || twins[id] != nil {
		return err // a twin of that id is there again: its alarms are its own
	}
	for _, state := range []monitor.AlarmState{monitor.Raised, monitor.Acknowledged} {
		q := store.Query{Index: "by-scope", Filter: store.And(store.Eq("scopes", twinScope(id)), store.Eq("state", state), store.Eq("twin", id))}
		err := f.alarms.Scan(ctx, q, func(a alarm) error {
			return f.transition(ctx, monitor.Transition{Alarm: a.ID, At: at})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
