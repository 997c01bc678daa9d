package provision

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// A Sample is the device that a model is tried with.
type Sample struct {
	Type     twin.TypeID    `json:"type,omitempty"`
	Known    Known          `json:"known,omitzero"`
	Request  Request        `json:"request,omitzero"`
	Location *twin.Location `json:"location,omitempty"`
}

// Facts is what guards see of a sample before its run begins.
func (s *Sample) Facts() map[string]any {
	return facts(s.Known, s.Request, s.Location, nil, nil)
}

// An Event is something that happens while a model is tried. Actions succeed at once, unless an event says otherwise.
type Event struct {
	// When is the trigger that comes, or Refuse or Fail for what becomes of the next action named by Do. Timer only lets time
	// pass.
	When Trigger `json:"when"`

	// After is how long after the beginning it happens, no earlier than the event before it; 0 = as soon as the run waits.
	After twin.Duration `json:"after,omitempty"`

	Do     Action            `json:"do,omitempty"`     // of Refuse and Fail; "" = whatever action is next
	By     string            `json:"by,omitempty"`     // who decided, for guards
	Reason string            `json:"reason,omitempty"` // of a decision, refusal or failure
	Answer map[string]any    `json:"answer,omitempty"` // of answered
	Facts  map[string]string `json:"facts,omitempty"`  // that a device asks again with
}

// What may become of an action in a Simulation beside its success.
const (
	Refuse Trigger = "refuse" // it is refused for good
	Fail   Trigger = "fail"   // it fails once for a passing reason
)

// A Simulation is what would become of a device.
type Simulation struct {
	Steps     []Step `json:"steps"`               // at the times counted from Begun
	Forgotten int    `json:"forgotten,omitempty"` // how many more there were before them: a run keeps its newest MaxSteps

	Path    []string `json:"path"` // the states in the order in which they were entered
	State   string   `json:"state"`
	Outcome Outcome  `json:"outcome,omitempty"` // "" = it still waits or rests
	Reason  string   `json:"reason,omitempty"`

	Awaits []Trigger `json:"awaits,omitempty"` // what it waits for, where it still does
	Asks   *Asked    `json:"asks,omitempty"`
	Due    time.Time `json:"due,omitzero"` // when its limit passes or its rest is over

	Begun  time.Time `json:"begun"`
	Unused []Event   `json:"unused,omitempty"` // events that came to nothing, or after the end
}

// valid returns what is wrong with an event: a word that is none would change nothing, and leave people wondering why.
func (e *Event) valid() error {
	told := e.When == Refuse || e.When == Fail
	switch {
	case !told && !slices.Contains(Triggers, e.When):
		return fmt.Errorf("when: there is no trigger %.40q; there are %s, and %s or %s for an action", e.When, list(Triggers), Refuse, Fail)
	case !told && e.Do != "":
		return fmt.Errorf("do: goes with %s or %s only, not with %s; leave it out", Refuse, Fail, e.When)
	case e.Do != "" && !slices.Contains(Actions, e.Do):
		return fmt.Errorf("do: there is no action %.40q; there are %s", e.Do, list(Actions))
	case e.After < 0:
		return fmt.Errorf("after: %s is before the beginning", e.After)
	}
	return nil
}

// simulated is who acts in a simulation.
const simulated = "simulation"

// simulateFor is how long the conditions may take that one simulation judges.
const simulateFor = 2 * time.Second

// Simulate tells what would become of a sample in a model that has no faults, if events happened and every action succeeded. It
// changes nothing anywhere, and what becomes of the run reads no clock: it begins at begun. An error says that an event is none,
// that ctx has ended, or that trying it takes too long.
func Simulate(ctx context.Context, m Model, guard Guard, sample Sample, events []Event, begun time.Time) (Simulation, error) {
	for i := range events {
		if err := events[i].valid(); err != nil {
			return Simulation{}, fmt.Errorf("%w: events[%d].%w", twin.ErrInvalid, i, err)
		}
	}
	meter := Metered(ctx, guard, simulateFor)
	s := &simulation{now: begun, out: Simulation{Begun: begun, Steps: []Step{}}, over: func() bool { return meter.Err() != nil }}
	s.run = Run{ID: "run-simulated", Model: m, Type: sample.Type, Known: sample.Known, Request: sample.Request, Location: sample.Location,
		Owner: sample.Known.Claim.Owner, By: "device", guard: meter}
	if s.run.Request.Serial == "" {
		s.run.Request.Serial = sample.Known.Identity.Serial
	}
	for _, e := range events {
		if e.When == Refuse || e.When == Fail {
			s.failures = append(s.failures, e)
		} else {
			s.events = append(s.events, e)
		}
	}
	s.run.Begin(begun)
	s.work()
	for _, e := range s.events {
		if s.over() {
			break
		}
		s.happen(e)
	}
	if err := meter.Err(); err != nil {
		return Simulation{}, err
	}
	if s.cut {
		return Simulation{}, fmt.Errorf("%w: events: what becomes of them takes more than %d steps; take longer limits, or fewer events", twin.ErrInvalid, maxHappens)
	}
	return s.result(), nil
}

// maxHappens bounds how much happens between two events of a simulation. A run is rejected for going in circles before.
const maxHappens = 4 * maxAttempts

type simulation struct {
	run      Run
	now      time.Time
	events   []Event
	failures []Event
	out      Simulation
	over     func() bool // it may take no longer
	cut      bool        // more happened than is tried
}

// work does what is to be done until the run waits, rests or ends.
func (s *simulation) work() {
	for n := 0; s.run.Ready(s.now) && !s.over(); n++ {
		if s.cut = s.cut || n >= maxHappens; s.cut {
			break
		}
		s.enter()
		i := slices.IndexFunc(s.failures, func(e Event) bool { return e.Do == "" || e.Do == s.run.Next() })
		if i < 0 || s.run.Next() == "" {
			s.run.Done(simulated, "", s.now)
			continue
		}
		e := s.failures[i]
		s.failures = slices.Delete(s.failures, i, i+1)
		if e.Reason == "" {
			e.Reason = "as the simulation was told"
		}
		if e.When == Refuse {
			s.run.Refused(simulated, e.Reason, s.now)
		} else {
			s.run.Failed(simulated, e.Reason, s.now)
		}
	}
	s.enter()
	s.run.Told(s.now)
}

// enter notes the state that the run is in.
func (s *simulation) enter() {
	if n := len(s.out.Path); n == 0 || s.out.Path[n-1] != s.run.State {
		s.out.Path = append(s.out.Path, s.run.State)
	}
}

// pass lets time go by up to t, with what becomes due until then.
func (s *simulation) pass(t time.Time) {
	for n := 0; !s.over() && s.run.Outcome == "" && !s.run.Due.IsZero() && !s.run.Due.After(t); n++ {
		if s.cut = s.cut || n >= maxHappens; s.cut {
			break
		}
		if s.run.Due.After(s.now) {
			s.now = s.run.Due
		}
		switch r := &s.run; {
		case r.Late(s.now):
		case s.remind(t):
		case !r.Ready(s.now):
			s.now = later(s.now, t)
			return
		}
		s.work()
	}
	s.now = later(s.now, t)
}

// remind has people reminded as often as they would be until t, in one line of the log: a day of reminders is not to hide what else
// becomes of the device.
func (s *simulation) remind(t time.Time) bool {
	r := &s.run
	a := r.Asks
	if !r.Waiting || a == nil || a.Remind.IsZero() || s.now.Before(a.Remind) {
		return false
	}
	if !r.Deadline.IsZero() && !t.Before(r.Deadline) {
		t = r.Deadline.Add(-1)
	}
	more := int(max(0, t.Sub(s.now)) / a.Every.D())
	if more == 0 {
		return r.Reminded(s.now)
	}
	s.now = s.now.Add(time.Duration(more) * a.Every.D())
	a.Reminders += more + 1
	r.remindNext(s.now)
	r.Log(Step{At: s.now, State: r.State, Actor: "timer", Outcome: "waiting", Reason: fmt.Sprintf("%d reminders to %s, every %s", more+1, a.By, a.Every)})
	return true
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// limit is when the time of the state is over: its limit, where it has one, for reminders end nothing.
func (s *simulation) limit() time.Time {
	if r := &s.run; r.Waiting && !r.Deadline.IsZero() {
		return r.Deadline
	}
	return s.run.Due
}

func (s *simulation) happen(e Event) {
	logged := len(s.run.Fresh())
	if e.After > 0 {
		s.pass(s.out.Begun.Add(e.After.D()))
	} else if s.run.Rest.After(s.now) {
		s.pass(s.run.Rest)
	}
	r, went := &s.run, false
	switch {
	case r.Outcome != "":
		went = e.When == Timer && len(r.Fresh()) > logged // it ended while this time passed
	case e.When == Timer:
		if went = true; e.After == 0 {
			s.pass(s.limit())
		}
	case e.When.Human():
		by := e.By
		if by == "" {
			by = "user:simulation"
		}
		went = r.Decide(Decision{Trigger: e.When, By: by, Reason: e.Reason, At: s.now}, s.now)
	default:
		if e.When == Answered && r.Waiting {
			r.Answer = e.Answer
		}
		if e.Facts != nil {
			r.Request.Facts = e.Facts
		}
		came := len(r.Came)
		went = r.Triggered(e.When, simulated, e.Reason, s.now) || len(r.Came) > came
	}
	if !went {
		s.out.Unused = append(s.out.Unused, e)
	}
	s.work()
}

func (s *simulation) result() Simulation {
	r, out := &s.run, s.out
	out.Steps, out.State, out.Outcome, out.Reason, out.Asks, out.Due = r.Steps, r.State, r.Outcome, r.Reason, r.Asks, r.Due
	out.Forgotten = len(r.Fresh()) - len(r.Steps)
	out.Unused = append(out.Unused, s.failures...)
	if st, ok := r.Model.State(r.State); ok && r.Waiting {
		out.Awaits, out.Due = st.Awaits(), r.Deadline // reminders end nothing
	}
	return out
}
