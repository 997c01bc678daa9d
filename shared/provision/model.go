// Package provision is the state machine of provisioning (paper 5: "a state machine model of the provisioning process"): the
// model a type's TDTA owns, the run of one device through it, and the pure step from one state to the next. It performs
// no action itself; function twin-provision does, and reports the outcome here.
package provision

import (
	"errors"
	"fmt"
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

	// Do is the action performed on entering; "" if the state only waits or ends.
	Do Action `json:"do,omitempty" yaml:"do,omitempty" bson:"do,omitempty"`

	// Await is the trigger that must come after the action before the run goes on; "" = it goes on at once.
	Await Trigger `json:"await,omitempty" yaml:"await,omitempty" bson:"await,omitempty"`

	// Then is the next state; "" only where End is set.
	Then string `json:"then,omitempty" yaml:"then,omitempty" bson:"then,omitempty"`

	// Else is the state taken when the action is refused or the limit passes with no retry left; "" = the run is rejected.
	Else string `json:"else,omitempty" yaml:"else,omitempty" bson:"else,omitempty"`

	// Limit is how long action and wait may take together; required where Await is set.
	Limit twin.Duration `json:"limit,omitempty" yaml:"limit,omitempty" bson:"limit,omitempty"`

	// Retries is how often the action is repeated when it fails for a passing reason or the limit passes.
	Retries int `json:"retries,omitempty" yaml:"retries,omitempty" bson:"retries,omitempty"`

	// End ends the run; no other field but Name and Do goes with it.
	End Outcome `json:"end,omitempty" yaml:"end,omitempty" bson:"end,omitempty"`
}

// An Action is an operation of the platform that a state performs.
type Action string

// The actions. Each is idempotent: a run that was interrupted repeats it.
const (
	CheckClaim       Action = "check-claim"       // the claim covers type and serial; a use of it is reserved
	CheckIdentity    Action = "check-identity"    // the serial is known, its MAC and model agree, and its type may be this one
	CreateTwin       Action = "create-twin"       // the instance (DTI) exists in phase provisioning, owned by the claim's group
	IssueCertificate Action = "issue-certificate" // the device's CSR is signed by the platform's CA, and mapped to the twin
	RegisterGateway  Action = "register-gateway"  // an operational gateway is chosen and told to let the device in
	RenderConfig     Action = "render-configuration"
	Deliver          Action = "deliver"          // the bundle is sent to the device
	CloseClaim       Action = "close-claim"      // a claim that is used up is taken from the provisioning gateway
	EraseCredential  Action = "erase-credential" // what was kept of the credential for delivery is erased
	Activate         Action = "activate"         // the twin is operational
	Withdraw         Action = "withdraw"         // undoes what the run has made: gateway entry, mapping, certificate, claim use, twin
)

// Actions lists every action.
var Actions = []Action{CheckClaim, CheckIdentity, CreateTwin, IssueCertificate, RegisterGateway, RenderConfig, Deliver, CloseClaim, EraseCredential, Activate, Withdraw}

// A Trigger is something from outside that a state waits for.
type Trigger string

// The triggers.
const (
	GatewayReady  Trigger = "gateway-ready"  // the gateway has written back that it lets the device in
	DeviceConfirm Trigger = "device-confirm" // the device has confirmed on the operational gateway
)

// Triggers lists every trigger.
var Triggers = []Trigger{GatewayReady, DeviceConfirm}

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

// Valid returns twin.ErrInvalid with every fault of the model: unknown actions, triggers and states, waits without a limit,
// states that cannot be reached and dead ends.
func (m *Model) Valid() error {
	var faults []error
	fault := func(format string, a ...any) {
		faults = append(faults, fmt.Errorf("%w: model %s: %s", twin.ErrInvalid, m.ID, fmt.Sprintf(format, a...)))
	}
	if err := twin.ID(m.ID).Valid(); err != nil {
		faults = append(faults, err)
	}
	if len(m.States) == 0 || len(m.States) > 100 {
		fault("states: there must be 1 to 100, not %d", len(m.States))
	}
	seen := map[string]bool{}
	for i, s := range m.States {
		at := fmt.Sprintf("state %d (%s)", i+1, s.Name)
		switch {
		case s.Name == "" || len(s.Name) > 64:
			fault("%s: name must have 1 to 64 characters", at)
		case seen[s.Name]:
			fault("%s: there are two states of this name", at)
		}
		seen[s.Name] = true
		if s.Do != "" && !slices.Contains(Actions, s.Do) {
			fault("%s: do: there is no action %q; there are %v", at, s.Do, Actions)
		}
		if s.Await != "" && !slices.Contains(Triggers, s.Await) {
			fault("%s: await: there is no trigger %q; there are %v", at, s.Await, Triggers)
		}
		if s.Await != "" && s.Limit <= 0 {
			fault("%s: limit: a state that waits must say for how long, like \"5m\"", at)
		}
		if s.Retries < 0 || s.Retries > 100 {
			fault("%s: retries must be 0 to 100", at)
		}
		switch {
		case s.End != "" && s.End != Completed && s.End != Rejected:
			fault("%s: end must be %q or %q", at, Completed, Rejected)
		case s.End != "" && (s.Then != "" || s.Else != "" || s.Await != ""):
			fault("%s: a state that ends has no then, else or await", at)
		case s.End == "" && s.Then == "":
			fault("%s: dead end: it needs then or end", at)
		}
		for _, to := range []string{s.Then, s.Else} {
			if _, ok := m.State(to); to != "" && !ok {
				fault("%s: it leads to state %q, which does not exist", at, to)
			}
		}
	}
	if _, ok := m.State(m.Start); !ok {
		fault("start: there is no state %q", m.Start)
	} else {
		m.reach(fault)
	}
	return errors.Join(faults...)
}

// reach reports states that no path from the start comes to, and that no path leads to a completed end.
func (m *Model) reach(fault func(string, ...any)) {
	reached, ends := map[string]bool{}, false
	for todo := []string{m.Start}; len(todo) > 0; {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		s, ok := m.State(name)
		if !ok || reached[name] {
			continue
		}
		reached[name] = true
		ends = ends || s.End == Completed
		todo = append(todo, s.Then, s.Else)
	}
	for _, s := range m.States {
		if !reached[s.Name] {
			fault("state %s cannot be reached from %s", s.Name, m.Start)
		}
	}
	if !ends {
		fault("no path leads to an end that is %q", Completed)
	}
}
