package link

import (
	"time"

	"github.com/castor-iot/castor/shared/telemetry"
)

// A Receipt says what became of what a device has published.
type Receipt struct {
	Stored bool   // everything in it is stored or parked; what was not is to be sent again
	Parked int    // messages in it that were parked: kept raw for people to look at, not counted as values. Sent again they are parked again
	Reason Reason // why the first of them was
	Detail string // and what is wrong with it, in words
}

// A Reason is why a message was parked.
type Reason string

// The reasons.
const (
	Undecodable Reason = "undecodable" // it is not what the wire contract says
	NoTwin      Reason = "no-twin"     // no twin belongs to the device that said it
	Unplaced    Reason = "unplaced"    // the twin did not take it
)

// Publish is Report for protocols whose acknowledgement has no words.
func (s *Session) Publish(kind telemetry.Kind, topic string, payload []byte, received time.Time, ack func(stored bool)) {
	s.Report(kind, topic, payload, received, func(r Receipt) { ack(r.Stored) })
}

// parked notes that a message of the ticket was.
func (t *ticket) parked(m *telemetry.Message) {
	t.session.mu.Lock()
	defer t.session.mu.Unlock()
	if t.receipt.Parked++; t.receipt.Parked > 1 {
		return
	}
	t.receipt.Detail = m.Reason
	switch {
	case m.Twin == "":
		t.receipt.Reason = NoTwin
	case m.Kind == telemetry.Undecoded:
		t.receipt.Reason = Undecodable
	default:
		t.receipt.Reason = Unplaced
	}
}
