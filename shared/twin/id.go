package twin

import (
	"errors"
	"fmt"
	"slices"
)

// An ID names one twin of any kind, on the whole platform, for ever: "pump-7".
type ID string

// A TypeID is the ID of a twin of kind type: "pump".
type TypeID = ID

// ErrInvalid marks a value that a person or device may not set. Its text names the field and what would be right.
var ErrInvalid = errors.New("invalid")

// Valid returns ErrInvalid if id cannot name a twin: 1 to 64 letters, digits, dots, dashes and underscores, a letter or
// digit first.
func (id ID) Valid() error {
	if !id.wellFormed() {
		return fmt.Errorf("%w: id %.80q must be 1 to 64 letters, digits, '.', '-' or '_', beginning with a letter or digit", ErrInvalid, string(id))
	}
	return nil
}

// wellFormed is asked for every message, so it is no regular expression.
func (id ID) wellFormed() bool {
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', i > 0 && (c == '.' || c == '-' || c == '_'):
		default:
			return false
		}
	}
	return 1 <= len(id) && len(id) <= 64
}

// Kind tells what a twin stands for.
type Kind string

// The kinds of the paper's hierarchy (4.8).
const (
	Instance  Kind = "instance"  // DTI: one device
	Type      Kind = "type"      // TDTA: owns and provisions its instances
	Aggregate Kind = "aggregate" // DTA: groups twins, which inherit its configuration
)

// Phase is where an instance is on its way from the box to retirement (paper 2.2).
type Phase string

// The phases of an instance. Types and aggregates have none ("").
const (
	Onboarding   Phase = "onboarding"   // known, not yet asked for a place
	Provisioning Phase = "provisioning" // a provisioning run is under way
	Operational  Phase = "operational"
	Suspended    Phase = "suspended"
	Retired      Phase = "retired" // archived: read-only
)

// next lists the phases that may follow each. A device is enrolled anew from onboarding; a retired twin stays as it is.
var next = map[Phase][]Phase{
	Onboarding:   {Provisioning, Retired},
	Provisioning: {Operational, Suspended, Onboarding, Retired},
	Operational:  {Suspended, Onboarding, Provisioning, Retired},
	Suspended:    {Operational, Onboarding, Retired},
	Retired:      {},
}

// Out tells whether the instance's device is kept out: people have suspended or retired it.
func (d *Definition) Out() bool { return d.Suspended || d.Phase == Suspended || d.Phase == Retired }

// Valid tells whether p is a phase an instance can be in.
func (p Phase) Valid() bool { return next[p] != nil }

// To tells whether an instance in phase p may go to phase q. Staying is always allowed.
func (p Phase) To(q Phase) bool { return p == q && q.Valid() || slices.Contains(next[p], q) }
