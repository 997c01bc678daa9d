package provision

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// withdrawMost bounds the rests between attempts to withdraw: what a device may do no more must not wait long.
	withdrawMost = 30 * time.Second

	// undoTries is how often the undoing of a state is tried. Then it is left undone, for what the platform itself made must be
	// withdrawn in any case.
	undoTries = 8

	// Pickup is how long an action may take before another instance takes the run over.
	Pickup = 15 * time.Second

	// maxAttempts bounds a round, so that a model that leads in circles ends.
	maxAttempts = 2000
)

// Begin puts a run that is new, or was rejected, into its model's first state. Nothing of an earlier round counts any more
// but its log.
func (r *Run) Begin(now time.Time) {
	r.Round++
	r.Twin, r.Results, r.Came, r.Entered = "", Results{}, nil, nil
	r.Decision, r.Call, r.Answer = nil, nil, nil
	r.Outcome, r.Reason, r.Hears, r.Withdrawing, r.Sent, r.CameIn, r.Free = "", "", "", false, time.Time{}, time.Time{}, false
	r.First = r.Attempt
	if r.Created.IsZero() {
		r.Created = now
	}
	r.enter(r.Model.Start, now)
}

func (r *Run) enter(state string, now time.Time) {
	s, _ := r.Model.State(state)
	r.State, r.Tries, r.Deadline = state, 0, time.Time{}
	if s.Limit > 0 {
		r.Deadline = now.Add(s.Limit.D())
	}
	if s.Undo != nil {
		r.Entered = append(slices.DeleteFunc(r.Entered, func(e string) bool { return e == state }), state)
	}
	if s.Do == CallService { // what an earlier call was answered is not the answer to this one
		r.Call, r.Answer = nil, nil
		r.forget(Answered)
	}
	r.attempt(now, now)
	if r.Attempt-r.First > maxAttempts {
		r.reject("timer", fmt.Sprintf("the model leads in circles: it took %d attempts", maxAttempts), now)
	}
}

// because keeps why the run goes to state to, should it be rejected there: the device is told.
func (r *Run) because(to string, why string) {
	if s, _ := r.Model.State(to); s.End == Rejected && r.Reason == "" {
		r.Reason = why
	}
}

func (r *Run) forget(t Trigger) {
	r.Came = slices.DeleteFunc(r.Came, func(c Trigger) bool { return c == t })
}

// attempt makes the state's action be done from rest on.
func (r *Run) attempt(now, rest time.Time) {
	r.Attempt++
	r.Waiting, r.Asks, r.Rest, r.Due = false, nil, time.Time{}, now.Add(Pickup)
	if rest.After(now) {
		r.Rest, r.Due = rest, rest
	}
}

// Ready tells whether something is to be done now: the run has not ended, does not wait and does not rest.
func (r *Run) Ready(now time.Time) bool {
	return r.Outcome == "" && !r.Waiting && !now.Before(r.Rest)
}

// Next tells which action is to be done while the run is Ready; "" if the current state has none (Done goes on then).
func (r *Run) Next() Action { return r.Task().Do }

// Task is what Next says with its parameters.
func (r *Run) Task() Deed {
	s, _ := r.Model.State(r.State)
	switch undo := r.undo(&s); {
	case undo != nil:
		return *undo
	case r.Withdrawing:
		return Deed{Do: Withdraw}
	}
	return Deed{s.Do, s.With}
}

// ends tells whether only undoing and withdrawing are left to do.
func (r *Run) ends(s *State) bool { return r.Withdrawing || s.End == Rejected && s.Do == Withdraw }

// Undoing tells whether only undoing and withdrawing are left to do: what was asked of others is taken back.
func (r *Run) Undoing() bool {
	s, ok := r.Model.State(r.State)
	return ok && r.ends(&s)
}

// undo is what is to be undone next; nil if nothing is.
func (r *Run) undo(s *State) *Deed {
	if n := len(r.Entered); n > 0 && r.ends(s) {
		if of, ok := r.Model.State(r.Entered[n-1]); ok && of.Undo != nil {
			return of.Undo
		}
		return &Deed{}
	}
	return nil
}

// Done records that what Next says succeeded, and goes on: to the wait for the state's trigger or to the next state.
func (r *Run) Done(actor, note string, now time.Time) {
	s, ok := r.Model.State(r.State)
	if !ok || r.Outcome != "" || r.Waiting {
		return
	}
	step := Step{At: now, State: r.State, Action: r.Next(), Actor: actor, Outcome: "done", Reason: note}
	switch {
	case r.undo(&s) != nil:
		r.undone(step, now)
	case r.ends(&s):
		r.end(Rejected, step)
	case s.End == Rejected:
		r.Log(step)
		r.withdraw(now)
	case s.End != "":
		r.end(s.End, step)
	default:
		r.leave(&s, step, now)
	}
}

// leave takes the first way out of a state whose action is done, or waits.
func (r *Run) leave(s *State, step Step, now time.Time) {
	note := step.Reason
	w, ok, unjudged := r.way(s, func(t Trigger) bool { return t == "" || slices.Contains(r.Came, t) })
	awaits := s.Awaits()
	if !ok && len(awaits) > 0 {
		step.Outcome, step.Reason = "waiting", join(step.Reason, "for "+either(awaits))
	}
	r.Log(step)
	r.ignore(step.Actor, unjudged, now)
	switch {
	case ok:
		r.forget(w.When)
		r.because(w.Then, joinColon(cmp.Or(string(w.When), s.Label()), note))
		r.enter(w.Then, now)
	case len(awaits) > 0:
		r.wait(s, awaits, now)
	case s.Then != "":
		r.because(s.Then, joinColon(s.Label(), note))
		r.enter(s.Then, now)
	default:
		r.Refused(step.Actor, "no condition for a way on from "+s.Label()+" holds", now)
	}
}

func (r *Run) wait(s *State, awaits []Trigger, now time.Time) {
	r.Waiting, r.Rest, r.Due = true, time.Time{}, r.Deadline
	if !slices.ContainsFunc(awaits, Trigger.Human) {
		return
	}
	r.Asks = &Asked{State: s.Name, Text: r.Fill(s.question()), By: "owner", Input: s.With["input"], Since: now, Every: s.Remind}
	if by := s.With["by"]; by != "" {
		r.Asks.By = by
	}
	if s.Do == Instruct { // an installer is at it
		r.Asks.Told = now
	}
	r.remindNext(now)
}

// question is what people are asked in the state.
func (s *State) question() string {
	for _, name := range []string{"question", "text"} {
		if t := s.With[name]; t != "" && (s.Do == Ask || s.Do == Instruct) {
			return t
		}
	}
	return s.Label()
}

func (r *Run) remindNext(now time.Time) {
	if a := r.Asks; a != nil && a.Every > 0 {
		a.Remind = now.Add(a.Every.D())
	}
	r.dueAsked()
}

// dueAsked is when somebody must look at a run that asks people: they are to be told, or reminded, or its limit is over.
func (r *Run) dueAsked() {
	r.Due = r.Deadline
	sooner := func(t time.Time) {
		if !t.IsZero() && (r.Due.IsZero() || t.Before(r.Due)) {
			r.Due = t
		}
	}
	if a := r.Asks; a != nil {
		sooner(a.Remind)
		if a.Told.IsZero() {
			sooner(a.Since.Add(Pickup))
		}
	}
}

// Told records that people were told what they are asked, and tells whether they were not before.
func (r *Run) Told(now time.Time) bool {
	if !r.Waiting || r.Asks == nil || !r.Asks.Told.IsZero() {
		return false
	}
	r.Asks.Told = now
	r.dueAsked()
	return true
}

// way returns the first way out of a state that a trigger of came opens and whose condition holds, and which conditions before
// it could not be judged.
func (r *Run) way(s *State, came func(Trigger) bool) (w Transition, ok bool, unjudged []Step) {
	facts := r.Facts()
	for _, w := range s.Ways() {
		if !came(w.When) {
			continue
		}
		holds, why := r.holds(w.If, facts)
		if holds {
			return w, true, unjudged
		}
		if why != "" {
			unjudged = append(unjudged, Step{State: s.Name, Action: Action(w.When), Outcome: "ignored", Reason: why})
		}
	}
	return Transition{}, false, unjudged
}

// ignore logs what changed nothing. What was said last is not said again: a device may ask for ever.
func (r *Run) ignore(actor string, steps []Step, now time.Time) {
	for _, s := range steps {
		s.At, s.Actor = now, actor
		if n := len(r.Steps); n > 0 {
			last := r.Steps[n-1]
			if last.State == s.State && last.Action == s.Action && last.Outcome == s.Outcome && last.Reason == s.Reason {
				continue
			}
		}
		r.Log(s)
	}
}

func either(ts []Trigger) string {
	words := make([]string, len(ts))
	for i, t := range ts {
		words[i] = string(t)
	}
	return strings.Join(words, " or ")
}

func joinColon(a, b string) string {
	if b == "" {
		return a
	}
	return a + ": " + b
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

func (r *Run) end(o Outcome, step Step) {
	r.Results.Kept = o == Completed
	r.Outcome, r.Waiting, r.Asks, r.Withdrawing = o, false, nil, false
	r.Deadline, r.Rest, r.Due, r.Came = time.Time{}, time.Time{}, time.Time{}, nil
	r.Log(step)
	last := Step{At: step.At, State: step.State, Actor: step.Actor, Outcome: "ended", Reason: string(o)}
	if o == Rejected && r.Reason != "" {
		last.Reason += ": " + r.Reason
	}
	r.Log(last)
}

// withdraw makes what the run has made be undone before it ends.
func (r *Run) withdraw(now time.Time) {
	r.Withdrawing, r.Tries, r.Deadline = true, 0, time.Time{}
	r.attempt(now, now)
}

// undone goes on to what was entered before the state that is undone, or is left undone.
func (r *Run) undone(step Step, now time.Time) {
	n := len(r.Entered) - 1
	step.State = r.Entered[n]
	r.Entered, r.Tries = r.Entered[:n:n], 0
	r.Log(step)
	r.attempt(now, now)
}

// Decide records what people decided while they are asked, and tells whether the run went on by it. One that is declined where
// no way says what then is refused.
func (r *Run) Decide(d Decision, now time.Time) bool {
	if r.Asks == nil || !d.Trigger.Human() {
		return false
	}
	r.Decision = &d
	return r.Triggered(d.Trigger, d.By, d.Reason, now)
}

// Triggered records that t came; it tells whether the run went on by it. One that comes before it is awaited is kept if it is
// of a kind that stays true; one that comes twice or late changes nothing.
func (r *Run) Triggered(t Trigger, actor, note string, now time.Time) bool {
	s, ok := r.Model.State(r.State)
	if !ok || r.Outcome != "" || r.Withdrawing {
		return false
	}
	if !r.Waiting || !slices.Contains(s.Awaits(), t) {
		switch {
		case t == Declined && r.Waiting && r.Asks != nil:
			r.Refused(actor, joinColon("declined", note), now)
			return true
		case t.kept() && !slices.Contains(r.Came, t):
			r.Came = append(r.Came, t)
		}
		return false
	}
	w, ok, unjudged := r.way(&s, func(o Trigger) bool { return o == t })
	if !ok && len(unjudged) == 0 {
		unjudged = []Step{{State: s.Name, Action: Action(t), Outcome: "ignored", Reason: "no condition for a way on holds"}}
	}
	if !ok {
		r.ignore(actor, unjudged, now)
		return false
	}
	r.Log(Step{At: now, State: r.State, Action: Action(t), Actor: actor, Outcome: "done", Reason: note})
	r.ignore(actor, unjudged, now)
	r.because(w.Then, joinColon(string(t), note))
	r.enter(w.Then, now)
	return true
}

// Refused records that the current action was refused for good: the run goes to the state's Else, or what it made is
// withdrawn and it ends as rejected.
func (r *Run) Refused(actor, reason string, now time.Time) {
	s, ok := r.Model.State(r.State)
	switch {
	case !ok || r.Outcome != "":
	case r.ends(&s):
		r.Failed(actor, reason, now) // half-made things are never left behind
	case s.Else == "":
		r.reject(actor, reason, now)
	default:
		r.refusal(actor, reason, now)
		r.enter(s.Else, now)
	}
}

func (r *Run) refusal(actor, reason string, now time.Time) {
	if r.Reason == "" {
		r.Reason = reason
	}
	r.Log(Step{At: now, State: r.State, Action: r.Next(), Actor: actor, Outcome: "refused", Reason: reason})
}

func (r *Run) reject(actor, reason string, now time.Time) {
	r.refusal(actor, reason, now)
	r.withdraw(now)
}

// Reset ends the run from outside, in whatever state it is, also a completed one: what it made is withdrawn, and then the
// device may ask anew.
func (r *Run) Reset(actor, reason string, now time.Time) {
	if r.Withdrawing || r.Outcome == Rejected {
		return
	}
	r.Outcome, r.Reason = "", reason
	r.Log(Step{At: now, State: r.State, Actor: actor, Outcome: "refused", Reason: reason})
	r.withdraw(now)
}

// Failed records that the current action failed for a passing reason: it is repeated a little later while the state has
// retries left, then it counts as refused. Withdrawing is repeated until it succeeds, undoing up to undoTries times.
func (r *Run) Failed(actor, reason string, now time.Time) {
	s, ok := r.Model.State(r.State)
	if !ok || r.Outcome != "" {
		return
	}
	step := Step{At: now, State: r.State, Action: r.Next(), Actor: actor, Outcome: "failed", Reason: reason}
	switch {
	case r.undo(&s) != nil && r.Tries >= undoTries:
		step.Reason = fmt.Sprintf("left undone after %d tries: %s", r.Tries+1, reason)
		r.undone(step, now)
		return
	case !r.ends(&s) && r.Tries >= s.Retries:
		r.Refused(actor, reason, now)
		return
	}
	r.Tries++
	r.Log(step)
	r.attempt(now, now.Add(r.rest(&s)))
}

// rest is how long the run rests after its newest failure.
func (r *Run) rest(s *State) time.Duration {
	first, most := s.Backoff.D(), MaxBackoff
	if r.ends(s) {
		first, most = 0, withdrawMost
	}
	if first <= 0 {
		first = DefaultBackoff
	}
	for range r.Tries - 1 {
		if first *= 2; first >= most {
			break
		}
	}
	return min(first, most)
}

// Late records that the state's limit has passed, and tells whether it had. Where a way out is for that it is taken; else the
// action is repeated while retries are left.
func (r *Run) Late(now time.Time) bool {
	s, ok := r.Model.State(r.State)
	if !ok || r.Outcome != "" || r.Withdrawing || r.Deadline.IsZero() || now.Before(r.Deadline) {
		return false
	}
	reason := "not done within " + s.Limit.String()
	if r.Waiting {
		if r.timer(&s, now) {
			return true
		}
		reason = missed(s.Awaits()) + " within " + s.Limit.String()
	}
	if r.Tries >= s.Retries {
		r.Refused("timer", reason, now)
		return true
	}
	r.Tries++
	r.Deadline = now.Add(s.Limit.D())
	r.Log(Step{At: now, State: r.State, Action: s.Do, Actor: "timer", Outcome: "failed", Reason: reason})
	r.attempt(now, now)
	return true
}

// timer takes the way out that is for a limit which has passed.
func (r *Run) timer(s *State, now time.Time) bool {
	w, ok, unjudged := r.way(s, func(t Trigger) bool { return t == Timer })
	if ok {
		r.Log(Step{At: now, State: s.Name, Action: Action(Timer), Actor: "timer", Outcome: "done", Reason: s.Limit.String() + " have passed"})
	}
	r.ignore("timer", unjudged, now)
	if ok {
		r.enter(w.Then, now)
	}
	return ok
}

// Reminded records that people who are waited for are reminded now, and tells whether it was time to.
func (r *Run) Reminded(now time.Time) bool {
	if !r.Waiting || r.Asks == nil || r.Asks.Remind.IsZero() || now.Before(r.Asks.Remind) {
		return false
	}
	r.Asks.Reminders++
	r.remindNext(now)
	r.Log(Step{At: now, State: r.State, Actor: "timer", Outcome: "waiting", Reason: "reminder " + fmt.Sprint(r.Asks.Reminders) + " to " + r.Asks.By})
	return true
}
