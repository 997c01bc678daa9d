package twiningest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// hears returns what was told of a twin since it was called, each event once, by number.
func (w *world) hears() func(id twin.ID) []api.TwinHeard {
	all := w.Collect(event.TwinHeard)
	return func(id twin.ID) (heard []api.TwinHeard) {
		seen := map[string]bool{}
		for _, e := range all() {
			var h api.TwinHeard
			if e.Subject != string(id) || seen[e.ID] {
				continue
			}
			must(w.t, e.Decode(&h))
			seen[e.ID] = true
			heard = append(heard, h)
		}
		slices.SortFunc(heard, func(a, b api.TwinHeard) int { return int(a.Number - b.Number) })
		return heard
	}
}

// told are the records that events name, and each must follow the one before.
func (w *world) told(id twin.ID, heard []api.TwinHeard) (records []api.Record) {
	w.t.Helper()
	after := int64(0)
	for _, h := range heard {
		if h.After != after || h.Number <= after || len(h.Records) == 0 || len(h.Records) > api.MaxHeard {
			w.t.Errorf("event %d after %d with %d records follows %d", h.Number, h.After, len(h.Records), after)
		}
		after = h.Number
		for _, name := range h.Records {
			r, err := w.history.Get(context.Background(), string(id)+"|"+name)
			must(w.t, err)
			records = append(records, r)
		}
	}
	return records
}

func said(records []api.Record) string {
	var all []string
	for _, r := range records {
		all = append(all, fmt.Sprint(r.Kind, " ", r.Samples[0].Value))
	}
	return strings.Join(all, ", ")
}

var reacting = twin.Model{Driver: "acme-th1", Reacts: true}

// A driver that reacts hears of what is new to the twin, in order and once: whatever comes twice, late or in the platform's own words.
func TestWhatDriversHear(t *testing.T) {
	w := newWorld(t, reacting, "pump-1", "pump-2")
	hears := w.hears()
	line := measured("pump-1", 3, "text", "hello")
	line.Kind = telemetry.Log
	happened := measured("pump-1", 4, "event", "door")
	happened.Kind = telemetry.Event
	undecoded := telemetry.Message{Twin: "pump-1", Generation: 1, Kind: telemetry.Undecoded, Received: noon, Raw: []byte("?"), Order: twin.Order{Assigned: true}}
	unnumbered := measured("pump-1", 0, "hum", 50)
	unnumbered.Order = twin.Order{Epoch: 7, Seq: 1, Assigned: true}
	batch := []telemetry.Message{connection("pump-1", 0, "s1", true), measured("pump-1", 1, "temp", 20), measured("pump-1", 5, "temp", 21), line, happened, undecoded, unnumbered}
	for range 3 {
		w.stored(batch[:5]...)
		if got := w.say(batch[5:]...); got[0] != telemetry.Parked || got[1] != telemetry.Stored {
			t.Fatal(got)
		}
	}
	const want = "presence true, telemetry 20, telemetry 21, event door, telemetry 50"
	functiontest.Eventually(t, "all are told", func() bool { return said(w.told("pump-1", hears("pump-1"))) == want })
	w.stored(measured("pump-2", 1, "temp", 1))
	functiontest.Eventually(t, "the other twin is told of", func() bool { return len(hears("pump-2")) == 1 })
	if got := said(w.told("pump-1", hears("pump-1"))); got != want {
		t.Errorf("told were %s", got)
	}
}

// Of types that do not let their drivers react nothing is told, and nothing is kept.
func TestWhoDoesNotReactIsNotTold(t *testing.T) {
	w := newWorld(t, twin.Model{Driver: "acme-th1"}, "pump-1")
	w.stored(connection("pump-1", 0, "s1", true), measured("pump-1", 1, "temp", 20))
	if live := w.twin("pump-1").Live; live.Heard != 0 || !live.Spoken.IsZero() {
		t.Errorf("kept is %d, %v", live.Heard, live.Spoken)
	}
}

// A batch with more than an event may name is told of in several.
func TestManyRecordsAreToldInSeveralEvents(t *testing.T) {
	w := newWorld(t, reacting, "pump-1")
	hears := w.hears()
	w.stored(messages(250, func(i int) any { return i })...)
	functiontest.Eventually(t, "all are told", func() bool { return len(w.told("pump-1", hears("pump-1"))) == 250 })
	if n := len(hears("pump-1")); n != 3 {
		t.Errorf("%d events", n)
	}
}

// A crash between any two writes of a batch, in each way there is, and the batch sent again: everything is told, nothing twice.
func TestACrashAnywhereIsHeardOnce(t *testing.T) {
	w := newWorld(t, reacting)
	hears := w.hears()
	run := func(n int, how functiontest.How) (string, int64) {
		w.SetTime(noon)
		id := twin.ID(fmt.Sprintf("n%d-%d", n, how))
		w.add(id)
		undated := measured(id, 7, "hum", 50)
		undated.Time = time.Time{}
		unnumbered := measured(id, 0, "hum", 51)
		unnumbered.Order = twin.Order{Epoch: 7, Seq: 1, Assigned: true}
		answer := telemetry.Message{Twin: id, Generation: 1, Kind: telemetry.Response, Received: noon, Order: twin.Order{Epoch: 7, Seq: 2, Assigned: true},
			Answer: &telemetry.Answer{Command: "cmd-0123456789abcdef", OK: true}}
		batch := []telemetry.Message{connection(id, 0, "s1", true), measured(id, 1, "temp", 90), measured(id, 2, "temp", 60), unnumbered, answer, undated}
		c := w.Crash(n, how)
		c.Run(w.World, "twin-ingest", twiningest.New)
		if _, err := w.connector.Ingest(context.Background(), telemetry.Batch{Gateway: "gw-1", Messages: batch}); err != nil && !errors.Is(err, api.ErrUnavailable) {
			t.Errorf("the crash shows as %v, want unavailable", err)
		}
		w.Add("twin-ingest", twiningest.New)
		w.stored(batch...)
		w.SetTime(noon.Add(30 * time.Second))
		must(t, sweep(w))
		const all = "presence true, telemetry 90, telemetry 60, telemetry 51, response cmd-0123456789abcdef, telemetry 50"
		functiontest.Eventually(t, "all are told", func() bool { return strings.HasPrefix(said(w.told(id, hears(id))), all) })
		return said(w.told(id, hears(id))), c.Writes.Load()
	}
	want, writes := run(-1, functiontest.Before)
	if writes < 3 {
		t.Fatalf("only %d writes", writes)
	}
	for n := range int(writes) {
		for _, how := range functiontest.Ways {
			if got, _ := run(n, how); got != want {
				t.Errorf("a crash at write %d, way %d, has told %s", n, how, got)
			}
		}
	}
}

// What comes late is told once, too, wherever a crash or another writer comes between.
func TestWhatComesLateIsHeardOnce(t *testing.T) {
	w := newWorld(t, reacting)
	hears := w.hears()
	run := func(n int, how functiontest.How) (string, int64) {
		w.SetTime(noon)
		id := twin.ID(fmt.Sprintf("n%d-%d", n, how))
		w.add(id)
		at := func(seq int) telemetry.Message { return measured(id, seq, "temp", seq) }
		line := at(6)
		line.Kind = telemetry.Log
		w.stored(at(3), at(20))
		batch := []telemetry.Message{at(2), at(10), at(30), line, at(5), at(7), at(10), at(20), at(25)}
		c := w.Crash(n, how)
		c.Run(w.World, "twin-ingest", twiningest.New)
		if _, err := w.connector.Ingest(context.Background(), telemetry.Batch{Gateway: "gw-1", Messages: batch}); err != nil && !errors.Is(err, api.ErrUnavailable) {
			t.Errorf("the crash shows as %v, want unavailable", err)
		}
		w.Add("twin-ingest", twiningest.New)
		w.stored(at(25), at(40)) // the device sends again what it is not told of, in another order and in other batches
		for range 2 {
			w.stored(batch[4:]...)
			w.stored(batch...)
		}
		w.SetTime(noon.Add(30 * time.Second))
		must(t, sweep(w))
		functiontest.Eventually(t, "all are told", func() bool { return len(w.told(id, hears(id))) >= 9 })
		all := strings.Split(said(w.told(id, hears(id))), ", ")
		slices.Sort(all)
		return strings.Join(all, ", "), c.Writes.Load()
	}
	const want = "telemetry 10, telemetry 2, telemetry 20, telemetry 25, telemetry 3, telemetry 30, telemetry 40, telemetry 5, telemetry 7"
	_, writes := run(-1, functiontest.Before)
	if writes < 3 {
		t.Fatalf("only %d writes", writes)
	}
	for n := range int(writes) {
		for _, how := range functiontest.Ways {
			if got, _ := run(n, how); got != want {
				t.Errorf("a crash at write %d, way %d, has told %s", n, how, got)
			}
		}
	}
}

// Lines of the platform's parts are history, each once, and the twin has not said them.
func TestLines(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	c := w.Part("drivers", "")
	line := api.LogLine{Twin: "pump-1", At: noon, App: "driver", Level: "error", Text: "it failed"}
	gone := line
	gone.Twin = "pump-9"
	for range 2 {
		must(t, c.WriteLog(context.Background(), api.LogLines{Lines: []api.LogLine{line, gone}}))
	}
	records := w.records("pump-1")
	if len(records) != 1 || records[0].Kind != telemetry.Log || records[0].Samples[2].Value != "it failed" || len(w.records("pump-9")) != 0 {
		t.Errorf("history has %+v", records)
	}
	if live := w.twin("pump-1").Live; live.Messages != 0 || !live.Presence.LastSeen.IsZero() {
		t.Errorf("the twin has %+v", live)
	}
	// What happened is noted at the twin, too, once; what is older than all that it remembers is not noted any more.
	moved := line
	moved.App, moved.Text, moved.Happened = "platform", "moved "+strings.Repeat("x", 300), true
	for i := range twin.MaxRecent + 1 {
		must(t, c.WriteLog(context.Background(), api.LogLines{Lines: []api.LogLine{moved, gone}}))
		if got := w.twin("pump-1").Live; i < twin.MaxRecent && (len(got.Recent) != i+1 || !strings.HasPrefix(got.Recent[0].What, "moved ") || got.Messages != 0) {
			t.Fatalf("after %d others it remembers %+v", i, got.Recent)
		}
		other := moved
		other.At, other.Text = noon.Add(time.Duration(i+1)*time.Second), "something else"
		if i < twin.MaxRecent {
			for range 2 {
				must(t, c.WriteLog(context.Background(), api.LogLines{Lines: []api.LogLine{other}}))
			}
		}
	}
	if got := w.twin("pump-1").Live.Recent; len(got) != twin.MaxRecent || got[0].What != "something else" || got[len(got)-1].What != "something else" {
		t.Errorf("it remembers %+v", got)
	}
	if err := w.connector.WriteLog(context.Background(), api.LogLines{Lines: []api.LogLine{line}}); err == nil {
		t.Error("a connector may write lines")
	}
}
