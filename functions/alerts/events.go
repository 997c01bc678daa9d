package alerts

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/trace"
)

// events takes alarms that began or ended, has them go with their twins, and ends those of twins that are gone. An event may come twice and in any order.
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
		case event.TwinMoved, event.TwinDeleted:
			var d api.TwinChanged
			if err := e.Decode(&d); err != nil {
				f.p.Log.ErrorContext(ctx, "event of a twin cannot be used", "event", e.ID, "topic", e.Topic, "error", err)
				continue
			}
			if e.Topic == event.TwinMoved {
				err = f.moved(ctx, d.Twin)
			} else {
				err = f.gone(ctx, d, e.At)
			}
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
		_, err := f.follow(ctx, a)
		return err
	})
	if err != nil {
		return err
	}
	// The twin may have gone elsewhere after it was read above, and its event have come before there was an alarm to be found.
	if err := f.change(ctx, a.ID, func(v *alarm) (bool, error) {
		moved, err := f.follow(ctx, v)
		if moved {
			a = *v
		}
		return moved, err
	}); err != nil {
		return err
	}
	f.p.Log.InfoContext(ctx, "alarm kept", "function", f.p.Part, "alarm", a.ID, "twin", a.Twin, "state", a.State, "severity", a.Severity)
	return f.tell(ctx, a)
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
		return f.transition(ctx, monitor.Transition{Alarm: a.ID, At: at})
	})
}
