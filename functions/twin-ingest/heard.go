package twiningest

import (
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/telemetry"
)

// maxHeard is how many records one event twin.heard names; of more the next change tells.
const maxHeard = api.MaxHeard

// reacts tells whether the twin's driver is to hear of what the twin says. Of what was parked it is not: what is read again is old, and
// to react to it could do harm.
func (s *subject) reacts() bool { return s.model.Reacts && !s.again }

// hear notes a message that is about to be taken, if it is new to the twin. Whether it was new to history alone does not tell: a crash
// may have come between the two, and then it is told when it comes again. One that is told already is not: what the twin has come to is
// kept in the same write. Where that does not tell, as of a number among very many that are missing, it counts the first time that history
// has it, unless another writer came first, which may have had the same batch.
func (s *subject) hear(m *telemetry.Message, record string, fresh bool) {
	live := &s.doc.Value.Live
	if record == "" || m.Generation < live.Generation {
		return
	}
	if m.Generation > live.Generation { // take is about to forget the orders held
		live.Generation, s.changed = m.Generation, true
		live.Recount()
	}
	switch m.Kind {
	case telemetry.Presence:
		if s.present(m) {
			s.heard = append(s.heard, record)
		}
		return
	case telemetry.Undecoded:
		return
	case telemetry.Log: // it is not told, but its number has come
		if m.Order.Assigned {
			return
		}
	}
	isNew := m.Order.After(live.Spoken)
	switch {
	case !m.Order.Assigned:
		isNew = live.Come(m.Order)
	case isNew:
		live.Spoken = m.Order
	}
	s.changed = s.changed || isNew
	if m.Kind != telemetry.Log && (isNew || fresh && s.tries == 0) {
		s.heard = append(s.heard, record)
	}
}

// tellHeard leaves the event of what was heard to be published.
func (s *subject) tellHeard() {
	if len(s.heard) == 0 {
		return
	}
	t := &s.doc.Value
	prefix := string(t.ID) + "|"
	heard := api.TwinHeard{Twin: t.ID, After: t.Live.Heard, Records: make([]string, len(s.heard))}
	for i, record := range s.heard {
		heard.Records[i] = strings.TrimPrefix(record, prefix)
	}
	if heard.After == 0 { // a twin made anew under an id that was deleted repeats no number of the other's
		t.Live.Heard = s.now.UnixMilli()
	}
	t.Live.Heard += int64(len(s.heard))
	heard.Number = t.Live.Heard
	t.Outbox.Add(string(t.ID), event.TwinHeard, string(t.ID), s.now, heard)
	s.changed = true
}
