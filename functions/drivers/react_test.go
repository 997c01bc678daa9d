package drivers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/drivers"
	twincommand "github.com/castor-iot/castor/functions/twin-command"
	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/wasm/wasmtest"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/fxamacker/cbor/v2"
)

// remembering is a module whose on_event keeps the call that it got as its state, in which is the one before, and so on; each time it
// wants so many commands.
func remembering(commands int) []byte {
	said := append([]byte{0xa3}, "\x67version\x01\x68commands"...)
	said = append(said, 0x80|byte(commands))
	for range commands {
		said = append(said, "\xa1\x64name\x64heat"...)
	}
	said = append(said, "\x65state\x59\x00\x00"...)
	n := int64(len(said))
	get, length, store := []byte{0x20, 0}, []byte{0x20, 1}, []byte{0x3a, 0, 0}
	return wasmtest.Module{Data: said, Alloc: wasmtest.I32(32_768), Pages: [2]int{8, 0}, Exports: map[string][]byte{"decode": {0}, "on_event": wasmtest.Code(
		wasmtest.I32(4096+n), get, length, 0xfc, 10, 0, 0, // memory.copy
		wasmtest.I32(4096+n-2), length, wasmtest.I32(8), 0x76, store, // the length of the state
		wasmtest.I32(4096+n-1), length, store,
		length, 0xad, wasmtest.I64(4096<<32|n), 0x7c)}}.Bytes()
}

// hanging never answers on_event, saying answers always what it is told to.
func hanging() []byte {
	return wasmtest.Module{Exports: map[string][]byte{"decode": {0}, "on_event": wasmtest.Code(0x03, 0x40, 0x0c, 0, 0x0b, wasmtest.I64(0))}}.Bytes()
}

func saying(what any) []byte {
	b, err := cbor.Marshal(what)
	if err != nil {
		panic(err)
	}
	return wasmtest.Module{Data: b, Exports: map[string][]byte{"decode": {0}, "on_event": wasmtest.Answer(len(b))}}.Bytes()
}

// reacting is a world with twins th-1 and th-2 of a type whose driver reacts.
func reacting(t *testing.T, name string, code []byte, more ...twin.ID) *world {
	w := newWorld(t)
	w.SetTime(time.Now().Truncate(time.Minute).Add(time.Minute)) // not back: who signs in would seem to have done so too often
	w.Add("twin-ingest", twiningest.New)
	w.Add("twin-command", twincommand.New)
	w.module(name, "1.0.0", code)
	w.typeOf("th", "press", twin.Model{Driver: name, Reacts: true, Parameters: map[string]string{"site": "hall"}})
	w.devices("th", nil, append([]twin.ID{"th-1", "th-2"}, more...)...)
	return w
}

// module publishes a module that has been tried elsewhere.
func (w *world) module(name, version string, code []byte) {
	w.t.Helper()
	test := driver.Test{Call: driver.Call{Op: driver.DecodeUplink, Bytes: []byte{1}}, Want: driver.Want{Errors: []string{""}}}
	if !strings.Contains(string(code), "on_event") {
		test.Want = driver.Want{} // its decode is no trap
	}
	d := driver.Driver{Name: name, Version: version, Kind: driver.WASM, Code: code, Tests: []driver.Test{test}, Limit: 500 * time.Millisecond}
	w.publish(w.press, api.PublishDriver{Driver: d})
	w.promote(w.press, name, version)
}

// say has a twin say something, as its connector brings it.
func (w *world) say(id twin.ID, seq int64, m telemetry.Message) {
	w.t.Helper()
	m.Twin, m.Generation, m.Received, m.Order = id, 1, w.Now(), twin.Order{Epoch: 1, Seq: seq}
	if m.Kind == "" {
		m.Kind, m.Samples = telemetry.Telemetry, []telemetry.Sample{{Property: "temperature", Value: float64(seq)}}
	}
	r, err := w.Part("connector", "gw-1").Ingest(bg, telemetry.Batch{Gateway: "gw-1", Messages: []telemetry.Message{m}})
	w.must(err)
	if r.Outcomes[0] != telemetry.Stored {
		w.t.Fatalf("%s: %s", id, r.Outcomes[0])
	}
}

// said has twins say so many things, and returns the events of it.
func (w *world) said(all func() []event.Event, n int, ids ...twin.ID) (events []event.Event) {
	w.t.Helper()
	for _, id := range ids {
		from := len(of(all(), id))
		for i := range n {
			w.say(id, int64(from+i+1), telemetry.Message{})
		}
		functiontest.Eventually(w.t, "it is told", func() bool { return len(of(all(), id)) == from+n })
		events = append(events, of(all(), id)[from:]...)
	}
	return events
}

func of(all []event.Event, id twin.ID) (its []event.Event) {
	for _, e := range all {
		if e.Subject == string(id) {
			its = append(its, e)
		}
	}
	return its
}

// remembered are the calls that a state has in it, the first first: the kind with the data.
func remembered(t *testing.T, state []byte) string {
	var calls []string
	for len(state) > 0 {
		var c struct {
			Kind      string         `cbor:"kind"`
			Data      map[string]any `cbor:"data"`
			State     []byte         `cbor:"state"`
			Variables map[string]any `cbor:"variables"`
		}
		if err := cbor.Unmarshal(state, &c); err != nil || c.Variables["site"] != "hall" {
			t.Fatalf("%x: %v, %v", state, err, c.Variables)
		}
		calls = append([]string{fmt.Sprint(c.Kind, c.Data)}, calls...)
		state = c.State
	}
	return strings.Join(calls, ", ")
}

func (w *world) reaction(id twin.ID) api.Reaction {
	w.t.Helper()
	r, err := w.press.GetReaction(bg, id)
	w.must(err)
	return r
}

// commands are those that a twin has been sent.
func (w *world) commands(id twin.ID) []api.Command {
	w.t.Helper()
	page, err := w.Admin().ListCommands(bg, api.CommandQuery{Twin: id})
	w.must(err)
	return page.Items
}

// log are the lines of a twin's log.
func (w *world) log(id twin.ID) string {
	w.t.Helper()
	lines := ""
	for _, r := range w.history(id) {
		if r.Kind == telemetry.Log {
			lines += fmt.Sprint(r.Samples[0].Value, " ", r.Samples[1].Value, ": ", r.Samples[2].Value, "\n")
		}
	}
	return lines
}

// What a twin says comes to its driver in order, with the state that was kept; what the driver wants is sent, once, and the answer is
// heard, too.
func TestADriverReacts(t *testing.T) {
	w := reacting(t, "acme", remembering(1))
	all := w.Collect(event.TwinHeard)
	events := w.said(all, 3, "th-1")
	for range 2 {
		w.must(w.Event("drivers", events...))
	}
	const want = "telemetrymap[temperature:1], telemetrymap[temperature:2], telemetrymap[temperature:3]"
	r := w.reaction("th-1")
	if got := remembered(t, r.State); got != want || r.Driver != "acme" || r.Version != "1.0.0" || r.Sent != 3 || r.Pending != 0 || r.Failure != "" || r.Reacted.IsZero() {
		t.Fatalf("%s; %+v", got, r)
	}
	sent := w.commands("th-1")
	if len(sent) != 3 || sent[0].Name != "heat" || sent[0].By != "driver:acme@1.0.0" {
		t.Fatalf("sent are %+v", sent)
	}
	w.say("th-1", 4, telemetry.Message{Kind: telemetry.Response, Answer: &telemetry.Answer{Command: sent[0].ID, OK: true, Output: []byte(`{"on":true}`)}})
	functiontest.Eventually(t, "the answer is told", func() bool { return len(all()) == 4 })
	w.must(w.Event("drivers", all()[3]))
	if got := remembered(t, w.reaction("th-1").State); !strings.HasSuffix(got, "responsemap[command:"+sent[0].ID+" name:heat output:map[on:true] status:succeeded]") {
		t.Errorf("of the answer the driver heard %s", got)
	}
	w.must(w.admin.ForgetReaction(bg, "th-1"))
	if r := w.reaction("th-1"); len(r.State) != 0 {
		t.Errorf("forgotten is all but %x", r.State)
	}
	if _, err := w.paint.GetReaction(bg, "th-1"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("another group is told: %v", err)
	}
	w.must(w.Event("drivers", event.New("twin.deleted:th-1#1", event.TwinDeleted, "th-1", w.Now().Add(time.Second), api.TwinChanged{Twin: "th-1"})))
	if r := w.reaction("th-1"); r.Driver != "" || r.Sent != 0 {
		t.Errorf("of a twin that is gone is kept %+v", r)
	}
}

// Another version goes on with the state, another driver begins without.
func TestWhoseStateItIs(t *testing.T) {
	w := reacting(t, "acme", remembering(0))
	all := w.Collect(event.TwinHeard)
	w.must(w.Event("drivers", w.said(all, 1, "th-1")...))
	w.module("acme", "1.1.0", remembering(1))
	w.must(w.Event("drivers", w.said(all, 1, "th-1")...))
	if r := w.reaction("th-1"); r.Version != "1.1.0" || remembered(t, r.State) != "telemetrymap[temperature:1], telemetrymap[temperature:2]" {
		t.Errorf("the next version has %s", remembered(t, r.State))
	}
	w.module("other", "1.0.0", remembering(0))
	w.model("th", twin.Model{Driver: "other", Reacts: true, Parameters: map[string]string{"site": "hall"}})
	w.SetTime(w.Now().Add(6 * time.Second))
	w.must(w.Event("drivers", w.said(all, 1, "th-1")...))
	if r := w.reaction("th-1"); r.Driver != "other" || remembered(t, r.State) != "telemetrymap[temperature:3]" {
		t.Errorf("another driver has %s", remembered(t, r.State))
	}
}

// Wherever the function crashes: the same events again, or none and a sweep, and no command is lost or there twice.
func TestCrashesOfReactions(t *testing.T) {
	w := reacting(t, "acme", remembering(2))
	all := w.Collect(event.TwinHeard)
	for n, through := 0, false; !through; n++ {
		for _, how := range functiontest.Ways {
			id := twin.ID(fmt.Sprintf("n%d-%d", n, how))
			w.devices("th", nil, id)
			events := w.said(all, 2, id)
			c := w.Crash(n, how)
			c.Run(w.World, "drivers", drivers.New)
			err := w.Event("drivers", events...)
			if through = !c.Came(); through != (err == nil) && err != nil && api.ProblemOf(err).Status != 503 {
				t.Errorf("write %d, way %d: a crash is told as %v", n, how, err)
			}
			w.Add("drivers", drivers.New)
			if err != nil {
				w.must(w.Event("drivers", events...))
			} else {
				w.SetTime(w.Now().Add(6 * time.Second))
				if _, err := w.Part("twin-watchdog", "").Sweep(bg, "drivers"); err != nil {
					t.Fatal(err)
				}
			}
			r := w.reaction(id)
			if got := remembered(t, r.State); got != "telemetrymap[temperature:1], telemetrymap[temperature:2]" || r.Pending != 0 || r.Sent != 4 || len(w.commands(id)) != 4 {
				t.Errorf("write %d, way %d: %s; %+v, %d commands", n, how, got, r, len(w.commands(id)))
			}
		}
	}
}

// sweep has the function go on with what waits.
func (w *world) sweep() {
	w.t.Helper()
	w.SetTime(w.Now().Add(6 * time.Second))
	_, err := w.Part("twin-watchdog", "").Sweep(bg, "drivers")
	w.must(err)
}

// Messages that come out of order wait for those before them, and hold up no other twin; one that never comes is not waited for long.
func TestOrderOfReactions(t *testing.T) {
	w := reacting(t, "acme", remembering(0))
	all := w.Collect(event.TwinHeard)
	events, others := w.said(all, 3, "th-1"), w.said(all, 1, "th-2")
	for range 2 {
		w.must(w.Event("drivers", events[1], events[2], others[0]))
		w.sweep()
	}
	if r := w.reaction("th-1"); r.Driver != "" || r.Waiting != 2 || remembered(t, w.reaction("th-2").State) == "" {
		t.Errorf("who waits reacts, or who need not does not: %+v", r)
	}
	w.must(w.Event("drivers", events[0]))
	w.must(w.Event("drivers", events[2], events[1]))
	if r := w.reaction("th-1"); remembered(t, r.State) != "telemetrymap[temperature:1], telemetrymap[temperature:2], telemetrymap[temperature:3]" || r.Waiting != 0 || r.Missed != 0 {
		t.Errorf("heard in the order %s; %+v", remembered(t, r.State), r)
	}
	lost := w.said(all, 3, "th-1")
	w.SetTime(w.Now().Add(20 * time.Minute)) // that it is old itself tells nothing: the others are waited for since they were missed
	w.must(w.Event("drivers", lost[2]))
	w.SetTime(w.Now().Add(9 * time.Minute))
	w.sweep()
	w.admin, w.press = w.checked(w.Admin()), w.checked(w.Admin()) // the logins are over
	if r := w.reaction("th-1"); r.Waiting != 1 || r.Missed != 0 {
		t.Errorf("what is missing is not waited for: %+v", r)
	}
	w.SetTime(w.Now().Add(time.Minute))
	w.sweep()
	w.must(w.Event("drivers", lost[0], lost[1], lost[2]))
	if got := w.log("th-1"); strings.Count(got, "acme@1.0.0 has not heard all: 2 messages before this did not come within 10m0s and are passed over") != 1 {
		t.Errorf("of a gap the log says %q", got)
	}
	if r := w.reaction("th-1"); !strings.HasSuffix(remembered(t, r.State), "temperature:3], telemetrymap[temperature:6]") || r.Missed != 2 || r.Waiting != 0 {
		t.Errorf("after a gap: %s; %+v", remembered(t, r.State), r)
	}
}

// A driver that hangs, one that answers what nobody may, and one that refuses: lines in the log, and others react beside.
func TestHostileReactions(t *testing.T) {
	w := reacting(t, "acme", remembering(0))
	all := w.Collect(event.TwinHeard)
	for name, code := range map[twin.ID][]byte{
		"hangs":   hanging(),
		"wrong":   saying(map[string]any{"version": 1, "commands": []any{map[string]any{"name": "heat", "on": true}}}),
		"refuses": saying(map[string]any{"version": 1, "errors": []any{"not now"}}),
		"warns":   saying(map[string]any{"version": 1, "warnings": []any{"battery low"}}),
		"many":    saying(map[string]any{"version": 1, "commands": twenty()}),
	} {
		w.module(string(name), "1.0.0", code)
		w.typeOf(name, "press", twin.Model{Driver: string(name), Reacts: true})
		w.devices(twin.TypeID(name), nil, name+"-1")
	}
	events := w.said(all, 5, "hangs-1", "wrong-1", "refuses-1", "warns-1", "many-1", "th-1")
	began := time.Now()
	w.must(w.Event("drivers", events...))
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	for id, want := range map[twin.ID]string{
		"hangs-1":   "driver error: on_event of hangs@1.0.0 failed with a message of kind telemetry: timeout",
		"wrong-1":   `driver error: on_event of wrong@1.0.0 failed with a message of kind telemetry: invalid: commands[0]: "on" is not known in a command`,
		"refuses-1": "driver error: on_event of refuses@1.0.0 refuses a message of kind telemetry: not now\n",
		"warns-1":   "driver warn: warns@1.0.0 warns: battery low\n",
		"many-1":    "is not sent",
	} {
		if got := w.log(id); !strings.Contains(got, want) || strings.Count(got, want) != 1 && id != "many-1" {
			t.Errorf("the log of %s has\n%s", id, got)
		}
	}
	if r := w.reaction("many-1"); r.Sent+r.Dropped != 100 || r.Sent > 60 || r.Dropped < 40 {
		t.Errorf("of many commands %+v", r)
	}
	if r := w.reaction("wrong-1"); r.Sent != 0 || r.Failure == "" || r.Failed.IsZero() {
		t.Errorf("of wrong ones %+v", r)
	}
	if r := w.reaction("th-1"); strings.Count(remembered(t, r.State), "temperature") != 5 {
		t.Errorf("the driver beside them has %s", remembered(t, r.State))
	}
	// What it costs goes on being counted: the version's use ends.
	for range 3 {
		w.must(w.Event("drivers", w.said(all, 1, "hangs-1")...))
		w.must(w.Event("drivers", w.said(all, 3, "hangs-1")...))
	}
	if got := w.reads("hangs-1"); !strings.Contains(got, "grave failures") && !strings.Contains(got, "quarantine") {
		t.Errorf("after so many failures it is: %s", got)
	}
	w.must(w.Event("drivers", w.said(all, 1, "hangs-1")...))
	if r := w.reaction("hangs-1"); !strings.HasPrefix(r.Failure, "it is not called: ") {
		t.Errorf("of a driver in quarantine: %+v", r)
	}
}

func twenty() (commands []any) {
	for range 20 {
		commands = append(commands, map[string]any{"name": "heat"})
	}
	return commands
}

// A type that lets its driver react no more: nothing is called, and commands that were about to be sent are not.
func TestWhoMayNotReact(t *testing.T) {
	w := reacting(t, "acme", remembering(1))
	all := w.Collect(event.TwinHeard)
	first := w.said(all, 1, "th-1")
	later := w.said(all, 1, "th-1")
	w.must(w.Event("drivers", first...))
	w.model("th", twin.Model{Driver: "acme"})
	w.SetTime(w.Now().Add(6 * time.Second))
	w.must(w.Event("drivers", later...))
	if r := w.reaction("th-1"); r.Sent != 1 || !strings.HasSuffix(remembered(t, r.State), "telemetrymap[temperature:1]") {
		t.Errorf("%+v", r)
	}
	_, err := w.Part("drivers", "").SendCommand(bg, api.NewCommand{Twin: "th-1", Name: "heat", Key: "event-1-1-1", By: "driver:acme@1.0.0"})
	if !errors.Is(err, api.ErrConflict) {
		t.Errorf("a driver that may not react sends: %v", err)
	}
	if _, err := w.Admin().SendCommand(bg, api.NewCommand{Twin: "th-1", Name: "heat", By: "driver:acme@1.0.0"}); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("a person sends as a driver: %v", err)
	}
	if err := w.Event("drivers", event.Event{ID: "x", Topic: event.TwinHeard, Subject: "th-1", At: w.Now(), Data: []byte(`{"twin":"th-1","number":1,"after":5,"records":[]}`)}); err != nil {
		t.Errorf("what cannot be an event is not passed over: %v", err)
	}
}

// A driver that has no on_event hears nothing, and nothing is wrong.
func TestADriverWithoutOnEvent(t *testing.T) {
	decodes := wasmtest.Module{Data: []byte("\xa1\x67version\x01"), Exports: map[string][]byte{"decode": wasmtest.Answer(10)}}.Bytes()
	w := reacting(t, "acme", decodes)
	w.publish(w.press, script("script", "1.0.0", 0))
	w.promote(w.press, "script", "1.0.0")
	w.typeOf("js", "press", twin.Model{Driver: "script", Reacts: true})
	w.devices("js", nil, "js-1")
	all := w.Collect(event.TwinHeard)
	w.must(w.Event("drivers", w.said(all, 2, "th-1", "js-1")...))
	for _, id := range []twin.ID{"th-1", "js-1"} {
		if r := w.reaction(id); r.Failure != "" || r.Sent != 0 || w.log(id) != "" {
			t.Errorf("%s: %+v\n%s", id, r, w.log(id))
		}
	}
}
