package provision

import (
	"time"
)

// retryAfter is how long a passing failure waits before its action is repeated, times the tries so far.
const retryAfter = 2 * time.Second

// Begin puts a new run into its model's first state.
func (r *Run) Begin(now time.Time) { r.enter(r.Model.Start, now) }

func (r *Run) enter(state string, now time.Time) {
	s, _ := r.Model.State(state)
	r.State, r.Waiting, r.Tries, r.Due = state, false, 0, time.Time{}
	if s.Limit > 0 {
		r.Due = now.Add(s.Limit.D())
	}
}

// Next tells what is to be done now: the action of the current state ("" if the run waits or has ended).
func (r *Run) Next() Action {
	if r.Outcome != "" || r.Waiting {
		return ""
	}
	s, _ := r.Model.State(r.State)
	return s.Do
}

// Done records that the current state's action succeeded, and goes on: to the wait for its trigger or to the next state.
// A state without action is done at once.
func (r *Run) Done(actor, note string, now time.Time) {
	s, ok := r.Model.State(r.State)
	if !ok || r.Outcome != "" || r.Waiting {
		return
	}
	step := Step{At: now, State: r.State, Action: s.Do, Actor: actor, Outcome: "done", Reason: note}
	switch {
	case s.End != "":
		r.end(s.End, step)
	case s.Await != "":
		step.Outcome = "waiting"
		r.Waiting = true
		r.Log(step)
	default:
		r.Log(step)
		r.enter(s.Then, now)
	}
}

func (r *Run) end(o Outcome, step Step) {
	r.Outcome, r.Waiting, r.Due = o, false, time.Time{}
	step.Outcome = "ended"
	if o == Rejected && step.Reason == "" {
		step.Reason = r.Reason
	}
	r.Log(step)
}

// Triggered records that t came; it tells whether the run was waiting for it. Others are ignored, because triggers may come
// twice or late.
func (r *Run) Triggered(t Trigger, actor, note string, now time.Time) bool {
	s, ok := r.Model.State(r.State)
	if !ok || r.Outcome != "" || !r.Waiting || s.Await != t {
		return false
	}
	r.Log(Step{At: now, State: r.State, Action: Action(t), Actor: actor, Outcome: "done", Reason: note})
	r.enter(s.Then, now)
	return true
}

// Refused records that the current action was refused for good: the run goes to the state's Else, or ends as rejected.
func (r *Run) Refused(actor, reason string, now time.Time) {
	s, ok := r.Model.State(r.State)
	if !ok || r.Outcome != "" {
		return
	}
	step := Step{At: now, State: r.State, Action: s.Do, Actor: actor, Outcome: "refused", Reason: reason}
	if r.Reason == "" {
		r.Reason = reason
	}
	if s.Else == "" {
		r.end(Rejected, step)
		return
	}
	r.Log(step)
	r.enter(s.Else, now)
}

// Failed records that the current action failed for a passing reason: it is repeated a little later while the state has
// retries left, then it counts as refused.
func (r *Run) Failed(actor, reason string, now time.Time) {
	s, ok := r.Model.State(r.State)
	if !ok || r.Outcome != "" {
		return
	}
	if r.Tries >= s.Retries {
		r.Refused(actor, reason, now)
		return
	}
	r.Tries++
	r.Waiting = false
	r.Due = now.Add(retryAfter * time.Duration(r.Tries))
	r.Log(Step{At: now, State: r.State, Action: s.Do, Actor: actor, Outcome: "failed", Reason: reason})
}

// Late records that the state's limit has passed while it waited. The action is repeated while retries are left.
func (r *Run) Late(now time.Time) {
	s, ok := r.Model.State(r.State)
	if !ok || !r.Waiting || r.Due.IsZero() || now.Before(r.Due) {
		return
	}
	reason := "no " + string(s.Await) + " within " + s.Limit.String()
	if r.Tries >= s.Retries {
		r.Refused("timer", reason, now)
		return
	}
	r.Tries++
	r.Waiting = false
	r.Due = now.Add(s.Limit.D())
	r.Log(Step{At: now, State: r.State, Action: s.Do, Actor: "timer", Outcome: "failed", Reason: reason})
}
