package twiningest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

func response(id twin.ID, seq int, a *telemetry.Answer) telemetry.Message {
	m := measured(id, seq, "", 0)
	m.Kind, m.Samples, m.Answer = telemetry.Response, nil, a
	return m
}

// An answer is history, whatever it answers, and function twin-command hears of those that count: again where it may not have
// heard, but not of each repetition.
func TestAnswersToCommands(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1", "pump-2")
	told := w.Collect(event.CommandAnswered)
	_, err := w.twins.Update(context.Background(), "pump-1", func(t *twin.Twin) error {
		t.Commands = twin.Commands{Waiting: []string{"c-wait"}, Sent: []string{"c-sent"}, Late: []string{"c-late"}}
		return nil
	})
	must(t, err)
	long := []byte(`"` + strings.Repeat("x", 60_000) + `"`)
	many := []telemetry.Message{
		response("pump-1", 1, &telemetry.Answer{Command: "c-sent", OK: true, Output: long, Reason: "so\x1b[2J"}),
		response("pump-1", 2, &telemetry.Answer{Command: "c-late"}),
		response("pump-1", 3, &telemetry.Answer{Command: "c-none"}),
		response("pump-2", 1, &telemetry.Answer{Command: "c-sent"}),
		response("pump-1", 4, &telemetry.Answer{Command: "c-sent"}),
		response("pump-1", 5, &telemetry.Answer{Command: "../c", Output: []byte("{}")}),
		response("pump-1", 6, &telemetry.Answer{Command: "c-sent", Output: []byte("{")}),
		response("pump-1", 7, nil),
	}
	for i, o := range w.say(many...) {
		if want := map[bool]telemetry.Outcome{true: telemetry.Stored, false: telemetry.Parked}[i < 5]; o != want {
			t.Errorf("message %d is %s, want %s", i, o, want)
		}
	}
	commands := func() (all []string) {
		for _, e := range told() {
			var d api.CommandAnswered
			must(t, e.Decode(&d))
			r, err := w.history.Get(context.Background(), d.Record)
			must(t, err)
			a, ok := telemetry.AnswerOf(r.Samples)
			if !ok || r.Kind != telemetry.Response || a.Command != d.Command || d.Twin != "pump-1" {
				t.Errorf("the event %s names the record %+v", e.Data, r)
			}
			if d.Command == "c-sent" && len(all) == 0 && (!a.OK || string(a.Output) != string(long) || a.Reason != "so [2J") {
				t.Errorf("history has the answer %.100v", a)
			}
			all = append(all, d.Command)
		}
		return all
	}
	functiontest.Eventually(t, "two answers are told", func() bool { return len(commands()) >= 2 })
	if got := commands(); !slices.Equal(got, []string{"c-sent", "c-late"}) {
		t.Errorf("told: %v", got)
	}
	w.say(many[0]) // it may be that nobody was told
	functiontest.Eventually(t, "an answer that comes again is told again", func() bool { return len(commands()) == 3 })
	if n := len(w.records("pump-1")); n != 4 {
		t.Errorf("history has %d records, want 4", n)
	}
}

// What a twin remembers of its commands is how they ended: a device that was never given one has not answered it.
func TestATwinRemembersHowCommandsEnded(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	w.say(response("pump-1", 1, &telemetry.Answer{Command: "c-1", OK: true}), response("pump-1", 2, &telemetry.Answer{Command: "c-2"}),
		response("pump-1", 3, &telemetry.Answer{Command: "c-3", Reason: "driver valve@1.0.0: no downlink for the command"}))
	v, err := w.twins.Get(context.Background(), "pump-1")
	must(t, err)
	var got []string
	for _, o := range v.Live.Recent {
		got = append(got, o.What)
	}
	for _, want := range []string{"command c-1 succeeded", "command c-2 failed", "command c-3 failed: driver valve@1.0.0: no downlink for the command"} {
		if !slices.Contains(got, want) {
			t.Errorf("it remembers %q, not %q", got, want)
		}
	}
}

// Only a connected device's connector hears what waits.
func TestWhatWaitsIsToldToTheConnector(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1", "pump-2", "pump-3")
	for i, id := range []twin.ID{"pump-1", "pump-2", "pump-3"} {
		_, err := w.twins.Update(context.Background(), string(id), func(t *twin.Twin) error {
			t.Commands.Put(fmt.Sprint("c-", i), twin.Waiting)
			if id == "pump-3" {
				t.Definition.Phase = twin.Suspended
			}
			return nil
		})
		must(t, err)
	}
	r, err := w.connector.Ingest(trace.With(context.Background(), "test"), telemetry.Batch{Gateway: "gw-1", Messages: []telemetry.Message{
		connection("pump-1", 0, "s1", true), measured("pump-2", 1, "temp", 1), connection("pump-3", 0, "s1", true)}})
	must(t, err)
	if b, _ := json.Marshal(r.Commands); string(b) != `{"pump-1":["c-0"]}` {
		t.Errorf("told: %s", b)
	}
}
