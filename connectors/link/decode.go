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
	"github.com/fxamacker/cbor/v2"
)

// An envelope is one object of a payload, taken apart.
type envelope struct {
	time       any // RFC 3339 text, Unix milliseconds or time.Time; nil if there is none
	epoch, seq any
	data       map[string]any
}

// Decode makes platform messages of a payload of the wire contract: one object, or an array of them, in JSON or CBOR; logs
// may be plain text. What cannot be decoded becomes a message of kind Undecoded, which of an array is that element alone.
// Set are Kind, Time, Order (only marked as Assigned where the device gives none), Samples, Reason and, also where it was
// decoded, Raw. The last part of topic names the app of a log.
func Decode(kind telemetry.Kind, topic string, payload []byte) []telemetry.Message {
	app := topic[strings.LastIndexByte(topic, '/')+1:]
	if kind == telemetry.Log && utf8.Valid(payload) && !structured(payload) {
		return []telemetry.Message{line(app, payload)} // much text is CBOR by chance, but no CBOR map is UTF-8
	}
	elements, parse, err := split(payload)
	if err != nil {
		return []telemetry.Message{undecoded(payload, err.Error())}
	}
	messages := make([]telemetry.Message, len(elements))
	for i, raw := range elements {
		m, err := decode(kind, app, raw, parse)
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

func decode(kind telemetry.Kind, app string, raw []byte, parse func([]byte) (envelope, error)) (telemetry.Message, error) {
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
	case telemetry.Event:
		if name, ok := e.data["event"].(string); !ok || name == "" {
			return m, errors.New("an event needs its name: {\"event\": \"door opened\"}")
		}
	case telemetry.Log:
		if _, ok := e.data["text"].(string); !ok {
			return m, errors.New("a log line needs its text: {\"level\": \"warn\", \"text\": \"…\"}")
		}
		e.data["app"] = app
		if e.data["level"] == nil {
			e.data["level"] = "info"
		}
	}
	if _, err = floats(e.data); err == nil {
		m.Samples, err = telemetry.Flatten(e.data)
	}
	return m, err
}

// split takes an array apart, and tells how its elements are parsed.
func split(payload []byte) (elements [][]byte, parse func([]byte) (envelope, error), err error) {
	text := bytes.TrimLeft(payload, " \t\r\n")
	switch {
	case len(text) == 0:
		return nil, nil, errors.New("the payload is empty")
	case text[0] == '{':
		if !json.Valid(text) {
			return nil, nil, errors.New("the payload is not JSON")
		}
		return [][]byte{payload}, fromJSON, nil
	case text[0] == '[':
		var raw []json.RawMessage
		if err := json.Unmarshal(text, &raw); err != nil {
			return nil, nil, fmt.Errorf("the payload is not JSON: %w", err)
		}
		for _, r := range raw {
			elements = append(elements, r)
		}
		parse = fromJSON
	case text[0]>>5 == 4: // major type 4: array
		var raw []cbor.RawMessage
		if err := cborIn.Unmarshal(payload, &raw); err != nil {
			return nil, nil, fmt.Errorf("the payload is not CBOR: %w", err)
		}
		for _, r := range raw {
			elements = append(elements, r)
		}
		parse = fromCBOR
	default:
		if err := cborIn.Wellformed(payload); err != nil {
			return nil, nil, fmt.Errorf("the payload is neither JSON nor CBOR: %w", err)
		}
		return [][]byte{payload}, fromCBOR, nil
	}
	if n := len(elements); n == 0 || n > telemetry.MaxBatch {
		return nil, nil, fmt.Errorf("the payload is an array of %d, 1 to %d are taken", n, telemetry.MaxBatch)
	}
	return elements, parse, nil
}

// cborIn bounds what a device can make of memory.
var cborIn = func() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: 20, MaxArrayElements: 2 * telemetry.MaxBatch, MaxMapPairs: 2 * telemetry.MaxBatch,
		UTF8: cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return m
}()

func fromJSON(raw []byte) (envelope, error) {
	var e envelope
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // a sequence number may have more digits than a float64
	var m map[string]any
	if err := d.Decode(&m); err != nil || m == nil {
		return e, errors.New("the payload is not a JSON object")
	}
	return e, e.take(m)
}

// floats makes float64 of what UseNumber left as text.
func floats(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("number %.40s is out of range", v)
		}
		return f, nil
	case map[string]any:
		for k, e := range v {
			var err error
			if v[k], err = floats(e); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, e := range v {
			var err error
			if v[i], err = floats(e); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func fromCBOR(raw []byte) (envelope, error) {
	var e envelope
	var m map[string]any
	if err := cborIn.Unmarshal(raw, &m); err != nil {
		return e, fmt.Errorf("the payload is not a CBOR map with text keys: %w", err)
	}
	if m == nil {
		return e, errors.New("the payload is not a CBOR map")
	}
	return e, e.take(m)
}

// take finds time, epoch and seq; without data, what remains is the data.
func (e *envelope) take(m map[string]any) error {
	e.time, e.epoch, e.seq = m["time"], m["epoch"], m["seq"]
	data, ok := m["data"]
	if !ok {
		delete(m, "time")
		delete(m, "epoch")
		delete(m, "seq")
		e.data = m
		return nil
	}
	switch data := data.(type) {
	case map[string]any:
		e.data = data
	case map[any]any:
		e.data = make(map[string]any, len(data))
		for k, v := range data {
			e.data[fmt.Sprint(k)] = v
		}
	default:
		return errors.New("data must be an object of names and values")
	}
	return nil
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
