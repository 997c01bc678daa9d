package bus_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
)

func TestWatchTellsWhatIsPublishedFromNowOn(t *testing.T) {
	w := newWorld(t)
	publisher, watcher := w.connect(), w.connect()
	if err := publisher.Publish(t.Context(), alarm(1)); err != nil {
		t.Fatal(err)
	}
	var seen, gaps tally
	stop, err := watcher.Watch([]event.Topic{event.AlarmRaised, event.AlarmRaised}, func(e event.Event) { seen.add(e.ID) }, func() { gaps.add("") })
	if err != nil {
		t.Fatal(err)
	}
	if err := publisher.Publish(t.Context(), alarm(2), event.New("x", event.Audit, "", time.Now(), nil)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has come", func() bool { return seen.of("alarm-2") == 1 })
	stop()
	if err := publisher.Publish(t.Context(), alarm(3)); err != nil {
		t.Fatal(err)
	}
	if err := watcher.Ping(t.Context()); err != nil { // what was sent to it before has arrived now
		t.Fatal(err)
	}
	if got := seen.all(); len(got) != 1 || gaps.of("") != 0 {
		t.Errorf("seen %v and %d gaps, want alarm-2 alone", got, gaps.of(""))
	}
}

// A cache that is emptied by events must be emptied wholly when events may have been missed.
func TestWatchTellsOfAReconnect(t *testing.T) {
	w := newWorld(t)
	b := w.connect()
	var seen, gaps tally
	if _, err := b.Watch([]event.Topic{event.AlarmRaised}, func(e event.Event) { seen.add(e.ID) }, func() { gaps.add("") }); err != nil {
		t.Fatal(err)
	}
	w.stop()
	w.start()
	eventually(t, "there was a gap", func() bool { return gaps.of("") == 1 })
	if err := b.Publish(t.Context(), alarm(1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "events come again", func() bool { return seen.of("alarm-1") == 1 })
}

// A watcher that is too slow for its queue gets its gap after the last event it missed.
func TestWatchTellsOfDroppedEvents(t *testing.T) {
	w := newWorld(t)
	publisher, watcher := w.connect(), w.connect(bus.WatchQueue(4))
	var order tally
	hold, holding := make(chan struct{}), make(chan struct{}, 1)
	_, err := watcher.Watch([]event.Topic{event.AlarmRaised}, func(e event.Event) {
		select {
		case holding <- struct{}{}:
		default:
		}
		<-hold
		order.add(e.ID)
	}, func() { order.add("gap") })
	if err != nil {
		t.Fatal(err)
	}
	if err := publisher.Publish(t.Context(), alarm(0)); err != nil {
		t.Fatal(err)
	}
	<-holding
	for i := range 20 {
		if err := publisher.Publish(t.Context(), alarm(1+i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := watcher.Ping(t.Context()); err != nil { // all have arrived there, and most were dropped
		t.Fatal(err)
	}
	close(hold)
	eventually(t, "there was a gap", func() bool { return order.of("gap") > 0 })
	for n := 100; !slices.ContainsFunc(order.all(), func(id string) bool { return strings.HasPrefix(id, "alarm-1") && len(id) > 8 }); n++ {
		if err := publisher.Publish(t.Context(), alarm(n)); err != nil { // until one finds room in the queue
			t.Fatal(err)
		}
	}
	if got := order.all(); got[0] != "alarm-0" || got[1] != "gap" || order.of("alarm-20") != 0 {
		t.Errorf("told %v, want the gap after the event that was being handled, and the last one dropped", got)
	}
}
