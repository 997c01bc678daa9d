package twiningest_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// Values are kept whatever the type says of them, and what it does not expect is marked.
func TestValuesAgainstTheModel(t *testing.T) {
	low, high := -40.0, 125.0
	model := twin.Model{Properties: []twin.Property{
		{Name: "temp", Min: &low, Max: &high}, {Name: "mode", Type: "string", Enum: []any{"auto", "off"}}, {Name: "open", Type: "boolean"},
		{Name: "stage", Type: "number", Enum: []any{1, 2, 3}},
	}}
	w := newWorld(t, model)
	for i, c := range []struct {
		property string
		value    any
		reading  twin.Flag
		record   twin.Flag
	}{
		{"temp", 20, "", ""}, {"temp", 126, twin.OutOfRange, twin.OutOfRange}, {"temp", "warm", twin.Unexpected, twin.Unexpected}, {"temp", true, twin.Unexpected, twin.Unexpected},
		{"mode", "auto", "", ""}, {"mode", "Auto", twin.Unexpected, twin.Unexpected}, {"mode", 1, twin.Unexpected, twin.Unexpected},
		{"open", false, "", ""}, {"open", 0, twin.Unexpected, twin.Unexpected}, {"stage", 2, "", ""}, {"stage", 2.5, twin.Unexpected, twin.Unexpected},
		{"rssi", -90, twin.Unknown, ""}, {"rssi", "far", twin.Unknown, ""},
	} {
		id := twin.ID(fmt.Sprintf("pump-%d", i))
		w.add(id)
		w.stored(measured(id, 1, c.property, c.value))
		r, ok := w.live(id).Reading(c.property)
		if kept := w.records(id); !ok || r.Flag != c.reading || len(kept) != 1 || kept[0].Flag != c.record || kept[0].Samples[0].Value != r.Value {
			t.Errorf("%s = %v: reading %+v, history %+v; want flags %q and %q", c.property, c.value, r, kept, c.reading, c.record)
		}
	}
	// What an event or a log line says is none of the type's properties.
	w.add("pump-e")
	m := measured("pump-e", 1, "event", "opened")
	m.Kind = telemetry.Event
	m.Samples = append(m.Samples, telemetry.Sample{Property: "temp", Value: "warm"})
	w.stored(m)
	if got := w.records("pump-e"); len(got) != 1 || got[0].Flag != "" {
		t.Errorf("an event is kept as %+v", got)
	}
}

// A type that names no properties expects none.
func TestATypeWithoutPropertiesKnowsAll(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	w.stored(measured("pump-1", 1, "temp", "warm"))
	if r, _ := w.live("pump-1").Reading("temp"); r.Flag != "" {
		t.Errorf("reading is %+v", r)
	}
}

// An event is kept as it came. Where its type says what comes with it, and something else has come, it is marked and the twin's log tells.
func TestEventsAgainstTheModel(t *testing.T) {
	w := newWorld(t, twin.Model{Events: []twin.EventModel{
		{Name: "overheated", Data: json.RawMessage(`{"type":"object","required":["sensor"],"properties":{"sensor":{"type":"object","required":["temps"],"properties":{"temps":{"type":"array","items":{"type":"number"}}}}},"additionalProperties":false}`)},
		{Name: "opened"},
		{Name: "numbered", Data: json.RawMessage(`{"type":"object","properties":{"rows":{"type":"object","additionalProperties":{"type":"number"}}}}`)},
		{Name: "holed", Data: json.RawMessage(`{"type":"object","properties":{"a":{"type":"array","minItems":3}}}`)},
		{Name: "dotted", Data: json.RawMessage(`{"type":"object","required":["a.b"]}`)},
		{Name: "named", Data: json.RawMessage(`{"type":"object","required":["event","v"],"properties":{"event":{"const":"named"},"v":{"type":"number"}},"additionalProperties":false}`)},
	}})
	for i, c := range []struct {
		data string
		flag twin.Flag
		line string
	}{
		{`{"event":"overheated","sensor":{"temps":[90,91]}}`, "", ""},
		{`{"event":"overheated","sensor":{"temps":[]}}`, "", ""},
		{`{"event":"overheated","sensor":{"temps":["hot"]}}`, twin.Unexpected, "event overheated does not fit what the type says of it: /sensor/temps/0: got string, want number"},
		{`{"event":"overheated"}`, twin.Unexpected, "event overheated does not fit what the type says of it: missing property 'sensor'"},
		{`{"event":"opened","by":"wind"}`, "", ""},
		{`{"event":"closed","by":1}`, "", ""},
		{`{"event":"numbered","rows":{"0":1,"1":2}}`, "", ""},
		{`{"event":"numbered","rows":[1,2]}`, twin.Unexpected, "event numbered does not fit what the type says of it: /rows: got array, want object"},
		{`{"event":"holed","a":[1,{},3]}`, "", ""},
		{`{"event":"dotted","a.b":1}`, "", ""},
		{`{"event":"dotted","a":{"b":1}}`, twin.Unexpected, "event dotted does not fit what the type says of it: missing property 'a.b'"},
		{`{"event":"named","v":1}`, "", ""},
		{`{"event":"named","v":"x"}`, twin.Unexpected, "event named does not fit what the type says of it: /v: got string, want number"},
		{`[`, "", ""},
	} {
		id := twin.ID(fmt.Sprintf("pump-%d", i))
		w.add(id)
		for seq := range 2 {
			m := measured(id, seq+1, "event", "overheated")
			m.Kind, m.Data = telemetry.Event, []byte(c.data)
			var data map[string]any
			if json.Unmarshal(m.Data, &data) == nil {
				m.Samples, _ = telemetry.Flatten(data)
			}
			w.stored(m)
		}
		var lines []string
		events := 0
		for _, r := range w.records(id) {
			if r.Kind == telemetry.Log {
				lines = append(lines, fmt.Sprint(r.Samples[2].Value))
				continue
			}
			if events++; r.Flag != c.flag {
				t.Errorf("%s is kept as %+v, want flag %q", c.data, r, c.flag)
			}
		}
		if events != 2 || len(lines) > 1 || c.line == "" && len(lines) > 0 || c.line != "" && (len(lines) == 0 || lines[0] != c.line) {
			t.Errorf("%s: %d events, its log says %q, want %q once", c.data, events, lines, c.line)
		}
	}
}
