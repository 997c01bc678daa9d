package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	"github.com/nats-io/nats.go"
)

func record(seen *tally) func(context.Context, []event.Event) error {
	return func(_ context.Context, events []event.Event) error {
		for _, e := range events {
			seen.add(e.ID)
		}
		return nil
	}
}

func alarms(name string) bus.Consumer {
	return bus.Consumer{Name: name, Topics: []event.Topic{event.AlarmRaised}, Backoff: 10 * time.Millisecond}
}

func TestEveryConsumerGetsEveryEventOfItsTopicsOnce(t *testing.T) {
	b := newWorld(t).connect()
	const n = 600 // more than two batches of a publisher's window
	events := make([]event.Event, n)
	for i := range events {
		events[i] = alarm(i)
	}
	other := event.New("audit-1", event.Audit, "", time.Now(), nil)
	if err := b.Publish(t.Context(), append(events, other)...); err != nil {
		t.Fatal(err)
	}
	var first, second tally
	background(t, func(ctx context.Context) error { return b.Consume(ctx, alarms("first"), record(&first)) })
	background(t, func(ctx context.Context) error { return b.Consume(ctx, alarms("second"), record(&second)) })
	eventually(t, "both have all", func() bool { return len(first.all()) >= n && len(second.all()) >= n })
	for i := range n {
		if got := first.of(alarm(i).ID); got != 1 {
			t.Errorf("alarm %d came %d times", i, got)
		}
	}
	if first.of("audit-1") != 0 {
		t.Error("an event of another topic came too")
	}
}

func TestReplicasShareTheEventsOfAConsumer(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(), w.connect()
	var one, two tally
	c := alarms("shared")
	c.Batch = 1
	background(t, func(ctx context.Context) error { return a.Consume(ctx, c, record(&one)) })
	background(t, func(ctx context.Context) error { return b.Consume(ctx, c, record(&two)) })
	sent := 0
	eventually(t, "both have worked", func() bool {
		sent++
		if err := a.Publish(t.Context(), alarm(sent)); err != nil {
			t.Fatal(err)
		}
		return len(one.all()) > 0 && len(two.all()) > 0
	})
	eventually(t, "all have come", func() bool { return len(one.all())+len(two.all()) >= sent })
	for i := 1; i <= sent; i++ {
		if got := one.of(alarm(i).ID) + two.of(alarm(i).ID); got != 1 {
			t.Errorf("alarm %d came %d times", i, got)
		}
	}
}

// A caller whose publication failed half way publishes all of it again.
func TestAnEventPublishedAgainIsNotDeliveredAgain(t *testing.T) {
	b := newWorld(t).connect()
	for range 3 {
		if err := b.Publish(t.Context(), alarm(1), alarm(2)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Publish(t.Context(), alarm(3)); err != nil {
		t.Fatal(err)
	}
	var seen tally
	background(t, func(ctx context.Context) error { return b.Consume(ctx, alarms("c"), record(&seen)) })
	eventually(t, "the last has come", func() bool { return seen.of("alarm-3") > 0 })
	if got := seen.all(); len(got) != 3 {
		t.Errorf("delivered %v, want three different ones", got)
	}
}

func TestAFailedBatchComesAgain(t *testing.T) {
	for name, fail := range map[string]func() error{
		"the handler returns an error": func() error { return errors.New("no") },
		"the handler panics":           func() error { panic("no") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newWorld(t).connect()
			var tries, seen tally
			background(t, func(ctx context.Context) error {
				return b.Consume(ctx, alarms("c"), func(ctx context.Context, events []event.Event) error {
					if tries.add("") <= 2 {
						return fail()
					}
					return record(&seen)(ctx, events)
				})
			})
			if err := b.Publish(t.Context(), alarm(1), alarm(2), alarm(3)); err != nil {
				t.Fatal(err)
			}
			eventually(t, "all have come", func() bool { return seen.of("alarm-1") == 1 && seen.of("alarm-2") == 1 && seen.of("alarm-3") == 1 })
		})
	}
}

// One event that nobody can handle must not take its batch with it, and must not be lost either.
func TestAPoisonousEventBecomesADeadLetterAlone(t *testing.T) {
	b := newWorld(t).connect()
	var good, bad tally
	c := alarms("fragile")
	c.MaxDeliver = 5
	background(t, func(ctx context.Context) error {
		return b.Consume(ctx, c, func(ctx context.Context, events []event.Event) error {
			for _, e := range events {
				if e.ID == "alarm-2" {
					bad.add("")
					return errors.New("cannot digest\nthis")
				}
			}
			return record(&good)(ctx, events)
		})
	})
	if err := b.Publish(t.Context(), alarm(1), alarm(2), alarm(3)); err != nil {
		t.Fatal(err)
	}
	var letters []bus.DeadLetter
	eventually(t, "there is a dead letter", func() bool {
		var err error
		if letters, err = b.DeadLetters(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		return len(letters) > 0
	})
	eventually(t, "the good ones have been handled", func() bool { return good.of("alarm-1") == 1 && good.of("alarm-3") == 1 })
	if len(letters) != 1 {
		t.Fatalf("%d dead letters, want one", len(letters))
	}
	l := letters[0]
	var e event.Event
	if err := json.Unmarshal(l.Data, &e); err != nil || e.ID != "alarm-2" {
		t.Errorf("the dead letter is %q (%v), want alarm-2", e.ID, err)
	}
	if l.Consumer != "fragile" || l.Deliveries != 5 || !strings.Contains(l.Reason, "cannot digest") || l.Subject != "castor.event.alarm.raised" {
		t.Errorf("dead letter %+v", l)
	}
	if got := bad.of(""); got != 5 {
		t.Errorf("it was delivered %d times, want 5", got)
	}
	eventually(t, "it is counted", func() bool { return b.Stats().Dead == 1 })
}

// A handler that is still running when its process stops has not handled: a successor gets the batch at once.
func TestAStoppedConsumerHandsItsBatchOn(t *testing.T) {
	b := newWorld(t).connect()
	started := make(chan struct{})
	stop := background(t, func(ctx context.Context) error {
		return b.Consume(ctx, alarms("c"), func(ctx context.Context, _ []event.Event) error {
			close(started)
			<-ctx.Done()
			return ctx.Err()
		})
	})
	if err := b.Publish(t.Context(), alarm(1)); err != nil {
		t.Fatal(err)
	}
	<-started
	stop()
	var seen tally
	background(t, func(ctx context.Context) error { return b.Consume(ctx, alarms("c"), record(&seen)) })
	eventually(t, "the successor has it", func() bool { return seen.of("alarm-1") == 1 })
}

func TestWhatTheBusRefuses(t *testing.T) {
	b := newWorld(t).connect()
	e := alarm(1)
	with := func(change func(*event.Event)) event.Event { c := e; change(&c); return c }
	for name, test := range map[string]struct {
		event event.Event
		want  error
	}{
		"an event without id":         {with(func(e *event.Event) { e.ID = "" }), bus.ErrInvalid},
		"an id with a line end":       {with(func(e *event.Event) { e.ID = "a\r\nb" }), bus.ErrInvalid},
		"an event without topic":      {with(func(e *event.Event) { e.Topic = "" }), bus.ErrInvalid},
		"a topic with a wildcard":     {with(func(e *event.Event) { e.Topic = "alarm.*" }), bus.ErrInvalid},
		"a topic with an empty word":  {with(func(e *event.Event) { e.Topic = "alarm..raised" }), bus.ErrInvalid},
		"data that is not JSON":       {with(func(e *event.Event) { e.Data = json.RawMessage("{") }), bus.ErrInvalid},
		"more than the server allows": {with(func(e *event.Event) { e.Data = json.RawMessage(`"` + strings.Repeat("x", 2<<20) + `"`) }), bus.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			if err := b.Publish(t.Context(), test.event); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	for name, c := range map[string]bus.Consumer{
		"a consumer without name":      {Topics: []event.Topic{event.Audit}},
		"a consumer with a dotted one": {Name: "a.b", Topics: []event.Topic{event.Audit}},
		"a consumer without topics":    {Name: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := b.Consume(t.Context(), c, record(new(tally))); !errors.Is(err, bus.ErrInvalid) {
				t.Errorf("got %v, want ErrInvalid", err)
			}
		})
	}
}

// An acknowledged event is on disk, and what a consumer has handled stays handled.
func TestARestartOfTheServerKeepsEverything(t *testing.T) {
	w := newWorld(t)
	b := w.connect()
	var seen tally
	stop := background(t, func(ctx context.Context) error { return b.Consume(ctx, alarms("c"), record(&seen)) })
	if err := b.Publish(t.Context(), alarm(1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first has come", func() bool { return seen.of("alarm-1") == 1 })
	eventually(t, "the first is counted", func() bool { return b.Stats().Handled == 1 })
	stop()
	if err := b.Publish(t.Context(), alarm(2)); err != nil {
		t.Fatal(err)
	}
	if err := b.Enqueue(t.Context(), bus.Call{ID: "call-1", Function: "twins", Method: "GET"}); err != nil {
		t.Fatal(err)
	}
	w.stop()
	eventually(t, "publishing fails while the server is away", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		return b.Publish(ctx, alarm(3)) != nil
	})
	w.start()
	eventually(t, "publishing works again", func() bool { return b.Publish(t.Context(), alarm(3)) == nil })
	if err := b.Publish(t.Context(), alarm(2)); err != nil { // its id is still known
		t.Fatal(err)
	}
	var calls tally
	background(t, func(ctx context.Context) error { return b.Consume(ctx, alarms("c"), record(&seen)) })
	background(t, func(ctx context.Context) error {
		return b.Calls(ctx, 1, func(_ context.Context, c bus.Call) error { calls.add(c.ID); return nil })
	})
	eventually(t, "the rest has come", func() bool {
		return seen.of("alarm-2") == 1 && seen.of("alarm-3") == 1 && calls.of("call-1") == 1
	})
	if got := seen.all(); len(got) != 3 {
		t.Errorf("delivered %v, want each once", got)
	}
}

// A consumer that is running when the server goes away goes on by itself.
func TestAConsumerSurvivesARestart(t *testing.T) {
	w := newWorld(t)
	b := w.connect()
	var seen tally
	background(t, func(ctx context.Context) error { return b.Consume(ctx, alarms("c"), record(&seen)) })
	for i := range 2 {
		eventually(t, "publishing works", func() bool { return b.Publish(t.Context(), alarm(i)) == nil })
		eventually(t, "it has come", func() bool { return seen.of(fmt.Sprintf("alarm-%d", i)) > 0 })
		w.stop()
		w.start()
	}
}

// What is no event, or speaks under a topic that it was not published under, takes nothing with it and is not tried again.
func TestWhatIsNoEventIsPassedOver(t *testing.T) {
	w := newWorld(t)
	b := w.connect()
	raw, err := nats.Connect(w.server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	forged, err := json.Marshal(event.New("forged", event.TwinDeleted, "", time.Now(), nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{[]byte("junk"), forged, nil, []byte("null")} {
		if err := raw.Publish("castor.event.alarm.raised", data); err != nil {
			t.Fatal(err)
		}
	}
	if err := raw.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(t.Context(), alarm(1)); err != nil {
		t.Fatal(err)
	}
	var seen tally
	background(t, func(ctx context.Context) error { return b.Consume(ctx, alarms("careful"), record(&seen)) })
	eventually(t, "the event has come", func() bool { return seen.of(alarm(1).ID) == 1 })
	eventually(t, "the rest is counted", func() bool { return b.Stats().Dead == 4 })
	if n := seen.of("forged"); n != 0 || len(seen.all()) != 1 {
		t.Errorf("handled %v, the forged one %d times", seen.all(), n)
	}
	if s := b.Stats(); s.Failed != 0 {
		t.Errorf("%d deliveries failed, want none", s.Failed)
	}
}
