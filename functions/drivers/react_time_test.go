package drivers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/drivers"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
)

// many makes twins beside th-1 and th-2, more than are gone on with at once.
func (w *world) many() (ids []twin.ID) {
	for n := range 20 {
		ids = append(ids, twin.ID(fmt.Sprint("many-", n)))
	}
	w.devices("th", nil, ids...)
	return ids
}

// waiting is how many messages of twins wait, in all.
func (w *world) waiting(ids []twin.ID) (n int64) {
	w.t.Helper()
	for _, id := range ids {
		n += w.reaction(id).Waiting
	}
	return n
}

// heardAll tells of twins that have not heard so many messages each, in order and once.
func (w *world) heardAll(ids []twin.ID, n int) {
	w.t.Helper()
	for _, id := range ids {
		if r := w.reaction(id); remembered(w.t, r.State) != temperatures(n) || r.Waiting != 0 || r.Missed != 0 {
			w.t.Errorf("%s: %s; %+v", id, remembered(w.t, r.State), r)
		}
	}
}

// swept is what a sweep tells, some seconds later.
func (w *world) swept() api.Swept {
	w.t.Helper()
	w.SetTime(w.Now().Add(6 * time.Second))
	s, err := w.Part("twin-watchdog", "").Sweep(bg, "drivers")
	w.must(err)
	return s
}

// That a call's own time is over is no fault: what came is stored, what waits goes on waiting, and later calls go on with it.
func TestTheOwnTimeIsNoFault(t *testing.T) {
	w := reacting(t, "acme", remembering(0))
	all := w.Collect(event.TwinHeard)
	ids := w.many()
	events := w.said(all, 2, ids...)
	end, undo := drivers.OwnTime()
	defer undo()
	w.Add("drivers", drivers.New)
	w.meanwhile.Store(&end)
	w.must(w.Event("drivers", events...))
	left := w.waiting(ids)
	if left == 0 {
		t.Fatal("the time was not over")
	}
	w.Add("drivers", drivers.New)
	w.meanwhile.Store(&end)
	if got := w.swept(); int64(got.Repaired) > left-w.waiting(ids) {
		t.Errorf("repaired are %d, of %d messages wait %d", got.Repaired, left, w.waiting(ids))
	}
	if left = w.waiting(ids); left == 0 {
		t.Fatal("the time of the sweep was not over")
	}
	if got := w.swept(); got.Repaired == 0 || got.Repaired > len(ids) {
		t.Errorf("repaired are %d", got.Repaired)
	}
	w.heardAll(ids, 2)
}

// What only waits is not counted as repaired.
func TestWhatWaitsIsNotRepaired(t *testing.T) {
	w := reacting(t, "acme", remembering(0))
	all := w.Collect(event.TwinHeard)
	events := w.said(all, 2, "th-1", "th-2")
	w.must(w.Event("drivers", events[1], events[3]))
	if got := w.swept(); got.Repaired != 0 {
		t.Errorf("repaired are %d of two that wait", got.Repaired)
	}
	workers := w.Base.Drivers
	w.Base.Drivers = func() (*sandbox.Pool, error) { return nil, fmt.Errorf("%w: no worker", api.ErrUnavailable) }
	w.Add("drivers", drivers.New)
	w.must(w.Event("drivers", events[0]))
	if got := w.swept(); got.Repaired != 0 {
		t.Errorf("repaired are %d of two that wait", got.Repaired)
	}
	w.Base.Drivers = workers
	w.Add("drivers", drivers.New)
	if got := w.swept(); got.Repaired != 1 {
		t.Errorf("repaired are %d, and one could be", got.Repaired)
	}
	w.heardAll([]twin.ID{"th-1"}, 2)
}

// A sweep looks at so many twins only, also at those of which something has come just now; the next one goes on behind them.
func TestASweepLooksAtSoMany(t *testing.T) {
	w := reacting(t, "acme", remembering(0), "a-1", "a-2", "a-3")
	all := w.Collect(event.TwinHeard)
	waits := w.said(all, 1, "th-1")
	fresh := w.said(all, 1, "a-1", "a-2", "a-3")
	workers := w.Base.Drivers
	w.Base.Drivers = func() (*sandbox.Pool, error) { return nil, fmt.Errorf("%w: no worker", api.ErrUnavailable) }
	w.Add("drivers", drivers.New)
	w.must(w.Event("drivers", waits...))
	w.SetTime(w.Now().Add(6 * time.Second))
	w.must(w.Event("drivers", fresh...))
	w.Base.Drivers = workers
	w.Add("drivers", drivers.New)
	defer drivers.LookAt(2)()
	for n, want := range []int{0, 1} {
		got, err := w.Part("twin-watchdog", "").Sweep(bg, "drivers")
		w.must(err)
		if got.Repaired != want {
			t.Errorf("sweep %d has gone on with %d twins, want %d", n+1, got.Repaired, want)
		}
	}
}

// A message overtakes another, and the platform is down for a night: the other is waited for as long as if the night had not been.
func TestAGapOverADowntime(t *testing.T) {
	w := reacting(t, "acme", remembering(0))
	all := w.Collect(event.TwinHeard)
	events := w.said(all, 3, "th-1")
	w.must(w.Event("drivers", events[0], events[2]))
	w.SetTime(w.Now().Add(8 * time.Hour))
	w.press = w.checked(w.Admin()) // the login is over
	w.Add("drivers", drivers.New)
	w.sweep()
	w.SetTime(w.Now().Add(9 * time.Minute))
	w.sweep()
	w.must(w.Event("drivers", events[1]))
	w.heardAll([]twin.ID{"th-1"}, 3)

	more := w.said(all, 2, "th-1")
	w.must(w.Event("drivers", more[1]))
	w.Add("drivers", drivers.New)
	w.sweep()
	w.SetTime(w.Now().Add(10 * time.Minute))
	w.sweep()
	w.press = w.checked(w.Admin())
	if r := w.reaction("th-1"); r.Missed != 1 || r.Waiting != 0 {
		t.Errorf("what never comes is waited for: %+v", r)
	}
}
