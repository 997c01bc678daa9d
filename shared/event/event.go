// Package event is the vocabulary of what parts of the platform tell each other: an Event, and the Outbox a document
// carries so that no event is lost between a write and its publication. It publishes nothing itself; package bus does.
package event

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/castor-iot/castor/shared/trace"
)

// A Topic names a kind of event, in dotted lower case: "alarm.raised". Functions subscribe to topics by their
// `topic` annotation.
type Topic string

// Topics of the platform. Each comment names the type that Data holds, as JSON.
const (
	AlarmRaised       Topic = "alarm.raised"       // monitor.Transition
	AlarmCleared      Topic = "alarm.cleared"      // monitor.Transition
	AlarmAcknowledged Topic = "alarm.acknowledged" // api.AlarmTaken: somebody has taken an alarm on, or has let it go again
	TwinChanged       Topic = "twin.changed"       // api.TwinChanged: any part a person may look at
	TwinMoved         Topic = "twin.moved"         // api.TwinChanged: beside twin.changed, when its owner, type or aggregates did; seldom
	TypeChanged       Topic = "type.changed"       // api.TwinChanged: beside twin.changed, when a type's model or name did; seldom
	TwinResumed       Topic = "twin.resumed"       // api.TwinChanged: beside twin.changed, when people let a device in again that they had suspended
	TwinDeleted       Topic = "twin.deleted"       // api.TwinChanged
	TwinHeard         Topic = "twin.heard"         // api.TwinHeard: a twin whose driver reacts has said something new; it is in history
	GrantChanged      Topic = "grant.changed"      // api.GrantChanged: empties caches of grants
	RuleChanged       Topic = "rule.changed"       // api.RuleChanged: empties caches of rules
	CredentialChanged Topic = "credential.changed" // api.CredentialChanged: empties caches of device reference → twin
	DriverChanged     Topic = "driver.changed"     // api.DriverChanged: empties caches of how devices' payloads are read
	GatewayApplied    Topic = "gateway.applied"    // api.GatewayApplied: a gateway has taken over a change of its devices
	ProvisionStep     Topic = "provision.step"     // api.ProvisionStep: a run went on
	ProvisionWaiting  Topic = "provision.waiting"  // api.WaitingChanged: an unknown device has begun to wait, or people have decided about it
	CommandChanged    Topic = "command.changed"    // api.CommandChanged: a command has entered another state
	CommandAnswered   Topic = "command.answered"   // api.CommandAnswered: a device's answer to a command is in history
	Health            Topic = "health"             // nothing: shows that the bus takes events
	Audit             Topic = "audit"              // access.Record: who changed what
)

// An Event tells that something has happened. Consumers dedupe by ID and bear reordering.
type Event struct {
	// ID is the same whenever the same event is published again: the document's id and a number never used again.
	ID    string `json:"id" bson:"id"`
	Topic Topic  `json:"topic" bson:"topic"`

	// Subject is the id of the twin (or type, run, grant …) the event is about; "" if it is about none.
	Subject string `json:"subject,omitempty" bson:"subject,omitempty"`

	At   time.Time       `json:"at" bson:"at"`
	Data json.RawMessage `json:"data,omitempty" bson:"data,omitempty"`

	// Trace is that of the call that made the event (see package trace). Who adds an event to an outbox need not set it: the
	// bus does where it is empty, when the event is published.
	Trace string `json:"trace,omitempty" bson:"trace,omitempty"`
}

// Context returns a context of what is done because of the event.
func (e Event) Context(ctx context.Context) context.Context { return trace.With(ctx, e.Trace) }

// Trace is the one that all events have; "" if they have several, or none.
func Trace(events []Event) string {
	for _, e := range events {
		if e.Trace != events[0].Trace {
			return ""
		}
	}
	if len(events) == 0 {
		return ""
	}
	return events[0].Trace
}

// Decode fills v from the event's data.
func (e Event) Decode(v any) error {
	if err := json.Unmarshal(e.Data, v); err != nil {
		return fmt.Errorf("event %s of topic %s: %w", e.ID, e.Topic, err)
	}
	return nil
}

// New returns an event whose data is v as JSON. It panics if v cannot be JSON, which is a programmer's error.
func New(id string, topic Topic, subject string, at time.Time, v any) Event {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("event %s: %v", topic, err))
	}
	return Event{ID: id, Topic: topic, Subject: subject, At: at.UTC().Truncate(time.Millisecond), Data: data}
}

// MaxPending is how many events a document may hold back while the bus is down; a change that would add more is refused
// (Outbox.Full) and its caller told to retry.
const MaxPending = 64

// An Outbox is the part of a document that holds the events still to be published. It is changed in the same
// compare-and-swap as the rest of the document, so a crash leaves either both or neither. The zero value is empty.
type Outbox struct {
	// Next is the number of the next event. It only grows, also past events that were published. The first is of the time, in
	// milliseconds: a document that is made anew under an id that was deleted repeats none of the other's, which the bus would
	// take for an event that it has.
	Next int64 `json:"next,omitempty" bson:"next,omitempty"`

	Pending []Event `json:"pending,omitempty" bson:"pending,omitempty"`

	// Since is when the oldest pending event was added; the zero time if there is none. Sweeps find documents by it.
	Since time.Time `json:"since,omitzero" bson:"since,omitempty"`
}

// Add appends an event about doc, the id of the document that holds the outbox. The topic is part of the event's id, because
// documents of two collections may have the same id.
func (o *Outbox) Add(doc string, topic Topic, subject string, at time.Time, v any) {
	if o.Next == 0 {
		o.Next = at.UnixMilli()
	}
	e := New(string(topic)+":"+doc+"#"+strconv.FormatInt(o.Next, 10), topic, subject, at, v)
	o.Next++
	if len(o.Pending) == 0 {
		o.Since = e.At
	}
	o.Pending = append(o.Pending, e)
}

// Coalesce is Add in place of pending events that say the same: whoever reads the document when the last of them comes
// knows what all of them meant. So what happens all the time fills no outbox, and each event still has a number of its own,
// in case the one before is just being published.
func (o *Outbox) Coalesce(doc string, topic Topic, subject string, at time.Time, v any) {
	since := o.Since
	o.Add(doc, topic, subject, at, v)
	last := len(o.Pending) - 1
	added := o.Pending[last]
	kept := make([]Event, 0, last+1)
	for _, e := range o.Pending[:last] {
		if e.Topic != topic || e.Subject != subject || !bytes.Equal(e.Data, added.Data) {
			kept = append(kept, e)
		}
	}
	o.Pending = append(kept, added)
	if !since.IsZero() {
		o.Since = since // however often the newest is replaced, the sweep finds the document
	}
}

// Newest is the id of the event that was added last; "" if none is pending.
func (o *Outbox) Newest() string {
	if len(o.Pending) == 0 {
		return ""
	}
	return o.Pending[len(o.Pending)-1].ID
}

// Take removes the pending event that was added last and returns it, for whoever puts another in its place that says it too. There
// must be one.
func (o *Outbox) Take() Event {
	last := len(o.Pending) - 1
	e := o.Pending[last]
	if o.Pending = o.Pending[:last:last]; last == 0 {
		o.Since = time.Time{}
	}
	return e
}

// Full tells whether the outbox has no room left.
func (o *Outbox) Full() bool { return len(o.Pending) >= MaxPending }

// Mark gives a trace to the pending events that have none.
func (o *Outbox) Mark(trace string) {
	for i := range o.Pending {
		if o.Pending[i].Trace == "" {
			o.Pending[i].Trace = trace
		}
	}
}

// Clear removes the given events, which have been published. Events that came meanwhile stay.
func (o *Outbox) Clear(published []Event) {
	done := make(map[string]bool, len(published))
	for _, e := range published {
		done[e.ID] = true
	}
	kept := o.Pending[:0:0]
	for _, e := range o.Pending {
		if !done[e.ID] {
			kept = append(kept, e)
		}
	}
	o.Pending, o.Since = kept, time.Time{}
	if len(kept) > 0 {
		o.Since = kept[0].At
	}
}
