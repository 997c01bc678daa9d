package alerts

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// belongTo gives the alarm to whom its twin belongs by s, and tells whether that changed it. Who has taken it on, and what they
// noted, is the former group's affair: it ends as the alarm goes to another owner.
func (a *alarm) belongTo(s api.TwinScope, now time.Time) bool {
	if a.in(s) {
		return false
	}
	moved := a.Owner != s.Owner
	a.Owner, a.Type, a.Aggregates, a.Updated = s.Owner, s.Type, s.Aggregates, now
	a.Scopes = a.scopes()
	if moved && a.AcknowledgedBy != "" {
		a.letGo()
	}
	return true
}

// in tells whether the alarm is where a twin of this scope has it.
func (a *alarm) in(s api.TwinScope) bool {
	return a.Owner == s.Owner && a.Type == s.Type && slices.Equal(a.Aggregates, s.Aggregates)
}

// letGo forgets who has taken the alarm on; one that is not over waits for somebody again, which is told to who looks at it.
func (a *alarm) letGo() {
	a.AcknowledgedBy, a.AcknowledgedAt, a.Note = "", time.Time{}, ""
	if a.State == monitor.Acknowledged {
		a.State = monitor.Raised
		a.note()
	}
}

// follow brings an alarm, while it is updated, to where its twin is now. The twin is read after the alarm: an update that met an
// older twin than another one did finds the alarm changed, and begins again. Of a twin that is gone what is stored counts.
func (f *function) follow(ctx context.Context, a *alarm) (bool, error) {
	if a.Twin == "" {
		return false, nil
	}
	t, err := f.twins.Get(ctx, string(a.Twin))
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) || err == nil && !t.Deleted.IsZero() {
		return false, nil
	}
	return err == nil && a.belongTo(*api.ScopeOf(&t), f.p.Time()), err
}

// moved brings all alarms of a twin to where it is now. An alarm that is there already costs no write, so a call that was cut off
// gets further when the event comes again.
func (f *function) moved(ctx context.Context, id twin.ID) error {
	t, err := f.twins.Get(ctx, string(id))
	if errors.Is(err, store.ErrNotFound) || err == nil && !t.Deleted.IsZero() {
		return nil // the event of its deletion says where it was last
	}
	if err != nil {
		return err
	}
	now := *api.ScopeOf(&t)
	return f.eachOf(ctx, id, []monitor.AlarmState{monitor.Acknowledged, monitor.Raised, monitor.Cleared}, func(a alarm) error {
		if a.in(now) {
			return nil
		}
		return f.change(ctx, a.ID, func(a *alarm) (bool, error) { return f.follow(ctx, a) })
	})
}

// keepIn brings all alarms of a twin that is gone to where it was last.
func (f *function) keepIn(ctx context.Context, id twin.ID, last api.TwinScope) error {
	return f.eachOf(ctx, id, []monitor.AlarmState{monitor.Acknowledged, monitor.Raised, monitor.Cleared}, func(a alarm) error {
		if a.in(last) {
			return nil
		}
		return f.change(ctx, a.ID, func(a *alarm) (bool, error) { return a.belongTo(last, f.p.Time()), nil })
	})
}

// change alters an alarm, if alter says that it has, and tells of it.
func (f *function) change(ctx context.Context, id string, alter func(*alarm) (bool, error)) error {
	a, err := f.alarms.Update(ctx, id, func(a *alarm) error {
		changed, err := alter(a)
		if err == nil && !changed {
			err = store.Unchanged
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.tell(ctx, a)
}

// eachOf calls do with every alarm of a twin in one of the states, of which it knows what says where it belongs. States that
// others turn into come last, so that none is missed.
func (f *function) eachOf(ctx context.Context, id twin.ID, states []monitor.AlarmState, do func(alarm) error) error {
	for _, state := range states {
		q := store.Query{Index: "by-scope", Filter: store.And(store.Eq("scopes", twinScope(id)), store.Eq("state", state)),
			Fields: []string{"twin", "owner", "type", "aggregates"}}
		err := f.alarms.Scan(ctx, q, func(a alarm) error {
			if a.Twin != id { // of one below it
				return nil
			}
			return do(a)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
