package provision

import "time"

// suspendedFor is after how long a run that is suspended is looked at again, should nobody say that it is resumed.
const suspendedFor = time.Minute

// Suspended has an open run stand still while people keep its device out: it rests, and no limit of its state passes. That it does
// is logged once.
func (r *Run) Suspended(actor, why string, now time.Time) {
	if r.Outcome != "" {
		return
	}
	r.renewLimit(now)
	if r.Waiting {
		r.dueAsked()
	} else {
		r.Rest = now.Add(suspendedFor)
		r.Due = r.Rest
	}
	if n := len(r.Steps); n == 0 || r.Steps[n-1].Outcome != "waiting" || r.Steps[n-1].Reason != why {
		r.Log(Step{At: now, State: r.State, Actor: actor, Outcome: "waiting", Reason: why})
	}
}

// Resumed has the run go on, with the whole limit of its state. It returns false if that changes nothing.
func (r *Run) Resumed(actor string, now time.Time) bool {
	if r.Outcome != "" || r.Undoing() {
		return false
	}
	r.renewLimit(now)
	if r.Waiting {
		r.dueAsked()
	} else {
		r.Rest, r.Due = time.Time{}, now.Add(Pickup)
	}
	r.Log(Step{At: now, State: r.State, Actor: actor, Outcome: "done", Reason: "the device may go on: it was resumed"})
	return true
}

// renewLimit has the state's limit begin now.
func (r *Run) renewLimit(now time.Time) {
	if s, ok := r.Model.State(r.State); ok && s.Limit > 0 {
		r.Deadline = now.Add(s.Limit.D())
	}
}
