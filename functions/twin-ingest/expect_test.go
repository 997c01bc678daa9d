package twiningest_test

import (
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
