package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// decideRun takes what people decide about what a run asks. Of two decisions about one question one counts; who repeats the one
// that counted is told the same again.
func (f *function) decideRun(ctx context.Context, c *faas.Call, in api.Decide) (provision.Run, error) {
	if err := checkDecide(&in); err != nil {
		metrics.DecidedBy("refused", 1)
		return provision.Run{}, err
	}
	r, err := f.findAsked(ctx, c.Caller, access.Read, c.Var("id"))
	if err != nil {
		return r, err
	}
	if err := f.mayDecide(ctx, c.Caller, &r); err != nil {
		return r, err
	}
	if in.Trigger != provision.Declined { // to decline is what is done then
		ended, over, err := f.lapse(ctx, &r)
		if over {
			return ended, fmt.Errorf("%w: run %s is rejected: its claim %s was revoked, and its device is turned away; let it ask with another claim", api.ErrConflict, r.ID, r.Request.Claim)
		} else if err != nil {
			return r, err
		}
	}
	seen, who, again, no := r, c.Caller.String(), false, error(nil)
	keys := in.PublicKey == "" || r.By == who
	if !keys {
		_, err := f.find(ctx, c.Caller, access.Write, r.ID)
		keys = err == nil
	}
	if err := f.takeFor(ctx, c.Caller, &r, &in, keys); err != nil {
		if errors.Is(err, twin.ErrInvalid) {
			metrics.DecidedBy("refused", 1)
		}
		return r, err
	}
	r, err = f.change(ctx, r.ID, func(r *provision.Run, now time.Time) error {
		again, no = decided(r, &in, who), nil
		if again {
			return store.Unchanged
		}
		if r.Asks != nil && !sameQuestion(&seen, r) { // whether the caller may decide about this one nobody has looked
			no = fmt.Errorf("%w: run %s has gone on to %s meanwhile", api.ErrConflict, r.ID, r.State)
			return store.Unchanged
		}
		if no = takeDecision(r, &in, keys); no != nil {
			return store.Unchanged
		}
		before := r.Attempt
		d := provision.Decision{Trigger: in.Trigger, By: who, Reason: in.Reason, At: now, State: r.State}
		if !r.Decide(d, now) || r.Attempt == before {
			no = fmt.Errorf("%w: no way on from %s holds for %s", api.ErrConflict, r.State, in.Trigger)
			return store.Unchanged
		}
		return nil
	})
	if err == nil {
		err = no
	}
	if err != nil {
		f.release(ctx, c.Var("id"), in.Serial)
		if errors.Is(err, twin.ErrInvalid) {
			metrics.DecidedBy("refused", 1)
		}
		return r, err
	}
	if !again {
		metrics.DecidedBy(string(in.Trigger), 1)
	}
	went, err := f.goOn(ctx, r.ID)
	if err != nil { // the decision is stored; the schedule takes the run on
		f.p.Log.WarnContext(ctx, "run not taken on yet", "run", r.ID, "error", err)
		return r, nil
	}
	return went, nil
}

// checkDecide validates what comes with a decision, and brings it to the form that is kept.
func checkDecide(in *api.Decide) error {
	switch {
	case !in.Trigger.Human():
		return api.Invalid("trigger %.40q must be approved, declined or confirmed", string(in.Trigger))
	case !legible(strings.NewReplacer("\n", " ", "\t", " ").Replace(in.Reason), maxDeviceText):
		return api.Invalid("reason must be plain text of at most %d bytes", maxDeviceText)
	case len(in.State) > 64:
		return api.Invalid("state must be the name of a state")
	}
	if in.Serial != "" || in.MAC != "" {
		serial := in.Serial
		if serial == "" {
			serial = "x"
		}
		i, err := readIdentity(serial, in.MAC, "", "")
		if err != nil {
			return err
		}
		if in.MAC = i.MAC; in.Serial != "" {
			in.Serial = i.Serial
		}
	}
	if in.PublicKey != "" {
		if _, err := keyOf("", "", in.PublicKey); err != nil {
			return err
		}
	}
	return nil
}

// takeFor makes the serial that comes with a decision the run's, once all else of the decision is known to be good.
func (f *function) takeFor(ctx context.Context, c access.Caller, r *provision.Run, in *api.Decide, keys bool) error {
	try := *r
	if in.Serial == "" || decided(r, in, c.String()) {
		return nil
	}
	if err := takeDecision(&try, in, keys); err != nil || in.Trigger == provision.Declined || r.Request.Serial != "" {
		return err
	}
	return f.named(ctx, c, f.take(ctx, r, in.Serial))
}

// takeDecision checks a decision against what the run asks, and notes what came with it. keys tells whether who decides may say to
// which key the device's secret is sealed: who is only asked may not.
func takeDecision(r *provision.Run, in *api.Decide, keys bool) error {
	s, _ := r.Model.State(r.State)
	a := r.Asks
	switch {
	case a == nil:
		return fmt.Errorf("%w: run %s asks nobody now, it is %s", api.ErrConflict, r.ID, stateOf(r))
	case in.State != "" && in.State != a.State:
		return fmt.Errorf("%w: run %s has gone on to %s meanwhile", api.ErrConflict, r.ID, a.State)
	case in.Trigger != provision.Declined && !slices.Contains(s.Awaits(), in.Trigger):
		return api.Invalid("trigger: state %s waits for %v, not for %s", r.State, s.Awaits(), in.Trigger)
	case s.WantsReason() && strings.TrimSpace(in.Reason) == "":
		return api.Invalid("reason is missing: say why it is %s; whoever reads the run's log is to know", in.Trigger)
	case in.Trigger == provision.Declined:
		return nil
	case a.Input == "serial" && in.Serial == "":
		return api.Invalid("serial is missing: this step asks for it")
	case a.Input == "mac" && in.MAC == "":
		return api.Invalid("mac is missing: this step asks for it")
	case in.Serial != "" && a.Input != "serial" && in.Serial != r.Request.Serial:
		return api.Invalid("serial: this step does not ask for it; leave it out")
	case in.MAC != "" && a.Input != "mac" && in.MAC != r.Request.MAC:
		return api.Invalid("mac: this step does not ask for it; leave it out")
	case !keys && in.PublicKey != r.Request.PublicKey:
		return api.Invalid("publicKey is for whoever began the run, or may change it; leave it out")
	case in.Serial != "" && r.Request.Serial != "" && in.Serial != r.Request.Serial:
		return api.Invalid("serial %q is not %q, the one that this run is for", in.Serial, r.Request.Serial)
	case in.MAC != "" && r.Request.MAC != "" && in.MAC != r.Request.MAC:
		return api.Invalid("mac %q is not %q, the one that this run is for", in.MAC, r.Request.MAC)
	}
	if in.PublicKey != "" && in.PublicKey != r.Request.PublicKey {
		if !manual(r) || r.Results.DeviceRef != "" {
			return api.Invalid("publicKey: a credential was made for another key already; reset the run to begin anew")
		}
		key, err := keyOf("", "", in.PublicKey)
		if err != nil {
			return err
		}
		r.Request.PublicKey, r.Request.Key = in.PublicKey, key
	}
	if in.Serial != "" {
		r.Request.Serial = in.Serial
	}
	if in.MAC != "" {
		r.Request.MAC = in.MAC
	}
	return nil
}

// decided tells whether this very decision was the last one that counted, so that it is repeated here.
func decided(r *provision.Run, in *api.Decide, who string) bool {
	d := r.Decision
	if d == nil || d.Trigger != in.Trigger || d.By != who || d.Reason != in.Reason || r.Asks != nil && r.Asks.State == d.State {
		return false
	}
	if in.State == "" { // it may as well be about what is asked now
		return r.Asks == nil
	}
	return in.State == d.State
}

// sameQuestion tells whether a run asks now what it asked when it was seen, and the same people.
func sameQuestion(seen, now *provision.Run) bool {
	return seen.Asks != nil && now.Asks != nil && seen.Attempt == now.Attempt && seen.Asks.State == now.Asks.State && seen.Asks.By == now.Asks.By
}

// groupAsked is the group whose members decide; "" if those do who may change the run.
func groupAsked(r *provision.Run) string {
	if r.Asks == nil {
		return ""
	}
	group, ok := strings.CutPrefix(r.Asks.By, "group:")
	if !ok {
		return ""
	}
	return group
}

// mayDecide refuses who is not asked: where a group is named its members decide, or who brings devices in and may change the
// run; else whoever may change it.
func (f *function) mayDecide(ctx context.Context, c access.Caller, r *provision.Run) error {
	group := groupAsked(r)
	if group != "" && slices.Contains(c.Groups, group) {
		return nil
	}
	if _, err := f.find(ctx, c, access.Write, r.ID); err != nil {
		return err
	}
	if group != "" && !c.Is(access.Configurator, access.Maintainer) {
		return fmt.Errorf("%w: group %s decides about this", access.ErrDenied, group)
	}
	return nil
}

// findAsked is find for those too whose group is asked: they may not have the device otherwise.
func (f *function) findAsked(ctx context.Context, c access.Caller, right access.Right, id string) (provision.Run, error) {
	r, err := f.find(ctx, c, right, id)
	if !errors.Is(err, api.ErrNotFound) {
		return r, err
	}
	asked, got := f.runs.Get(ctx, id)
	if got != nil || groupAsked(&asked) == "" || !slices.Contains(c.Groups, groupAsked(&asked)) {
		return r, platform.NotFound("run", id)
	}
	return asked, nil
}

// tellAsked has people told that a run asks them, once. Should it fail they are told when the schedule takes the run up.
func (f *function) tellAsked(ctx context.Context, r *provision.Run) error {
	if err := f.notice(ctx, r, 0, "A device asks you: "); err != nil {
		return err
	}
	attempt := r.Attempt
	_, err := f.change(ctx, r.ID, func(r *provision.Run, now time.Time) error {
		if r.Attempt != attempt || !r.Told(now) {
			return store.Unchanged
		}
		return nil
	})
	return err
}

// remind tells people that a run waits for them.
func (f *function) remind(ctx context.Context, r *provision.Run) error {
	if err := f.notice(ctx, r, r.Asks.Reminders+1, "A device waits for you: "); err != nil {
		return err
	}
	attempt, nth, told := r.Attempt, r.Asks.Reminders, false
	_, err := f.change(ctx, r.ID, func(r *provision.Run, now time.Time) error {
		told = r.Attempt == attempt && r.Asks != nil && r.Asks.Reminders == nth && r.Reminded(now)
		if !told {
			return store.Unchanged
		}
		return nil
	})
	if told && err == nil {
		metrics.Reminded()
	}
	return err
}

// notice sends the nth message about what a run asks; 0 is the one that it asks at all. Its key is the same until it is noted that
// it was sent, so a crash in between tells nobody twice.
func (f *function) notice(ctx context.Context, r *provision.Run, nth int, title string) error {
	owner := r.Owner
	if g := groupAsked(r); g != "" {
		owner = g
	}
	if owner == "" {
		return nil
	}
	n := api.Notification{Key: fmt.Sprintf("%s/%d/%d", roundOf(r), r.Attempt, nth), Owner: owner, Link: "/runs/" + r.ID, Title: short(title+r.Asks.Text, 200),
		Text: fmt.Sprintf("Serial    %s\nType      %s\nState     %s\nWaiting   since %s\nAsked     %s", r.Request.Serial, r.Type, r.State,
			r.Asks.Since.UTC().Format(time.RFC1123), r.Asks.Text)}
	n.Text = short(n.Text, 4000)
	if _, err := f.p.API.Notify(ctx, n); err != nil && !refused(err) {
		return err
	}
	return nil
}

// short is s in at most n bytes.
func short(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-3], "") + "…"
}
