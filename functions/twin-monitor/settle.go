package twinmonitor

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// follow does what a change of a rule brings with it: its event, and a look at the twins it is about. What fails here is
// noted in the rule and done by the next scheduled run or sweep.
func (f *function) follow(ctx context.Context, rec record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if _, err := f.settle(ctx, rec); err != nil {
		f.p.Log.WarnContext(ctx, "twins do not know of a rule's change yet", "rule", rec.ID, "error", err)
	}
}

// settleAll settles the rules that need it, at most 1,000 at a time.
func (f *function) settleAll(ctx context.Context) (settled int, err error) {
	page, err := f.rules.Find(ctx, store.Query{Index: "by-settle", Limit: 1000, Filter: store.Gt("settle", time.UnixMilli(0))})
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, rec := range page.Items {
		done, err := f.settle(ctx, rec)
		if done {
			settled++
		}
		errs = append(errs, err)
	}
	return settled, errors.Join(errs...)
}

// settleFor is how long a rule is settled again and again. A twin that still lags behind then is brought in line by its next
// message.
const settleFor = time.Hour

// settle has every twin below the rule's target looked at until each knows the rule as it is: alarms of a rule that watches
// no longer end, and a new one looks at what is reported already. Then a deleted rule is purged. It can be repeated at any
// point.
func (f *function) settle(ctx context.Context, rec record) (done bool, err error) {
	if err := f.outbox.Flush(ctx, rec); err != nil {
		return false, err
	}
	for range 2 { // the second time only looks, if all went well
		behind, err := f.behind(ctx, rec)
		if err != nil {
			return false, err
		}
		if len(behind) == 0 || f.p.Time().Sub(rec.Settle) > settleFor {
			return true, f.settled(ctx, rec)
		}
		for batch := range slices.Chunk(behind, maxTick) {
			if err := f.p.API.Tick(ctx, api.Tick{Planned: f.p.Time(), Twins: batch}); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// behind are the instances below the rule's target that do not know of the rule's newest version.
func (f *function) behind(ctx context.Context, rec record) (ids []twin.ID, err error) {
	for _, q := range []store.Query{
		{Filter: store.Eq("_id", rec.Target)},
		{Index: "by-type", Filter: store.Eq("definition.type", rec.Target)},
		{Index: "by-aggregate", Filter: store.Eq("definition.aggregates", rec.Target)},
	} {
		q.Filter = store.And(q.Filter, store.Eq("kind", twin.Instance))
		if rec.Disabled {
			q.Filter = store.And(q.Filter, store.Eq("live.rules.rule", rec.ID))
		}
		q.Fields = []string{"live.rules", "deleted", "definition.phase"}
		err := f.twins.Scan(ctx, q, func(t twin.Twin) error {
			if t.Deleted.IsZero() && lags(&t, &rec.Rule) {
				ids = append(ids, t.ID)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// lags tells whether the twin's memory of r is not that of the version r is.
func lags(t *twin.Twin, r *monitor.Rule) bool {
	for _, s := range t.Live.Rules {
		if s.Rule == r.ID {
			if r.Disabled {
				return s.Active || s.Breached
			}
			return s.Version < r.Version
		}
	}
	return !r.Disabled && t.Definition.Phase != twin.Retired
}

// settled notes that nothing is left of what rec, as it was read, once raised.
func (f *function) settled(ctx context.Context, rec record) error {
	same := store.And(store.Eq("version", rec.Version), store.Eq("deleted", true))
	if rec.Deleted {
		err := f.rules.DeleteIf(ctx, rec.ID, same)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
			return nil // somebody else did, or the id is in use again
		}
		return err
	}
	_, err := f.rules.Update(ctx, rec.ID, func(v *record) error {
		if v.Version != rec.Version {
			return store.Unchanged
		}
		v.Settle = time.Time{}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// events removes the rules of twins that are gone.
func (f *function) events(ctx context.Context, events []event.Event) error {
	for _, e := range events {
		ctx := e.Context(ctx)
		if e.Topic != event.TwinDeleted {
			continue
		}
		var gone api.TwinChanged
		if err := e.Decode(&gone); err != nil {
			f.p.Log.WarnContext(ctx, "event cannot be read", "event", e.ID, "topic", e.Topic, "error", err)
			continue
		}
		// A twin of that id may be there again: its rules are its own.
		t, err := f.twins.Get(ctx, string(gone.Twin))
		if err == nil && t.Deleted.IsZero() {
			continue
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		err = f.rules.Scan(ctx, store.Query{Index: "by-target", Filter: store.Eq("target", gone.Twin)}, func(r record) error {
			return f.remove(ctx, r.ID, func(int64) error { return nil })
		})
		if err != nil {
			return err
		}
	}
	return nil
}
