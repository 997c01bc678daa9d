package events_test

import (
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/events"
)

// planned are the planned times of all requests, with how often each came.
func (f *recorder) planned(t *testing.T) map[time.Time]int {
	t.Helper()
	times := make(map[time.Time]int)
	for _, r := range f.all() {
		p, err := time.Parse(time.RFC3339, r.Header.Get("X-Castor-Planned"))
		if err != nil {
			t.Fatal(err)
		}
		times[p]++
	}
	return times
}

func TestOneOfSeveralReplicasCallsAtEachPlannedTime(t *testing.T) {
	var every, seconds recorder
	w := newWorld(t, every.as("every", "schedule", "@every 1s"), seconds.as("seconds", "schedule", "*/2 * * * * *"))
	for range 3 {
		w.run()
	}
	eventually(t, "some times have come", func() bool { return len(every.planned(t)) >= 4 && len(seconds.planned(t)) >= 2 })
	for _, f := range []*recorder{&every, &seconds} {
		for at, n := range f.planned(t) {
			if n != 1 {
				t.Errorf("%s was called %d times", at, n)
			}
			if late := time.Since(at); late < 0 || late > patience {
				t.Errorf("%s is %s ago", at, late)
			}
		}
	}
	r := every.all()[0]
	if r.Method != "POST" || r.Header.Get("X-Castor-Path") != "/schedule" || r.Header.Get("Authorization") != "Bearer for every" {
		t.Errorf("called by %s with %v", r.Method, r.Header)
	}
	for at := range seconds.planned(t) {
		if at.Second()%2 != 0 {
			t.Errorf("called for %s", at)
		}
	}
}

func at(shift time.Duration) func(*events.Config) {
	return func(c *events.Config) { c.Now = func() time.Time { return time.Now().Add(shift) } }
}

func TestAfterADowntimeOneMissedTimeIsMadeUpFor(t *testing.T) {
	var f recorder
	w := newWorld(t, f.as("f", "schedule", "@every 1h"))
	c, stop := w.run(at(-100*time.Hour - 30*time.Minute))
	eventually(t, "the schedule is known", func() bool {
		b, err := w.bus.Bucket(t.Context(), "CASTOR_TICKS")
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Get(t.Context(), "f")
		return err == nil
	})
	if len(f.all()) != 0 {
		t.Error("a new schedule has called for a time before it was")
	}
	stop()
	again, _ := w.run()
	eventually(t, "the missed time has come", func() bool { return again.Stats().Ticks == 1 })
	last := time.Now().UTC().Truncate(time.Hour)
	if got := f.planned(t); len(got) != 1 || got[last] != 1 {
		t.Errorf("called for %v, want only the last, %s", got, last)
	}
	if c.Stats().Ticks != 0 {
		t.Errorf("the first replica called %d times", c.Stats().Ticks)
	}
}

// A replica that dies in the middle of a call has claimed its time; another takes it over.
func TestATimeThatWasNotFinishedIsTakenOver(t *testing.T) {
	entered, f := make(chan struct{}, 1), recorder{}
	f.next = func(n int) int {
		if n == 1 {
			entered <- struct{}{}
			return 503 // the replica is going to try again, but it is stopped
		}
		return 200
	}
	w := newWorld(t, f.as("f", "schedule", "@every 1h"))
	_, stop := w.run(at(-90 * time.Minute))
	eventually(t, "the schedule is known", func() bool {
		b, err := w.bus.Bucket(t.Context(), "CASTOR_TICKS")
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Get(t.Context(), "f")
		return err == nil
	})
	stop()
	_, stop = w.run()
	<-entered
	stop()
	second, _ := w.run()
	eventually(t, "the call is made", func() bool { return second.Stats().Ticks == 1 })
	if got := f.planned(t); len(got) != 1 {
		t.Errorf("called for %v, want one time", got)
	}
}

// A clock that was far ahead once must not freeze a schedule for years.
func TestATimeFarAheadFreezesNothing(t *testing.T) {
	var f recorder
	w := newWorld(t, f.as("f", "schedule", "@every 1s"))
	wrong, stop := w.run(at(24 * 365 * time.Hour))
	eventually(t, "the wrong clock has called", func() bool { return wrong.Stats().Ticks > 0 })
	stop()
	right, _ := w.run()
	eventually(t, "the right clock calls", func() bool { return right.Stats().Ticks > 0 })
}

func TestAFunctionThatFailsIsTriedAgainForItsTime(t *testing.T) {
	f := recorder{next: func(n int) int {
		if n == 1 {
			return 500
		}
		return 200
	}}
	w := newWorld(t, f.as("f", "schedule", "*/4 * * * * *"))
	c, _ := w.run()
	eventually(t, "the second try has succeeded", func() bool { return c.Stats().Ticks >= 1 })
	requests := f.all()
	if a, b := requests[0].Header.Get("X-Castor-Planned"), requests[1].Header.Get("X-Castor-Planned"); a != b {
		t.Errorf("first try for %s, second for %s", a, b)
	}
}
