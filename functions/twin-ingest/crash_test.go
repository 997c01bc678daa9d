package twiningest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

func messages(n int, value func(i int) any) (all []telemetry.Message) {
	for i := range n {
		all = append(all, measured("pump-1", i+1, "temp", value(i)))
	}
	return all
}

// left is all that a batch leaves behind of two twins: them, their history, what is parked, and what was told to others,
// each event once. Their names are left out, so that it compares.
func (w *world) left(admin *api.Client, name string, events []event.Event) []string {
	w.t.Helper()
	var parts []any
	for _, id := range []twin.ID{twin.ID(name + "-1"), twin.ID(name + "-2")} {
		t := w.twin(id)
		if len(t.Outbox.Pending) > 0 {
			w.t.Errorf("%s still holds %d events", id, len(t.Outbox.Pending))
		}
		t.Live.Messages, t.Live.Late, t.Live.Parked = 0, 0, 0 // they may miss one
		page, err := admin.ListParked(context.Background(), id, "")
		must(w.t, err)
		parts = append(parts, t.Live, w.records(id), page)
	}
	told := map[string]bool{}
	for _, e := range events {
		told[e.ID+" "+string(e.Data)] = true
	}
	parts = append(parts, slices.Sorted(maps.Keys(told)))
	b, err := json.MarshalIndent(parts, "", " ")
	must(w.t, err)
	return strings.Split(strings.ReplaceAll(string(b), name, "X"), "\n")
}

// A crash between any two writes of a batch, in each way there is, and the batch sent again: no reading and no alarm is
// lost, none is there twice.
func TestACrashAnywhereLosesAndDoublesNothing(t *testing.T) {
	w := newWorld(t, twin.Model{OfflineAfter: twin.Duration(time.Minute), OfflineSeverity: "critical"})
	w.rule("hot", "pump", "temp > 80 clear 70")
	all, admin := w.Collect(event.AlarmRaised, event.AlarmCleared), w.Admin()
	run := func(n int, how functiontest.How) (left []string, writes int64) {
		w.SetTime(noon)
		name := fmt.Sprintf("n%d-%d", n, how)
		one, two := twin.ID(name+"-1"), twin.ID(name+"-2")
		w.add(one, two)
		undated := measured(two, 7, "hum", 50)
		undated.Time = time.Time{}
		batch := []telemetry.Message{
			connection(one, 0, "s1", true), measured(one, 1, "temp", 90), measured(one, 2, "temp", 60), measured(one, 3, "temp", 95),
			measured(two, 1, "temp", 99), measured(two, 3, "rpm", 5), measured(two, 2, "rpm", 4), undated,
			{Twin: one, Generation: 1, Kind: telemetry.Undecoded, Received: noon, Raw: []byte("?"), Order: twin.Order{Assigned: true}},
		}
		c := w.Crash(n, how)
		c.Run(w.World, "twin-ingest", twiningest.New)
		_, err := w.connector.Ingest(trace.With(context.Background(), "test"), telemetry.Batch{Gateway: "gw-1", Messages: batch})
		if n < 0 {
			must(t, err)
		} else if err != nil && !errors.Is(err, api.ErrUnavailable) {
			t.Errorf("the crash shows as %v, want unavailable", err)
		}
		writes = c.Writes.Load()
		w.Add("twin-ingest", twiningest.New)
		w.say(batch...)
		w.SetTime(noon.Add(30 * time.Second))
		must(t, sweep(w))
		mine := func() (mine []event.Event) {
			for _, e := range all() {
				if strings.HasPrefix(e.Subject, name) {
					mine = append(mine, e)
				}
			}
			return mine
		}
		functiontest.Eventually(t, "all alarms are told", func() bool { return len(mine()) >= 4 })
		return w.left(admin, name, mine()), writes
	}
	want, writes := run(-1, functiontest.Before)
	if writes < 4 {
		t.Fatalf("only %d writes", writes)
	}
	for n := range int(writes) {
		for _, how := range functiontest.Ways {
			got, _ := run(n, how)
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					t.Errorf("a crash at write %d, way %d, left\n%s\nwant\n%s", n, how, around(got, i), around(want, i))
					break
				}
			}
		}
	}
}

func around(lines []string, i int) string {
	i = min(i, len(lines)-1)
	return strings.Join(lines[max(i-3, 0):min(i+3, len(lines))], "\n")
}

func sweep(w *world) error {
	_, err := w.Part("twin-watchdog", "").Sweep(context.Background(), "twin-ingest")
	return err
}

// While the bus is away readings are taken, and alarms wait with their twins; when a twin's outbox is full, its messages are
// to be sent again. When the bus is back everything is told once.
func TestTheBusAway(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1", "pump-2")
	w.rule("hot", "pump", "temp > 80")
	alarms := w.alarms()
	c := w.Crash(-1, functiontest.Before)
	c.Run(w.World, "twin-ingest", twiningest.New)
	c.Base.Bus.Close()
	flood := messages(200, func(i int) any { return 90 - 80*(i%2) })
	got := w.say(append(flood, measured("pump-2", 1, "temp", 1))...)
	kept := 0
	for kept < len(flood) && got[kept] == telemetry.Stored {
		kept++
	}
	for i := kept; i < len(flood); i++ {
		if got[i] != telemetry.Retry {
			t.Fatalf("message %d became %s after the first retry", i, got[i])
		}
	}
	if kept < 60 || kept == len(flood) || got[len(flood)] != telemetry.Stored {
		t.Errorf("%d of %d stored while the bus is away, the other twin's %s", kept, len(flood), got[len(flood)])
	}
	for i := range 50 { // readings that raise nothing go on, however many
		w.stored(measured("pump-2", i+2, "temp", i))
	}
	w.Add("twin-ingest", twiningest.New)
	w.pass(time.Minute)
	must(t, sweep(w))
	w.stored(flood...)
	functiontest.Eventually(t, "200 alarms are told", func() bool { return len(alarms()) >= 200 })
	seen := map[string]bool{}
	for _, a := range alarms() {
		seen[a] = true
	}
	if len(seen) != 200 || len(w.records("pump-1")) != 200 {
		t.Errorf("%d different alarms, %d records, want 200 of each", len(seen), len(w.records("pump-1")))
	}
}

// Several callers at once, as when connectors change places: compare-and-swap keeps everything.
func TestSeveralWritersOfOneTwin(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	var wg sync.WaitGroup
	for k := range 6 {
		wg.Go(func() {
			for i := range 10 {
				m := measured("pump-1", i+1, fmt.Sprintf("p%d", k), i)
				m.Order.Seq = int64(k + 6*i)
				for w.say(m)[0] != telemetry.Stored {
				}
			}
		})
	}
	wg.Wait()
	live := w.twin("pump-1").Live
	if len(live.Reported) != 6 || live.Messages != 60 || len(w.records("pump-1")) != 60 {
		t.Errorf("%d properties, %d messages, %d records; want 6, 60, 60", len(live.Reported), live.Messages, len(w.records("pump-1")))
	}
	for _, r := range live.Reported {
		if r.Value != 9.0 {
			t.Errorf("%s is %v, want its newest, 9", r.Property, r.Value)
		}
	}
}
