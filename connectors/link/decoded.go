package link

import (
	"fmt"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/format"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/telemetry"
)

// driven tells whether messages of a kind are what the type's driver reads: telemetry. All else is the platform's own contract, so that a
// device, or the agent beside it, can say its firmware and its state whatever its telemetry is like.
func driven(k telemetry.Kind) bool { return k == telemetry.Telemetry }

// payloads tells whether messages of a kind are read by the type's format.
func payloads(k telemetry.Kind) bool { return k == telemetry.Telemetry || k == telemetry.State }

// with makes of a driver's answer what goes into the lane: messages, or the payload as it came, and a line for the twin's log.
func (e *entry) with(u *api.UsedDriver, r *driver.Result) []*item {
	l, name := e.session.link, nameOf(u)
	metrics.DecodeTook(string(u.Kind), l.now().Sub(e.in.Received))
	messages, failure, reason := e.read(u, r)
	outcome := metrics.Decoded
	switch {
	case failure.Grave():
		outcome = metrics.DecodeGrave
	case reason != "":
		outcome = metrics.DecodeFailed
	case len(messages) == 0:
		outcome = metrics.DecodeEmpty
	}
	metrics.Decodes(name, outcome)
	l.failures.note(u, e.mapping.Twin, outcome, reason)
	if reason != "" {
		reason = "driver " + name + ": " + reason
		return e.complete(name, []telemetry.Message{e.raw(name, reason)}, e.line(string(failure)+" failed", "error", reason))
	}
	log := e.warned("driver "+name, r.Warnings)
	if len(messages)+len(r.Warnings) == 0 && r.Data == nil && u.Kind != driver.Declarative { // a document says so by ignore
		log = e.line("empty", "warn", fmt.Sprintf("driver %s answered without data, so nothing is kept of a payload of %s: it must answer {data: {…}}, also {data: {}} where there is nothing", name, octets(len(e.in.Payload))))
	}
	items := e.complete(name, messages, log)
	for _, it := range items {
		it.news = e.session.updated(u.Firmware, it.message.Samples)
	}
	return items
}

// octets is a number of bytes in words.
func octets(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// updated tells whether the device says a firmware that it has not said yet in this session.
func (s *Session) updated(property string, samples []telemetry.Sample) bool {
	if property == "" {
		return false
	}
	for i := range samples {
		if samples[i].Property != property {
			continue
		}
		version := fmt.Sprint(samples[i].Value)
		s.mu.Lock()
		defer s.mu.Unlock()
		was := s.firmware
		s.firmware = version
		return version != was
	}
	return false
}

// without is with of what no driver is called for: it is parked, or is of a format, or is as the wire contract says.
func (e *entry) without(u *api.UsedDriver) []*item {
	in := &e.in
	switch {
	case e.mapping.Twin == "":
		return e.complete("", []telemetry.Message{e.raw("", "no twin is known for device reference "+string(e.session.Ref))}, nil)
	case u.Parked != "" && driven(in.Kind):
		name := nameOf(u)
		metrics.Decodes(name, metrics.DecodeParked)
		return e.complete(name, []telemetry.Message{e.raw(name, u.Parked)}, e.line("parked", "error", "messages are parked: "+u.Parked))
	}
	name := format.Name(in.Format)
	if name == "" || name == format.JSON || name == format.CBOR {
		name = format.Name(u.Format) // a type whose payloads are an object as such is told from the wire contract's only by that
	}
	payload := in.Payload
	switch {
	case name != "" || !payloads(in.Kind):
	case in.Object != nil:
		name, payload = format.JSON, in.Object
	case in.Port != 0: // a frame of LoRaWAN, which the wire contract has no words for
		return e.complete("", []telemetry.Message{e.raw("", "the type has neither driver nor format to read frames by; name one, and have its parked messages read again")}, nil)
	}
	if name == "" || !payloads(in.Kind) {
		items := e.complete("", Decode(in.Kind, in.Topic, in.Payload), nil)
		if payloads(in.Kind) {
			for _, it := range items {
				it.news = e.session.updated(u.Firmware, it.message.Samples)
			}
		}
		return items
	}
	r, err := format.Decode(name, payload, format.Options{IDs: u.IDs, Received: in.Received})
	if err != nil {
		r = driver.Result{Errors: []string{err.Error()}}
	}
	var messages []telemetry.Message
	var warnings []string
	for _, part := range parts(&r) {
		some, _, reason := e.read(u, &part)
		if reason != "" {
			return e.complete("", []telemetry.Message{e.raw("", reason)}, e.line("failed", "error", "format "+string(name)+": "+reason))
		}
		messages = append(messages, some...)
		for _, w := range part.Warnings {
			if !slices.Contains(warnings, w) {
				warnings = append(warnings, w)
			}
		}
	}
	return e.complete("", messages, e.warned("format "+string(name), driver.Notes(warnings)))
}

// parts are an answer in as many as its records need: a pack of SenML may have 2,000 measurements, each of another time, and an answer
// is taken with fewer.
func parts(r *driver.Result) (all []driver.Result) {
	for len(r.Records) >= driver.MaxMessages {
		all = append(all, driver.Result{Records: r.Records[:driver.MaxMessages-1], Units: r.Units})
		r.Records = r.Records[driver.MaxMessages-1:]
	}
	return append(all, *r)
}

// read takes an answer apart. reason says why it is none, failure what kind of failure that is, if it is the driver's own.
func (e *entry) read(u *api.UsedDriver, r *driver.Result) (messages []telemetry.Message, failure driver.Failure, reason string) {
	if r.Time.IsZero() {
		r.Time = e.in.Time
	}
	messages, err := r.Messages(e.in.Kind, u.Units)
	if err != nil {
		failure = r.Failure
		if failure == "" && len(r.Errors) == 0 {
			failure = driver.Invalid
		}
		return nil, failure, err.Error()
	}
	for i := range messages {
		messages[i].Order.Assigned = true
	}
	return messages, "", ""
}

// raw is the payload as it came, to be parked.
func (e *entry) raw(driver, reason string) telemetry.Message {
	m := undecoded(e.in.Payload, reason)
	m.Driver, m.Time = driver, e.in.Time
	return m
}

// warned is the line for what a driver or format warns of; nil if it does not.
func (e *entry) warned(who string, warnings []string) *telemetry.Message {
	if len(warnings) == 0 {
		return nil
	}
	return e.line("warned", "warn", who+" warns: "+strings.Join(warnings, "; "))
}

// line is a line for the twin's log; nil if one about the same was written within a minute.
func (e *entry) line(about, level, text string) *telemetry.Message {
	if !e.session.link.said.may(string(e.mapping.Twin)+" "+about, e.session.link.now()) {
		return nil
	}
	if len(text) > 1000 {
		text = strings.ToValidUTF8(text[:1000], "") + "…"
	}
	m := line("driver", []byte(text))
	if m.Kind != telemetry.Log {
		return nil
	}
	m.Samples[1].Value, m.Raw = level, nil
	return &m
}

// complete makes items of messages, with what all of the payload have; log is a line to go with them.
func (e *entry) complete(driver string, messages []telemetry.Message, log *telemetry.Message) []*item {
	s := e.session
	if log != nil {
		messages = append(messages, *log)
	}
	out := make([]*item, len(messages))
	newest := -1
	for i := range messages {
		m := &messages[i]
		if at := i; m.Order.Assigned {
			if log != nil && i == len(messages)-1 && e.base.Assigned {
				at = reserved - 1 // the others are for what the payload becomes when it is read again
			}
			m.Order = e.orderAt(at, len(messages))
		} else if newest < 0 || m.Order.After(messages[newest].Order) {
			newest = i
		}
		m.Received, m.Session, m.Gateway = e.in.Received, s.ID, s.link.config.Gateway.ID
		m.Twin, m.Generation = e.mapping.Twin, e.mapping.Generation
		if m.Twin == "" {
			m.Ref, m.Via = s.Ref, s.Via // a twin that it gets later may adopt the message
		}
		raw := m.Raw
		if raw == nil {
			raw = e.in.Payload
		}
		if m.Kind == telemetry.Undecoded {
			m.Topic, m.Port, m.Was = e.in.Topic, e.in.Port, e.in.Kind
		} else {
			m.Raw = nil
		}
		out[i] = &item{message: *m, payload: raw, topic: e.in.Topic, port: e.in.Port, driver: driver, ticket: e.ticket, size: sizeOf(m)}
	}
	switch {
	case newest >= 0:
		e.ticket.expect(len(out), &messages[newest].Order)
	case e.mapping.Twin != "":
		e.ticket.expect(len(out), numbered(e.in.Payload))
	default:
		e.ticket.expect(len(out), nil)
	}
	return out
}

// sizeOf is what a message costs in bytes, about.
func sizeOf(m *telemetry.Message) int {
	n := itemCost + len(m.Raw) + len(m.Data)
	for i := range m.Samples {
		n += len(m.Samples[i].Property) + 24
		if text, ok := m.Samples[i].Value.(string); ok {
			n += len(text)
		}
	}
	if m.Answer != nil {
		n += len(m.Answer.Output) + len(m.Answer.Reason)
	}
	return n
}
