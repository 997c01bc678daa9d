package provision

import (
	"fmt"
	"slices"
	"time"
)

const (
	// retryAfter is how long a passing failure rests before its action is repeated, times the tries so far; restMost bounds it.
	retryAfter = 2 * time.Second
	restMost   = 30 * time.Second

	// Pickup is how long an action may take before another instance takes the run over.
	Pickup = 15 * time.Second

	// maxAttempts bounds a round, so that a model that leads in circles ends.
	maxAttempts = 2000
)

// Begin puts a run that is new, or was rejected, into its model's first state. Nothing of an earlier round counts any more
// but its log.
func (r *Run) Begin(now time.Time) {
	r.Round++
	r.Twin, r.Results, r.Came = "", Results{}, nil
	r.Outcome, r.Reason, r.Withdrawing = "", "", false
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
	r.attempt(now, now)
	if r.Attempt-r.First > maxAttempts {
		r.reject("timer", fmt.Sprintf("the model leads in circles: it took %d attempts", maxAttempts), now)
	}
}

// attempt makes the state's action be done from rest on.
func (r *Run) attempt(now, rest time.Time) {
	r.Attempt++
	r.Waiting, r.Rest, r.Due = false, time.Time{}, now.Add(Pickup)
	if rest.After(now) {
		r.Rest, r.Due = rest, rest
	}
}

// Ready tells whether something is to be done now: the run has not ended, does not wait and does not rest.
func (r *Run) Ready(now time.Time) bool {
	return r.Outcome == "" && !r.Waiting && !now.Before(r.Rest)
}

// Next tells which action is to be done while the run is Ready; "" if the current state has none (Done goes on then).
func (r *Run) Next() Action {
	if r.Withdrawing {
		return Withdraw
	}
	s, _ := r.Model.State(r.State)
	return s.Do
}

// Done records that what Next says succeeded, and goes on: to the wait for the state's trigger or to the next state.
func (r *Run) Done(actor, note string, now time.Time) {
	s, ok := r.Model.State(r.State)
	if !ok || r.Outcome != "" || r.Waiting {
		return
	}
	step := Step{At: now, State: r.State, Action: r.Next(), Actor: actor, Outcome: "done", Reason: note}
	switch {
	case r.Withdrawing, s.End == Rejected && s.Do == Withdraw:
		r.end(Rejected, step)
	case s.End == Rejected:
		r.Log(step)
		r.withdraw(now)
	case s.End != "":
		r.end(s.End, step)
	case s.Await != "" && slices.Contains(r.Came, s.Await):
		r.Log(step)
		r.Came = slices.DeleteFunc(r.Came, func(t Trigger) bool { return t == s.Await })
		r.enter(s.Then, now)
	case s.Await != "":
		step.Outcome = "waiting"
		step.Reason = join(step.Reason, "for "+string(s.Await))
		r.Log(step)
		r.Waiting, r.Rest, r.Due = true, time.Time{}, r.Deadline
	default:
		r.Log(step)
		r.enter(s.Then, now)
	}
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

func (r *Run) end(o Outcome, step Step) {
	r.Results.Kept = o == Completed
	r.Outcome, r.Waiting, r.Withdrawing = o, false, false
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

// Triggered records that t came; it tells whether the run went on by it. One that comes before it is awaited is kept; one
// that comes twice or late changes nothing.
func (r *Run) Triggered(t Trigger, actor, note string, now time.Time) bool {
	s, ok := r.Model.State(r.State)
	if !ok || r.Outcome != "" || r.Withdrawing {
		return false
	}
	if !r.Waiting || s.Await != t {
		if !slices.Contains(r.Came, t) {
			r.Came = append(r.Came, t)
		}
		return false
	}
	r.Log(Step{At: now, State: r.State, Action: Action(t), Actor: actor, Outcome: "done", Reason: note})
	r.enter(s.Then, now)
	return true
}

// Refused records that the current action was refused for good: the run goes to the state's Else, or what it made is
// withdrawn and it ends as rejected.
func (r *Run) Refused(actor, reason string, now time.Time) {
	s, ok := r.Model.State(r.State)
	switch {
	case !ok || r.Outcome != "":
	case r.Withdrawing || s.End == Rejected && s.Do == Withdraw:
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
// retries left, then it counts as refused. Withdrawing is repeated until it succeeds.
func (r *Run) Failed(actor, reason string, now time.Time) {
	s, ok := r.Model.State(r.State)
	if !ok || r.Outcome != "" {
		return
	}
	if must := r.Withdrawing || s.End == Rejected && s.Do == Withdraw; !must && r.Tries >= s.Retries {
		r.Refused(actor, reason, now)
		return
	}
	r.Tries++
	r.Log(Step{At: now, State: r.State, Action: r.Next(), Actor: actor, Outcome: "failed", Reason: reason})
	r.attempt(now, now.Add(min(retryAfter*time.Duration(r.Tries), restMost)))
}

// Late records that the state's limit has passed, and tells whether it had. The action is repeated while retries are left.
func (r *Run) Late(now time.Time) bool {
	s, ok := r.Model.State(r.State)
	if !ok || r.Outcome != "" || r.Withdrawing || r.Deadline.IsZero() || now.Before(r.Deadline) {
		return false
	}
	reason := "not done within " + s.Limit.String()
	if r.Waiting {
		reason = "no " + string(s.Await) + " within " + s.Limit.String()
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
