package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
)

// follow follows until the test ends.
func follow(t *testing.T, b *bus.Bus, f bus.Follow) (seen *tally, begun, filled *atomic.Int64) {
	t.Helper()
	seen, begun, filled = &tally{}, &atomic.Int64{}, &atomic.Int64{}
	f.Begin, f.Filled = func(time.Time) { begun.Add(1) }, func() { filled.Add(1) }
	f.Each = func(m bus.Followed) {
		if f.Live {
			seen.add(string(m.Data))
		} else {
			seen.add(fmt.Sprint(m.Seq))
		}
	}
	background(t, func(ctx context.Context) error { return b.Follow(ctx, f) })
	eventually(t, "it has caught up", func() bool { return filled.Load() > 0 })
	return seen, begun, filled
}

// Events come in order and once, those of before too, over a restart of the server; nothing is missed, so nothing begins anew.
func TestFollowGoesOnAfterARestart(t *testing.T) {
	w := newWorld(t)
	b := w.connect()
	if err := b.Publish(t.Context(), alarm(1), event.New("x", event.Audit, "", time.Now(), nil), alarm(2)); err != nil {
		t.Fatal(err)
	}
	seen, begun, _ := follow(t, b, bus.Follow{Topics: []event.Topic{event.AlarmRaised}, Back: time.Minute})
	w.stop()
	w.start()
	eventually(t, "the bus takes events again", func() bool { return b.Publish(t.Context(), alarm(3)) == nil })
	eventually(t, "the third has come", func() bool { return len(seen.all()) >= 3 })
	for i, n := range seen.all() {
		if want := []string{"1", "3", "4"}[i]; n != want {
			t.Errorf("number %d is %s, want %s", i, n, want)
		}
	}
	if begun.Load() != 1 {
		t.Errorf("it began %d times", begun.Load())
	}
}

// What is told live lies in memory: after a restart of the server it begins anew, because something may have been missed.
func TestLiveNewsBeginAnewAfterARestart(t *testing.T) {
	w := newWorld(t)
	teller, reader := w.connect(), w.connect()
	seen, begun, _ := follow(t, reader, bus.Follow{Live: true, Back: time.Minute})
	if err := teller.Tell([]byte("one")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has come", func() bool { return seen.of("one") == 1 })
	late, _, _ := follow(t, w.connect(), bus.Follow{Live: true, Back: time.Minute})
	if late.of("one") != 1 {
		t.Error("who comes later does not hear what was just told")
	}
	w.stop()
	if err := teller.Tell([]byte("lost")); !errors.Is(err, bus.ErrUnavailable) {
		t.Logf("while the bus is away: %v", err) // the client may not have noticed yet
	}
	w.start()
	eventually(t, "it begins anew", func() bool { return begun.Load() >= 2 })
	eventually(t, "news come again", func() bool { return teller.Tell([]byte("two")) == nil && seen.of("two") > 0 })
	if err := teller.Tell(bytes.Repeat([]byte("x"), bus.MaxLive+1)); !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("too much: %v", err)
	}
}

func TestWantedIsHeardByOthers(t *testing.T) {
	w := newWorld(t)
	teller, reader := w.connect(), w.connect()
	if !teller.Wanted() {
		t.Error("who has just begun to ask may have missed what others heard")
	}
	if err := reader.Want(t.Context()); err != nil || !teller.Wanted() {
		t.Errorf("%v, wanted %v", err, teller.Wanted())
	}
}
