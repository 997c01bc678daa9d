package drivers_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/drivers"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// temperatures is what a driver remembers of a twin that has said 1 to n.
func temperatures(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("telemetrymap[temperature:%d]", i+1)
	}
	return strings.Join(all, ", ")
}

// While drivers cannot be called, for hours, what they are to react to waits, in whatever order it comes and however often; then they hear
// all of it, in order and once.
func TestNothingIsLostWhileADriverIsAway(t *testing.T) {
	w := reacting(t, "acme", remembering(1))
	all := w.Collect(event.TwinHeard)
	events := append(w.said(all, 12, "th-1"), w.said(all, 5, "th-2")...)
	workers := w.Base.Drivers
	w.Base.Drivers = func() (*sandbox.Pool, error) { return nil, fmt.Errorf("%w: no worker", api.ErrUnavailable) }
	w.Add("drivers", drivers.New)
	for range 2 {
		rand.Shuffle(len(events), func(i, k int) { events[i], events[k] = events[k], events[i] })
		for i := range events {
			w.must(w.Event("drivers", events[i:min(i+3, len(events))]...))
		}
		w.SetTime(w.Now().Add(5 * time.Hour))
		w.press = w.checked(w.Admin()) // the login is over
		w.sweep()
	}
	if r := w.reaction("th-1"); r.Waiting != 12 || r.Missed != 0 || r.Sent != 0 {
		t.Errorf("of what waits is told %+v", r)
	}
	w.Base.Drivers = workers
	w.Add("drivers", drivers.New)
	w.sweep()
	for id, n := range map[twin.ID]int{"th-1": 12, "th-2": 5} {
		if r := w.reaction(id); remembered(t, r.State) != temperatures(n) || r.Waiting != 0 || r.Missed != 0 || int(r.Sent) != n || len(w.commands(id)) != n {
			t.Errorf("%s: %s; %+v", id, remembered(t, r.State), r)
		}
	}
}

// Of a twin that says more than may wait the oldest is passed over, and its log says how much.
func TestTooMuchWaits(t *testing.T) {
	w := reacting(t, "acme", remembering(0))
	all := w.Collect(event.TwinHeard)
	first := w.said(all, 1, "th-1")
	var h api.TwinHeard
	w.must(first[0].Decode(&h))
	w.must(w.Event("drivers", first...))
	w.Base.Drivers = func() (*sandbox.Pool, error) { return nil, fmt.Errorf("%w: no worker", api.ErrUnavailable) }
	w.Add("drivers", drivers.New)
	names := make([]string, api.MaxHeard) // history has them no more
	for i := range names {
		names[i] = fmt.Sprint("gone-", i)
	}
	var more []event.Event
	for range 103 {
		h = api.TwinHeard{Twin: "th-1", After: h.Number, Number: h.Number + int64(len(names)), Records: names}
		more = append(more, event.New(fmt.Sprint("th-1#", h.Number), event.TwinHeard, "th-1", w.Now(), h))
	}
	w.must(w.Event("drivers", more[102])) // what is missing is no reason to pass anything over
	if r := w.reaction("th-1"); r.Missed != 0 || r.Waiting != 100 {
		t.Errorf("of what waits is told %+v", r)
	}
	w.must(w.Event("drivers", more...))
	if r := w.reaction("th-1"); r.Missed != 300 || r.Waiting != 10_000 {
		t.Errorf("of what was passed over is told %+v", r)
	}
	if got := w.log("th-1"); !strings.Contains(got, "acme@1.0.0 has not heard all: of more than 10000 messages that it has not come to yet the oldest are passed over, 300 until now; history has them") {
		t.Errorf("the log has %q", got)
	}
}

// Wherever the function crashes while something waits: nothing is lost, and nothing is there twice.
func TestCrashesOfWhatWaits(t *testing.T) {
	w := reacting(t, "acme", remembering(2))
	all := w.Collect(event.TwinHeard)
	for n, through := 0, false; !through; n++ {
		through = true
		for _, how := range functiontest.Ways {
			id := twin.ID(fmt.Sprintf("n%d-%d", n, how))
			w.devices("th", nil, id)
			events := w.said(all, 3, id)
			c := w.Crash(n, how)
			c.Run(w.World, "drivers", drivers.New)
			var faults [2]error
			for i, some := range [][]event.Event{{events[1], events[2]}, {events[0]}} {
				if faults[i] = w.Event("drivers", some...); faults[i] != nil && api.ProblemOf(faults[i]).Status != 503 {
					t.Errorf("write %d, way %d: a crash is told as %v", n, how, faults[i])
				}
			}
			through = through && !c.Came()
			w.Add("drivers", drivers.New)
			for i, some := range [][]event.Event{{events[2], events[1]}, {events[0]}} {
				if faults[i] != nil { // the bus brings it again
					w.must(w.Event("drivers", some...))
				}
			}
			for range 2 {
				w.sweep()
			}
			if r := w.reaction(id); remembered(t, r.State) != temperatures(3) || r.Pending != 0 || r.Waiting != 0 || r.Missed != 0 || r.Sent != 6 || len(w.commands(id)) != 6 {
				t.Errorf("write %d, way %d: %s; %+v, %d commands", n, how, remembered(t, r.State), r, len(w.commands(id)))
			}
		}
	}
}
