// Package provision is the state machine of provisioning (paper 5: "a state machine model of the provisioning process"): the
// model a type's TDTA owns, the run of one device through it, and the pure step from one state to the next. It performs
// no action itself; function twin-provision does, and reports the outcome here.
package provision

import (
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// A Model says in which states a device comes onto the platform, what is done in each and where it leads. It is data: no Go
// code names the order of steps.
type Model struct {
	ID      string `json:"id" yaml:"id" bson:"_id"`
	Version int64  `json:"version" yaml:"version,omitempty" bson:"version"`

	// Type is the TDTA that owns the model; "" = any type may name it.
	Type twin.TypeID `json:"type,omitempty" yaml:"type,omitempty" bson:"type,omitempty"`

	Note   string  `json:"note,omitempty" yaml:"note,omitempty" bson:"note,omitempty"`
	Start  string  `json:"start" yaml:"start" bson:"start"`
	States []State `json:"states" yaml:"states" bson:"states"`

	Updated time.Time `json:"updated,omitzero" yaml:"-" bson:"updated"`
}

// A State is one step of a model. It does an action, waits for a trigger, or ends the run.
type State struct {
	Name string `json:"name" yaml:"name" bson:"name"`

	// Title is the name that people read; "" = Name.
	Title string `json:"title,omitempty" yaml:"title,omitempty" bson:"title,omitempty"`

	// Do is the action performed on entering; "" if the state only waits or ends. With is its parameters.
	Do   Action            `json:"do,omitempty" yaml:"do,omitempty" bson:"do,omitempty"`
	With map[string]string `json:"with,omitempty" yaml:"with,omitempty" bson:"with,omitempty"`

	// Await is the trigger that must come after the action before the run goes on to Then: short for on: [{when, then}].
	Await Trigger `json:"await,omitempty" yaml:"await,omitempty" bson:"await,omitempty"`

	// On are the ways out of the state, tried in order: the first whose trigger came and whose guard holds is taken.
	On []Transition `json:"on,omitempty" yaml:"on,omitempty" bson:"on,omitempty"`

	// Then is the next state once the action is done and, with Await, its trigger came; of a state that awaits nothing it is
	// where no transition of On holds.
	Then string `json:"then,omitempty" yaml:"then,omitempty" bson:"then,omitempty"`

	// Else is the state taken when the action is refused or the limit passes with no retry left; "" = the run is rejected.
	Else string `json:"else,omitempty" yaml:"else,omitempty" bson:"else,omitempty"`

	// Limit is how long action and wait may take together; required where anything is awaited.
	Limit twin.Duration `json:"limit,omitempty" yaml:"limit,omitempty" bson:"limit,omitempty"`

	// Retries is how often the action is repeated when it fails for a passing reason or the limit passes. Backoff is the rest
	// before the first repetition, doubled each time up to MaxBackoff; 0 = DefaultBackoff.
	Retries int           `json:"retries,omitempty" yaml:"retries,omitempty" bson:"retries,omitempty"`
	Backoff twin.Duration `json:"backoff,omitempty" yaml:"backoff,omitempty" bson:"backoff,omitempty"`

	// Remind is how often people who are waited for are reminded; 0 = never.
	Remind twin.Duration `json:"remind,omitempty" yaml:"remind,omitempty" bson:"remind,omitempty"`

	// Undo is done when the run is rejected after this state was entered: latest state first, before what the platform made is
	// withdrawn.
	Undo *Deed `json:"undo,omitempty" yaml:"undo,omitempty" bson:"undo,omitempty"`

	// End ends the run; no other field but Name, Title, Do, With and retries goes with it.
	End Outcome `json:"end,omitempty" yaml:"end,omitempty" bson:"end,omitempty"`
}

// A Transition is one way out of a state.
type Transition struct {
	When Trigger `json:"when,omitempty" yaml:"when,omitempty" bson:"when,omitempty"` // "" = the action is done
	If   string  `json:"if,omitempty" yaml:"if,omitempty" bson:"if,omitempty"`       // a guard (Guard); "" = always
	Then string  `json:"then" yaml:"then" bson:"then"`
}

// A Deed is an action with its parameters.
type Deed struct {
	Do   Action            `json:"do" yaml:"do" bson:"do"`
	With map[string]string `json:"with,omitempty" yaml:"with,omitempty" bson:"with,omitempty"`
}

// How long a failed action rests before it is repeated.
const (
	DefaultBackoff = 2 * time.Second
	MaxBackoff     = 10 * time.Minute
)

// An Outcome is how a run ended; "" = it has not.
type Outcome string

// The outcomes of a run.
const (
	Completed Outcome = "completed"
	Rejected  Outcome = "rejected"
)

// State returns the state of that name; ok is false if there is none.
func (m *Model) State(name string) (s State, ok bool) {
	i := slices.IndexFunc(m.States, func(s State) bool { return s.Name == name })
	if i < 0 {
		return State{}, false
	}
	return m.States[i], true
}

// Label is what people read: the title, or the name.
func (s *State) Label() string {
	if s.Title != "" {
		return s.Title
	}
	return s.Name
}

// WantsReason tells whether who decides here must say why.
func (s *State) WantsReason() bool { return s.Do == Ask && s.With["reason"] != "optional" }

// Ways are the state's transitions in the order in which they are tried, Await's among them.
func (s *State) Ways() []Transition {
	if s.Await == "" {
		return s.On
	}
	return append(slices.Clip(s.On), Transition{When: s.Await, Then: s.Then})
}

// Awaits lists the triggers that the state waits for; none if it goes on once its action is done.
func (s *State) Awaits() (all []Trigger) {
	for _, w := range s.Ways() {
		if w.When != "" && !slices.Contains(all, w.When) {
			all = append(all, w.When)
		}
	}
	return all
}

// Conditional tells whether any way of the model has a condition.
func (m *Model) Conditional() bool {
	return slices.ContainsFunc(m.States, func(s State) bool {
		return slices.ContainsFunc(s.On, func(w Transition) bool { return w.If != "" })
	})
}
