package twiningest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/telemetry"
)

// Bounds, in bytes, on what connectors say beside what telemetry bounds.
const (
	maxSession = 128
	maxTopic   = 256
	maxReason  = 500
	maxDriver  = 200 // "acme-th1@1.2.0"
)

// tidy brings a message to the form that is kept. What is wrong with it makes it undecoded, so that it is parked and its
// device need not send it for ever.
func (b *batch) tidy(m *telemetry.Message, gateway string) {
	m.Gateway = gateway
	m.Time, m.Received = cut(m.Time), cut(m.Received)
	if m.Received.Before(born) || m.Received.After(b.now.Add(telemetry.Ahead)) {
		m.Received = b.now
	}
	m.Topic, m.Reason, m.Driver = clip(m.Topic, maxTopic), clip(m.Reason, maxReason), clip(m.Driver, maxDriver)
	if m.Kind != telemetry.Undecoded || !readable(m.Was) {
		m.Was = "" // nobody is to try
	}
	if m.Kind != telemetry.Event || len(m.Data) > telemetry.MaxPayload {
		m.Data = nil
	}
	if m.Port < 0 || m.Port > 255 {
		m.Port = 0
	}
	if len(m.Raw) > telemetry.MaxPayload {
		m.Raw = m.Raw[:telemetry.MaxPayload]
	}
	if m.Kind != telemetry.Undecoded || m.Twin != "" || m.Ref.Valid() != nil {
		m.Ref = ""
	}
	if m.Ref == "" || m.Via.Valid() != nil {
		m.Via = ""
	}
	if m.Kind == telemetry.Undecoded && m.Twin == "" {
		return
	}
	err := m.Twin.Valid()
	if err != nil {
		m.Twin = ""
	} else if m.Kind != telemetry.Undecoded {
		err = wellFormed(m)
	}
	if err != nil {
		if len(m.Raw) == 0 && m.Answer != nil {
			m.Raw = m.Answer.Output[:min(len(m.Answer.Output), telemetry.MaxPayload)]
		} else if len(m.Raw) == 0 {
			m.Raw = rawOf(m.Samples)
		}
		m.Topic, m.Reason = clip(m.Topic+" ("+string(m.Kind)+")", maxTopic), clip(err.Error(), maxReason)
		m.Kind, m.Samples, m.Session = telemetry.Undecoded, nil, ""
	}
}

// readable tells whether a message of the kind, once parked, may be read again: what a driver reads. What else was parked is the
// business of its moment.
func readable(k telemetry.Kind) bool { return k == telemetry.Telemetry || k == telemetry.State }

func wellFormed(m *telemetry.Message) error {
	switch m.Kind {
	case telemetry.Telemetry, telemetry.State, telemetry.Log, telemetry.Event:
	case telemetry.Response:
		if m.Answer == nil {
			return api.Invalid("a response must have an answer")
		}
		if err := m.Answer.Normalise(); err != nil {
			return err
		}
		m.Samples = m.Answer.Samples()
	case telemetry.Presence:
		if _, ok := connected(m); !ok || m.Session == "" {
			return api.Invalid("a presence message must have a session and the sample connected, true or false")
		}
	default:
		return api.Invalid("kind %.40q is not known", m.Kind)
	}
	if len(m.Session) > maxSession {
		return api.Invalid("session has %d bytes, at most %d are taken", len(m.Session), maxSession)
	}
	if m.Kind == telemetry.Response {
		return nil // its output may be longer than other text
	}
	return telemetry.Normalise(m.Samples)
}

// rawOf shows samples that cannot be taken as people can read them.
func rawOf(samples []telemetry.Sample) []byte {
	b, err := json.Marshal(samples)
	if err != nil {
		b = fmt.Appendf(nil, "%v", samples) // not even JSON: an infinite number
	}
	return b[:min(len(b), telemetry.MaxPayload)]
}

func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}
