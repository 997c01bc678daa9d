package twiningest

import (
	"bytes"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// maxWatching bounds the rules that watch one twin, so that what they remember and raise fits into its document.
const maxWatching = 1000

// A subject is one twin that is being changed, and the messages that change it.
type subject struct {
	id  twin.ID
	doc *store.Doc[twin.Twin]

	messages []int // of the batch, in order
	next     int   // the first of messages that is not written yet
	upto     int   // the first that the present change leaves out, for want of room for its events
	tries    int   // how often another writer came first

	now     time.Time
	model   *twin.Model
	props   model
	watch   []entry // whose rules watch the twin: itself, its type, its aggregates
	changed bool    // there is something to write
	news    bool    // there is something that people would want to see

	fresh []string // properties whose readings the present change alters
	heard []string // records that the twin's driver is to hear of by the present change

	befell []twin.Occurrence // what the platform says has happened to the twin

	again bool                   // the messages were parked, and are read now: they came by the mapping there was then
	left  func(held int64) int64 // what the twin's count of parked messages becomes once they are applied; nil = it stays
}

// apply changes the subject's document as the rest of its messages and the time say, as far as its outbox has room.
func (b *batch) apply(s *subject) {
	t := &s.doc.Value
	s.now, s.upto, s.changed, s.news, s.fresh, s.heard = b.now, s.next, false, false, s.fresh[:0], s.heard[:0]
	b.refuseOld(s)
	if t.Outbox.Full() || !t.Deleted.IsZero() {
		return
	}
	s.know(b.known)
	s.reconcile()
	for ; s.upto < len(s.messages) && !t.Outbox.Full() && len(s.heard) < maxHeard; s.upto++ {
		i := s.messages[s.upto]
		if b.outcomes[i] != telemetry.Refused && b.outcomes[i] != telemetry.Retry {
			m := &b.messages[i]
			if s.reacts() {
				s.hear(m, b.ids[i], b.fresh[i])
			} else if !s.again {
				t.Live.Missing = nil // it would miss what comes now
			}
			s.take(m, b.fresh[i])
			if m.Kind == telemetry.Response && b.ids[i] != "" {
				s.answered(m.Answer, b.ids[i])
			}
		}
	}
	s.tellHeard()
	if s.upto == len(s.messages) {
		s.befall()
		s.elapse()
		if s.left != nil {
			if left := s.left(t.Live.Parked); left != t.Live.Parked {
				t.Live.Parked, s.changed, s.news = left, true, true
			}
		}
	}
	if due := s.due(); !due.Equal(t.Live.Due) {
		t.Live.Due, s.changed = due, true
	}
	if s.news {
		t.Live.Version++
		t.Outbox.Coalesce(string(t.ID), event.TwinChanged, string(t.ID), s.now,
			api.TwinChanged{Twin: t.ID, Kind: t.Kind, Phase: t.Definition.Phase, Part: "live"})
	}
	t.Outbox.Mark(b.trace)
}

// know picks out what the twin depends on. A retired twin is watched by nothing.
func (s *subject) know(known map[twin.ID]entry) {
	d := &s.doc.Value.Definition
	of := known[d.Type]
	s.model, s.props, s.watch = of.model, of.props, s.watch[:0]
	if s.model == nil {
		s.model = &twin.Model{}
	}
	if d.Phase == twin.Retired {
		return
	}
	rules := 0
	for _, id := range append([]twin.ID{s.id, d.Type}, d.Aggregates...) {
		if e := known[id]; len(e.rules) > 0 && rules+len(e.rules) <= maxWatching {
			s.watch, rules = append(s.watch, e), rules+len(e.rules)
		}
	}
}

// take applies one message. fresh tells that history did not have it; that alone does not make it new to the twin, because
// a crash may have come between the two.
func (s *subject) take(m *telemetry.Message, fresh bool) {
	live := &s.doc.Value.Live
	if s.again && m.Generation < live.Generation {
		return // said before the device was enrolled anew, or replaced: its orders no longer compare; history has it
	}
	if m.Generation > live.Generation {
		live.Generation, s.changed = m.Generation, true
		live.Recount()
	}
	if m.Kind == telemetry.Presence {
		s.presence(m)
		return
	}
	if m.Received.After(live.Presence.LastSeen) {
		live.Presence.LastSeen, s.changed = m.Received, true
	}
	if m.Kind == telemetry.Undecoded {
		if fresh {
			live.Parked++
			s.changed, s.news = true, true
		}
		return
	}
	isNew := s.count(m, fresh)
	switch m.Kind {
	case telemetry.Telemetry, telemetry.State:
		flag := clockFlag(m)
		for _, x := range m.Samples {
			s.report(m, x, flag)
		}
	case telemetry.Event:
		if isNew {
			s.happened(m.When(), "event: "+eventName(m))
		}
	case telemetry.Response:
		if isNew {
			s.happened(m.When(), ending(m.Answer))
		}
	}
}

// answered leaves it to function twin-command to take an answer from history. It is told also of one that came before, for
// a crash may have come between history and twin; but of no command that is none, and of each once at a time, so that a
// device that repeats itself does not flood the bus.
func (s *subject) answered(a *telemetry.Answer, record string) {
	t := &s.doc.Value
	if !t.Commands.Has(a.Command) {
		return
	}
	for _, e := range t.Outbox.Pending {
		if e.Topic == event.CommandAnswered && bytes.Contains(e.Data, []byte(`"`+a.Command+`"`)) {
			return
		}
	}
	t.Outbox.Add(string(t.ID), event.CommandAnswered, string(t.ID), s.now, api.CommandAnswered{Twin: t.ID, Command: a.Command, Record: record})
	s.changed = true
}

// ending is how a command ended, in the twin's recent occurrences. It does not say who answered: that of firmware which cannot, or of a
// command that its driver refuses, is the platform's word.
func ending(a *telemetry.Answer) string {
	switch {
	case a.OK:
		return "command " + a.Command + " succeeded"
	case a.Reason == "":
		return "command " + a.Command + " failed"
	}
	return fmt.Sprintf("command %s failed: %.200s", a.Command, a.Reason)
}

// count keeps the twin's place in the device's order, and tells whether the message is new to the twin.
func (s *subject) count(m *telemetry.Message, fresh bool) (isNew bool) {
	live := &s.doc.Value.Live
	after := m.Order.After(live.Last)
	switch {
	case m.Order.Assigned:
		if isNew = fresh; after && (live.Last.Assigned || live.Last == twin.Order{}) {
			live.Last = m.Order
		}
	case after:
		isNew, live.Last = true, m.Order
	case fresh:
		isNew = true
		live.Late++
	}
	if isNew {
		live.Messages++
		s.changed = true
	}
	return isNew
}

// report applies one sample, and the rules on it if it is news. A measurement without a value (a driver's NaN) says nothing of what was
// measured before; of a state it says that the property is no more.
func (s *subject) report(m *telemetry.Message, x telemetry.Sample, flag twin.Flag) {
	if x.Value == nil && m.Kind == telemetry.Telemetry {
		return
	}
	r := twin.Reading{Property: x.Property, Value: x.Value, At: m.Time, Flag: flag, Order: m.Order}
	if r.At.IsZero() {
		r.At = m.Received
	}
	if flag == "" {
		r.Flag = s.props.flag(x.Property, x.Value)
	}
	if !s.doc.Value.Live.Report(r) {
		return
	}
	s.changed, s.news, s.fresh = true, true, append(s.fresh, x.Property)
	for _, e := range s.watch {
		for _, rule := range e.rules {
			if rule.Condition.Property == x.Property {
				s.observe(rule, x.Value, m.When(), m.Received)
			}
		}
	}
}

// due is when the twin must be looked at although nothing comes; the zero time if never.
func (s *subject) due() (due time.Time) {
	live := &s.doc.Value.Live
	earlier := func(t time.Time) {
		if !t.IsZero() && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	for i := range live.Rules {
		earlier(live.Rules[i].Due)
	}
	if !live.Presence.Offline {
		earlier(s.silentAt())
	}
	return due
}

func (s *subject) happened(at time.Time, what string) {
	s.doc.Value.Live.Happened(at, what)
	s.changed, s.news = true, true
}

func eventName(m *telemetry.Message) string {
	for _, x := range m.Samples {
		if name, ok := x.Value.(string); ok && x.Property == "event" {
			return name
		}
	}
	return "without a name"
}

// number is the value that rules compare: true is 1, false is 0; text is none.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// topicOf is the event that tells of a change.
func topicOf(c monitor.Change) event.Topic {
	if c == monitor.Raise {
		return event.AlarmRaised
	}
	return event.AlarmCleared
}
