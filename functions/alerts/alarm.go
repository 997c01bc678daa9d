package alerts

import (
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/twin"
)

// An alarm is one alarm as it is stored.
type alarm struct {
	api.Alarm `bson:",inline"`

	// Scopes are the names under which lists find it: everything, its owner, its twin and what is above the twin.
	Scopes []string `bson:"scopes"`

	// Key sorts newest first, and no two alarms have the same.
	Key string `bson:"key"`

	// Untold says what was not told yet: transitions to people, and who has taken it on to whoever looks.
	Untold untold `bson:"untold"`
}

type untold struct {
	Raised  bool      `bson:"raised,omitempty"`
	Cleared bool      `bson:"cleared,omitempty"`
	Taken   int64     `bson:"taken,omitempty"` // numbers the last time that somebody took it on or let it go; 0 = told
	Since   time.Time `bson:"since,omitempty"`
}

// everything is the scope that each alarm is in.
const everything = "*"

func ownerScope(group string) string { return "owner:" + group }
func twinScope(id twin.ID) string    { return "twin:" + string(id) }

// take brings a transition into the alarm and tells whether that changed it. Transitions may come twice and in any order:
// an alarm that has ended stays ended, and its late beginning only adds what was not known.
func (a *alarm) take(t monitor.Transition, now time.Time) (changed bool) {
	switch {
	case t.Raised && a.RaisedAt.IsZero():
		a.describe(t)
		a.RaisedAt, a.Value, a.Before = t.At, t.Value, t.Before
		if a.State == "" {
			a.State = monitor.Raised
		}
		a.Untold.Raised = true
	case !t.Raised && a.ClearedAt.IsZero():
		if a.State == "" {
			a.describe(t)
		}
		a.State, a.ClearedAt = monitor.Cleared, t.At
		a.Untold.Cleared = true
	default:
		return false
	}
	if a.Untold.Since.IsZero() {
		a.Untold.Since = now
	}
	a.Updated = now
	begun := a.RaisedAt
	if begun.IsZero() {
		begun = a.ClearedAt
	}
	a.Key = keyOf(begun, a.ID)
	return true
}

// describe copies what a transition says of its alarm.
func (a *alarm) describe(t monitor.Transition) {
	a.Twin, a.Name, a.Type, a.Owner, a.Aggregates = t.Twin, t.Name, t.Type, t.Owner, t.Aggregates
	a.Rule, a.Title, a.Severity, a.Property, a.Location = t.Rule, t.Title, t.Severity, t.Property, t.Location
	a.Scopes = a.scopes()
}

// scopes are the names under which lists find the alarm as it is.
func (a *alarm) scopes() []string {
	names := []string{everything}
	if a.Owner != "" {
		names = append(names, ownerScope(a.Owner))
	}
	for _, id := range append([]twin.ID{a.Twin, a.Type}, a.Aggregates...) {
		if id != "" {
			names = append(names, twinScope(id))
		}
	}
	return names
}

// keyOf sorts by at, newest first, then by id.
func keyOf(at time.Time, id string) string {
	return fmt.Sprintf("%016x", uint64(1<<63-1-max(at.UnixMilli(), 0))) + id
}

// idOf is the id in a key.
func idOf(key string) string { return key[min(16, len(key)):] }

// object is what the caller must be allowed to read: the twin as it is now, or as the alarm knew it if it is gone. An alarm
// about the platform itself is about no twin; only maintainers may see it.
func (a *alarm) object(now *twin.Twin) access.Object {
	switch {
	case now != nil:
		return access.Twin(now)
	case a.Twin == "":
		return access.Object{Name: "platform"}
	}
	return access.Twin(&twin.Twin{ID: a.Twin, Definition: twin.Definition{Owner: a.Owner, Type: a.Type, Aggregates: a.Aggregates}})
}
