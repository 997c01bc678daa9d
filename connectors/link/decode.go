package link

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// Decode makes platform messages of a payload of the wire contract: one object, or an array of them, in JSON or CBOR; logs
// may be plain text. What cannot be decoded becomes a message of kind Undecoded, which of an array is that element alone.
// Set are Kind, Time, Order (only marked as Assigned where the device gives none), Samples, Reason and, also where it was
// decoded, Raw; Data of events; Answer of responses. The last part of topic names the app of a log, the last but one the command answered.
func Decode(kind telemetry.Kind, topic string, payload []byte) []telemetry.Message {
	if kind == telemetry.Log && utf8.Valid(payload) && !structured(payload) {
		return []telemetry.Message{line(part(topic, 1), payload)} // much text is CBOR by chance, but no CBOR map is UTF-8
	}
	elements, parse, err := split(payload)
	if err != nil {
		return []telemetry.Message{undecoded(payload, err.Error())}
	}
	messages := make([]telemetry.Message, len(elements))
	for i, raw := range elements {
		m, err := decode(kind, topic, raw, parse)
		if err != nil {
			order := m.Order // where it could be read: the device waits to hear of this number
			m = undecoded(raw, err.Error())
			m.Order = order
		}
		m.Raw = raw
		messages[i] = m
	}
	return messages
}

// part is the nth part of a topic from its end, the last is 1.
func part(topic string, n int) string {
	parts := strings.Split(topic, "/")
	return parts[max(len(parts)-n, 0)]
}

// structured tells whether a payload is JSON that has parts.
func structured(payload []byte) bool {
	text := bytes.TrimLeft(payload, " \t\r\n")
	return len(text) > 0 && (text[0] == '{' || text[0] == '[') && json.Valid(text)
}

func undecoded(raw []byte, reason string) telemetry.Message {
	if len(reason) > 500 {
		reason = strings.ToValidUTF8(reason[:500], "")
	}
	return telemetry.Message{Kind: telemetry.Undecoded, Raw: raw, Reason: reason, Order: twin.Order{Assigned: true}}
}

func line(app string, text []byte) telemetry.Message {
	samples := []telemetry.Sample{{Property: "app", Value: app}, {Property: "level", Value: "info"}, {Property: "text", Value: string(text)}}
	if err := telemetry.Normalise(samples); err != nil {
		return undecoded(text, err.Error())
	}
	return telemetry.Message{Kind: telemetry.Log, Samples: samples, Raw: text, Order: twin.Order{Assigned: true}}
}

func decode(kind telemetry.Kind, topic string, raw []byte, parse func([]byte) (envelope, error)) (telemetry.Message, error) {
	e, err := parse(raw)
	order, bad := orderOf(e.epoch, e.seq)
	m := telemetry.Message{Kind: kind, Order: order}
	if err = cmp.Or(err, bad); err != nil {
		return m, err
	}
	if m.Time, err = timeOf(e.time); err != nil {
		return m, err
	}
	switch kind {
	case telemetry.Response:
		m.Answer, err = telemetry.NewAnswer(part(topic, 2), e.data)
		return m, err
	case telemetry.Event:
		if name, ok := e.data["event"].(string); !ok || name == "" {
			return m, errors.New("an event needs its name: {\"event\": \"door opened\"}")
		}
	case telemetry.Log:
		if _, ok := e.data["text"].(string); !ok {
			return m, errors.New("a log line needs its text: {\"level\": \"warn\", \"text\": \"…\"}")
		}
		e.data["app"] = part(topic, 1)
		if e.data["level"] == nil {
			e.data["level"] = "info"
		}
	}
	if _, err = floats(e.data); err == nil {
		m.Samples, err = telemetry.Flatten(e.data)
	}
	if err == nil && kind == telemetry.Event {
		m.Data = asCame(e.data)
	}
	return m, err
}

// asCame is what came with an event, as JSON; nil if it is too long to be judged.
func asCame(data map[string]any) []byte {
	b, err := json.Marshal(telemetry.Plain(data, nil))
	if err != nil || len(b) > telemetry.MaxPayload {
		return nil
	}
	return b
}

// timeOf reads RFC 3339 text or Unix milliseconds; absent is the zero time.
func timeOf(v any) (t time.Time, err error) {
	switch v := v.(type) {
	case nil:
		return t, nil
	case string:
		if t, err = time.Parse(time.RFC3339, v); err != nil {
			return t, fmt.Errorf("time %.64q must be like 2026-03-21T10:00:00Z, or Unix milliseconds", v)
		}
	case time.Time: // CBOR tags 0 and 1
		t = v
	default:
		ms, ok := whole(v)
		if !ok {
			return t, errors.New("time must be RFC 3339 text or a whole number of Unix milliseconds")
		}
		t = time.UnixMilli(ms)
	}
	t = t.UTC().Truncate(time.Millisecond)
	if t.Year() < 1 || t.Year() > 9999 {
		return t, errors.New("time must be in the years 1 to 9999")
	}
	return t, nil
}

// orderOf reads a device's order; one that lacks a part of it has none.
func orderOf(epoch, seq any) (o twin.Order, err error) {
	if epoch == nil || seq == nil {
		return twin.Order{Assigned: true}, nil
	}
	var okEpoch, okSeq bool
	o.Epoch, okEpoch = whole(epoch)
	o.Seq, okSeq = whole(seq)
	if !okEpoch || !okSeq || o.Epoch < 0 || o.Seq < 0 {
		return twin.Order{Assigned: true}, errors.New("epoch and seq must be whole numbers from 0")
	}
	return o, nil
}

// numbered is the newest order in a payload that is in the platform's own words, whoever reads it and whatever comes of it; nil if there
// is none. A device that counts, as castor-agent does, waits to hear of its numbers, also where its type's driver takes them for data.
func numbered(payload []byte) (newest *twin.Order) {
	if !bytes.Contains(payload, []byte("epoch")) || !bytes.Contains(payload, []byte("seq")) {
		return nil // nearly all: most payloads that drivers read are frames
	}
	elements, parse, err := split(payload)
	if err != nil {
		return nil
	}
	for _, raw := range elements {
		e, _ := parse(raw)
		if o, err := orderOf(e.epoch, e.seq); err == nil && !o.Assigned && (newest == nil || o.After(*newest)) {
			newest = &o
		}
	}
	return newest
}

func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, true
		}
		f, err := v.Float64()
		return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53
	case uint64:
		return int64(v), v <= math.MaxInt64
	case int64:
		return v, true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	}
	return 0, false
}
