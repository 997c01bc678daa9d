package twinwatchdog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"golang.org/x/sync/errgroup"
)

const (
	capability = "sweep"

	sweepFor   = 20 * time.Second // one function's sweep
	maxAtOnce  = 4
	alarmAfter = time.Minute // of failing
	askFor     = 5 * time.Second
)

// known are the functions that hold back events or work. They are swept while the directory cannot be asked.
var known = []string{"alerts", "artifacts", "authorization", "credentials", "gateways", "twin-command", "twin-ingest", "twin-monitor", "twin-provision", "twins"}

// schedule sweeps every function once for each planned time.
func (f *function) schedule(ctx context.Context, planned time.Time) error {
	names, certain, err := f.functions(ctx)
	if err != nil {
		return err
	}
	owners, err := f.owners(ctx)
	if err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(maxAtOnce)
	for _, name := range names {
		g.Go(func() error { return f.sweep(ctx, name, planned, certain[name]) })
	}
	for _, name := range owners {
		g.Go(func() error {
			if err := f.watch(ctx, name, planned); err != nil {
				f.p.Log.WarnContext(ctx, "operations not watched", "owner", name, "error", err)
			}
			return nil // its sweep tells of a function that is not there
		})
	}
	err = g.Wait()
	_, told := f.told.Sweep(ctx, f.p.Time())
	err = errors.Join(err, told, f.beat(ctx))
	if _, swept := f.outbox.Sweep(ctx, f.p.Time()); swept != nil {
		err = errors.Join(err, swept)
	}
	return err
}

// owned are the functions that have operations to watch. They are asked while the directory cannot be.
var owned = []string{"alerts", "gateways", "twin-command", "twin-provision", "twins"}

// owners are the functions whose operations are watched: what the directory knows, or else the known ones, and those that
// have operations under watch.
func (f *function) owners(ctx context.Context) (names []string, err error) {
	asking, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	page, err := f.p.API.Discover(asking, operations)
	if err != nil {
		names = slices.Clone(owned)
	}
	for _, a := range page.Items {
		if a.Kind == "function" && twin.ID(a.Name).Valid() == nil {
			names = append(names, a.Name)
		}
	}
	err = f.operations.Scan(ctx, store.Query{Fields: []string{"function"}}, func(w operation) error {
		names = append(names, w.Function)
		return nil
	})
	slices.Sort(names)
	return slices.Compact(names), err
}

// functions are those to be swept: what the directory knows, or the known ones while it is away; and those that were
// failing, because one that is dead advertises nothing. certain says of which the directory says that they can sweep.
func (f *function) functions(ctx context.Context) (names []string, certain map[string]bool, err error) {
	certain = map[string]bool{}
	asking, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	page, err := f.p.API.Discover(asking, capability)
	if err != nil {
		f.p.Log.WarnContext(ctx, "service directory cannot be asked; the known functions are swept", "error", err)
		names = slices.Clone(known)
	}
	for _, a := range page.Items {
		if a.Kind == "function" && a.Name != f.p.Part && twin.ID(a.Name).Valid() == nil {
			names, certain[a.Name] = append(names, a.Name), true
		}
	}
	err = f.watched.Scan(ctx, store.Query{}, func(w watched) error {
		if !w.Failing.IsZero() {
			names = append(names, w.Function)
		}
		return nil
	})
	slices.Sort(names)
	return slices.Compact(names), certain, err
}

// sweep has one function sweep, unless that was done for planned already, and keeps how it went.
func (f *function) sweep(ctx context.Context, name string, planned time.Time, certain bool) error {
	mine := false
	_, err := f.watched.Upsert(ctx, name, func(w *watched, _ bool) error {
		mine = planned.After(w.Planned)
		if !mine {
			return store.Unchanged
		}
		w.Planned = planned
		return nil
	})
	if err != nil || !mine {
		return err
	}
	calling, cancel := context.WithTimeout(ctx, sweepFor)
	defer cancel()
	swept, failure := f.p.API.Sweep(calling, name)
	if ctx.Err() != nil {
		return ctx.Err() // it is this run that ended, not the function that failed
	}
	if !certain && errors.Is(failure, api.ErrNotFound) {
		return f.forget(ctx, name)
	}
	w, err := f.watched.Update(ctx, name, func(w *watched) error {
		w.record(swept, failure, f.p.Time())
		return nil
	})
	if err != nil {
		return err
	}
	return f.outbox.Flush(ctx, w)
}

// forget ends what was said of a function that is not there any more.
func (f *function) forget(ctx context.Context, name string) error {
	w, err := f.watched.Update(ctx, name, func(w *watched) error {
		w.record(api.Swept{}, nil, f.p.Time())
		w.Outcome = "absent"
		return nil
	})
	if err != nil {
		return err
	}
	return f.outbox.Flush(ctx, w)
}

// record notes how a sweep went, with the alarm that begins or ends by it.
func (w *watched) record(swept api.Swept, failure error, now time.Time) {
	if failure == nil {
		w.Outcome, w.Reason, w.Failing = "ok", "", time.Time{}
		w.Repaired = max(swept.Repaired, 0)
		w.Waiting, w.Oldest = max(swept.Waiting, 0), swept.Oldest
		w.Total += int64(w.Repaired)
		if w.Alarm != "" {
			w.tell(event.AlarmCleared, false, now)
			w.Alarm = ""
		}
		return
	}
	w.Outcome, w.Reason, w.Repaired = "failed", fmt.Sprintf("%.300s", failure), 0
	if w.Failing.IsZero() {
		w.Failing = now
	}
	if w.Alarm == "" && now.Sub(w.Failing) >= alarmAfter && !w.Outbox.Full() {
		w.Episode++
		w.Alarm = monitor.AlarmID("", "sweep."+w.Function, w.Episode)
		w.tell(event.AlarmRaised, true, now)
	}
}

// tell adds the event of an alarm about the function. It is about no twin, so only maintainers see it.
func (w *watched) tell(topic event.Topic, raised bool, now time.Time) {
	t := monitor.Transition{Alarm: w.Alarm, Raised: raised, Name: "function " + w.Function, Rule: "sweep." + w.Function,
		Title: "its sweep, which repairs what crashes leave, fails", Severity: monitor.Critical, At: now}
	if raised {
		t.Before = []twin.Occurrence{{At: w.Failing, What: "first failure; the newest: " + w.Reason}}
	}
	w.Outbox.Add("watched:"+w.Function, topic, "", now, t)
}
