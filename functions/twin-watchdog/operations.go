package twinwatchdog

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"golang.org/x/sync/errgroup"
)

const (
	operations = "operations" // the capability of functions that own some

	maxOverdue = 1000             // of one function that one run looks at
	watchFor   = 15 * time.Second // one function's
	retryFor   = 10 * time.Second // one retry
	firstPause = 10 * time.Second // after the first retry; then twice as long each time, up to
	maxPause   = 10 * time.Minute
	maxReason  = 300 // characters
)

// usual is how operations are watched of which no type says how: their owners count them as overdue only when their own
// schedules and sweeps had their turns.
var usual = twin.Watch{Retries: 3, Severity: string(monitor.Warning)}

// An operation is one that was found overdue. It is forgotten when it is not any more.
type operation struct {
	api.WatchedOperation `bson:",inline"`

	// Raised is the alarm's transition, as it was raised; its end is told in the same words.
	Raised *monitor.Transition `bson:"raised,omitempty"`

	// Over is set when the operation went on or ended; the document goes when that is told.
	Over bool `bson:"over,omitempty"`

	Outbox event.Outbox `bson:"outbox"`
}

func operationID(function string, o *api.Overdue) string {
	sum := sha256.Sum256([]byte(o.Kind + "|" + o.ID))
	return fmt.Sprintf("%s|%s|%x", function, o.Kind, sum[:12])
}

// watch looks at what one function has that is overdue: each is tried again, and told of, by the policy of its twin's type.
// Then those that were overdue and are not any more are forgotten.
func (f *function) watch(ctx context.Context, function string, planned time.Time) error {
	policies := map[twin.TypeID]*twin.Model{}
	seen, whole := 0, false
	var faults []error
	begin := time.Now()
	for cursor := ""; seen < maxOverdue && time.Since(begin) < watchFor; {
		page, err := f.p.API.Overdue(ctx, function, cursor)
		if err != nil {
			return err
		}
		seen += len(page.Items)
		var g errgroup.Group
		g.SetLimit(maxAtOnce)
		errs := make([]error, len(page.Items))
		for i := range page.Items {
			o := &page.Items[i]
			policy, t, err := f.policy(ctx, policies, o)
			if err != nil {
				errs[i] = err
				continue
			}
			g.Go(func() error { errs[i] = f.look(ctx, function, o, policy, t, planned); return nil })
		}
		_ = g.Wait()
		faults = append(faults, errors.Join(errs...))
		if cursor = page.Next; cursor == "" {
			whole = true
			break
		}
	}
	if whole {
		faults = append(faults, f.forgetOperations(ctx, function, planned))
	}
	return errors.Join(faults...)
}

// policy is how an operation is watched, and the twin it is about, if there is one.
func (f *function) policy(ctx context.Context, known map[twin.TypeID]*twin.Model, o *api.Overdue) (twin.Watch, *twin.Twin, error) {
	var t *twin.Twin
	if o.Twin != "" {
		got, err := f.p.API.GetTwin(ctx, o.Twin)
		if err != nil && !errors.Is(err, api.ErrNotFound) {
			return usual, nil, err
		}
		if err == nil {
			t, o.Type = &got, cmp.Or(got.Definition.Type, o.Type)
		}
	}
	if o.Type == "" {
		return usual, t, nil
	}
	model, ok := known[o.Type]
	if !ok {
		of, err := f.p.API.GetTwin(ctx, o.Type)
		if err != nil && !errors.Is(err, api.ErrNotFound) {
			return usual, nil, err
		}
		model = of.Definition.Model
		known[o.Type] = model
	}
	if model == nil {
		return usual, t, nil
	}
	w := model.Watch[o.Kind]
	return twin.Watch{Deadline: w.Deadline, Retries: cmp.Or(w.Retries, usual.Retries), Severity: cmp.Or(w.Severity, usual.Severity)}, t, nil
}

// look is one run's look at one overdue operation. A retry is noted before it is made, so that a run that is repeated makes
// and counts it once.
func (f *function) look(ctx context.Context, function string, o *api.Overdue, policy twin.Watch, t *twin.Twin, planned time.Time) error {
	id, mine := operationID(function, o), false
	now := f.p.Time()
	w, err := f.operations.Upsert(ctx, id, func(w *operation, _ bool) error {
		mine = false
		if !planned.After(w.Seen) {
			return store.Unchanged // another instance has had this run
		}
		w.Function, w.Overdue, w.Seen, w.Over = function, *o, planned, false
		w.Reason = fmt.Sprintf("%.*s", maxReason, o.Reason)
		if now.Before(o.Since.Add(policy.Deadline.D())) || now.Before(w.Next) {
			return nil
		}
		mine = true
		w.Next = now.Add(min(firstPause<<min(w.Retries, 10), maxPause))
		w.Retries++
		if w.Retries > max(policy.Retries, 0) && w.Alarm == "" && policy.Severity != "none" && !w.Outbox.Full() {
			w.raise(t, policy, now)
		}
		return nil
	})
	if err != nil || !mine {
		return err
	}
	faults := []error{f.told.Flush(ctx, w)}
	if policy.Retries >= 0 {
		calling, cancel := context.WithTimeout(ctx, retryFor)
		defer cancel()
		again, err := f.p.API.RetryOperation(calling, function, api.RetryOverdue{Kind: o.Kind, ID: o.ID})
		switch {
		case err == nil && !again.Overdue:
			faults = append(faults, f.over(ctx, id))
		case err != nil:
			faults = append(faults, fmt.Errorf("retry %s %s: %w", o.Kind, o.ID, err))
		}
	}
	return errors.Join(faults...)
}

// raise raises the alarm about an operation. Its number is the time: what is forgotten and overdue again has another one.
func (w *operation) raise(t *twin.Twin, policy twin.Watch, now time.Time) {
	rule := "operation." + w.Kind
	w.Alarm = fmt.Sprintf("%s:%s:%d", w.Twin, w.Key, now.UnixMilli())
	a := monitor.Transition{Alarm: w.Alarm, Raised: true, Twin: w.Twin, Type: w.Type, Owner: w.Owner, Rule: rule, Severity: monitor.Severity(policy.Severity), At: now,
		Title: fmt.Sprintf("%s %.80s does not go on, after %d retries", w.Kind, w.ID, w.Retries-1)}
	if t != nil {
		d := &t.Definition
		a.Name, a.Type, a.Owner, a.Aggregates, a.Location = d.Name, d.Type, d.Owner, d.Aggregates, d.Location
	}
	a.Before = []twin.Occurrence{{At: w.Since, What: "overdue since; the owner says: " + cmp.Or(w.Reason, "nothing")}}
	w.Raised = &a
	w.Outbox.Add("operation:"+w.Key, event.AlarmRaised, string(w.Twin), now, a)
}

// over ends the watch over an operation, with the alarm's end if one was raised.
func (f *function) over(ctx context.Context, id string) error {
	w, err := f.operations.Update(ctx, id, func(w *operation) error {
		if w.Over {
			return store.Unchanged
		}
		w.Over = true
		if a := w.Raised; a != nil {
			a.Raised, a.At = false, f.p.Time()
			w.Outbox.Add("operation:"+w.Key, event.AlarmCleared, string(w.Twin), a.At, *a)
			w.Raised, w.Alarm = nil, ""
		}
		return nil
	})
	if err == nil {
		err = f.told.Flush(ctx, w)
	}
	if err == nil {
		err = f.operations.DeleteIf(ctx, id, store.And(store.Eq("over", true), store.Exists("outbox.since", false)))
	}
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
		err = nil // it is gone, or overdue again
	}
	return err
}

// forgetOperations ends the watch over what a function did not name any more.
func (f *function) forgetOperations(ctx context.Context, function string, planned time.Time) error {
	var gone []string
	err := f.operations.Scan(ctx, store.Query{Filter: store.Prefix("_id", function+"|")}, func(w operation) error {
		if w.Seen.Before(planned) || w.Over {
			gone = append(gone, w.Key)
		}
		return nil
	})
	faults := []error{err}
	for _, id := range gone {
		faults = append(faults, f.over(ctx, id))
	}
	return errors.Join(faults...)
}
