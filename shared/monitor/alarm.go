package monitor

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// A Transition is one alarm beginning or ending. It carries what is needed to decide and to tell people without asking
// again: location, time, and the events before it (paper FR10).
type Transition struct {
	// Alarm is the alarm's id: the same for its beginning and its end, never used twice.
	Alarm  string  `json:"alarm"`
	Raised bool    `json:"raised"` // false: cleared
	Twin   twin.ID `json:"twin"`
	Name   string  `json:"name,omitempty"` // the twin's name
	Type   twin.ID `json:"type,omitempty"`
	Owner  string  `json:"owner,omitempty"`

	Aggregates []twin.ID `json:"aggregates,omitempty"`

	Rule     string   `json:"rule"`
	Title    string   `json:"title"`
	Severity Severity `json:"severity"`

	// Property and Value are what made it begin or end; Value is nil when silence did.
	Property string `json:"property,omitempty"`
	Value    any    `json:"value,omitempty"`

	// At is when it began or ended, by the device's clock where that is plausible.
	At time.Time `json:"at"`

	Location *twin.Location    `json:"location,omitempty"`
	Before   []twin.Occurrence `json:"before,omitempty"`
}

// NewTransition is the beginning (raised) or the end of the alarm that rule state s of twin t stands for, with t's context.
// What the rule says of it is the caller's to add; of a rule that is gone its id is known, and the title it raised the alarm with.
func NewTransition(t *twin.Twin, s *twin.RuleState, raised bool, at time.Time) Transition {
	d := &t.Definition
	return Transition{Alarm: AlarmID(t.ID, s.Rule, s.Episode), Raised: raised, Twin: t.ID, Name: d.Name, Type: d.Type, Owner: d.Owner,
		Aggregates: d.Aggregates, Rule: s.Rule, Title: cmp.Or(s.Title, s.Rule), Severity: Warning, At: at, Location: d.Location, Before: slices.Clone(t.Live.Recent)}
}

// AlarmID is the id of the alarm of one episode.
func AlarmID(t twin.ID, rule string, episode int64) string {
	return fmt.Sprintf("%s:%s:%d", t, rule, episode)
}

// Offline is the rule id of the alarm that a silent device raises.
const Offline = "offline"

// AlarmState is where an alarm is in its life.
type AlarmState string

// The states of an alarm.
const (
	Raised       AlarmState = "raised"
	Acknowledged AlarmState = "acknowledged" // somebody has taken it on; it is not over
	Cleared      AlarmState = "cleared"
)
