package twiningest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// happened is an event with its data as they came.
func happened(id twin.ID, seq int, name, data string) telemetry.Message {
	m := measured(id, seq, "event", name)
	m.Kind, m.Data = telemetry.Event, []byte(data)
	return m
}

// A twin's log has a line a minute for each kind of event that is not as its type says, which names the twin, when it was and what is wrong.
func TestWhatATwinsLogSaysOfItsEvents(t *testing.T) {
	w := newWorld(t, twin.Model{Events: []twin.EventModel{{Name: "hot", Data: json.RawMessage(`{"type":"object"}`)}, {Name: "wet", Data: json.RawMessage(`{"type":"object"}`)}}}, "pump-1")
	w.stored(happened("pump-1", 1, "hot", `7`), happened("pump-1", 2, "hot", `[]`), happened("pump-1", 3, "wet", `"x"`))
	w.pass(time.Minute)
	w.stored(happened("pump-1", 61, "hot", `7`))
	var lines []string
	for _, r := range w.records("pump-1") {
		if r.Kind != telemetry.Log {
			continue
		}
		lines = append(lines, fmt.Sprint(r.Samples))
		if r.Twin != "pump-1" || !r.At.Equal(r.Received) || r.At.Before(noon) || !r.Order.Assigned || r.Trace != "test" {
			t.Errorf("%+v", r)
		}
	}
	line := func(name, got string) string {
		return "[{app model} {level warn} {text event " + name + " does not fit what the type says of it: got " + got + ", want object}]"
	}
	slices.Sort(lines)
	if want := []string{line("hot", "number"), line("hot", "number"), line("wet", "string")}; !slices.Equal(lines, want) {
		t.Errorf("the log says %q, want %q", lines, want)
	}
}

// Whatever comes as an event's data, and whatever its type says of them, the event is kept; its line in the log is no longer than people read.
func TestEventsThatCannotBeJudged(t *testing.T) {
	w := newWorld(t, twin.Model{Events: []twin.EventModel{{Name: "broken", Data: json.RawMessage(`{"type":7}`)}, {Name: "closed", Data: json.RawMessage(`{"additionalProperties":false}`)}}}, "pump-1", "pump-2", "pump-3")
	must(t, w.twins.Insert(context.Background(), twin.Twin{ID: "bare", Kind: twin.Type, Definition: twin.Definition{Version: 1}}))
	must(t, w.twins.Insert(context.Background(), twin.Twin{ID: "bare-1", Kind: twin.Instance, Created: noon, Definition: twin.Definition{Version: 1, Type: "bare", Owner: "plant", Phase: twin.Operational}}))
	w.Enrol("gw-1", 1, "bare-1")
	long := `{"` + strings.Repeat("ü", 5000) + `":1}`
	over := `{"pad":"` + strings.Repeat("a", telemetry.MaxPayload) + `"}`
	for id, c := range map[twin.ID]struct {
		name, data string
		flag       twin.Flag
		line       string
	}{
		"bare-1": {"hot", `{}`, "", ""},
		"pump-1": {"broken", `{}`, twin.Unexpected, "what the type says of event broken cannot be used: "},
		"pump-2": {"closed", long, twin.Unexpected, "event closed does not fit what the type says of it: "},
		"pump-3": {"closed", over, "", ""}, // more than devices may send is not looked at
	} {
		w.stored(happened(id, 1, c.name, c.data))
		line := ""
		for _, r := range w.records(id) {
			if r.Kind == telemetry.Log {
				line = fmt.Sprint(r.Samples[2].Value)
			} else if r.Flag != c.flag {
				t.Errorf("%s: %s is kept with flag %q, want %q", id, c.name, r.Flag, c.flag)
			}
		}
		if !strings.HasPrefix(line, c.line) || (line == "") != (c.line == "") || len(line) > 1000 {
			t.Errorf("%s: the log says %q (%d bytes), want %q", id, line, len(line), c.line)
		}
	}
}
