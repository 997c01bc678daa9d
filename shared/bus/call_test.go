package bus_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/bus"
)

func TestACallArrivesAsItWasEnqueued(t *testing.T) {
	b := newWorld(t).connect()
	sent := bus.Call{
		ID: "c-1", Function: "twin-install", Method: "POST", Path: "/pump-7/apps", Query: "a=1&a=2",
		Header: http.Header{"Content-Type": {"application/json"}, "X-Odd": {"ü\tx"}}, Body: []byte{0, 1, 2, '\r', '\n', 0xff},
		Callback: "http://127.0.0.1:1/back", At: time.Now().UTC().Truncate(time.Millisecond),
	}
	if err := b.Enqueue(t.Context(), sent); err != nil {
		t.Fatal(err)
	}
	got := make(chan bus.Call, 2)
	background(t, func(ctx context.Context) error {
		return b.Calls(ctx, 2, func(_ context.Context, c bus.Call) error { got <- c; return nil })
	})
	c := <-got
	want := sent
	want.Attempt = 1
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v\nwant %+v", c, want)
	}
}

func TestCallsAreSharedByWorkersAndTriedAgain(t *testing.T) {
	w := newWorld(t)
	b := w.connect()
	const n = 20
	for range n {
		if err := b.Enqueue(t.Context(), bus.Call{ID: "same chain", Function: "twins"}); err != nil {
			t.Fatal(err)
		}
	}
	var running, most, ended atomic.Int64
	var attempts tally
	background(t, func(ctx context.Context) error {
		return b.Calls(ctx, 4, func(_ context.Context, c bus.Call) error {
			now := running.Add(1)
			defer running.Add(-1)
			for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
			}
			if c.Attempt == 1 {
				attempts.add("first")
				return errors.New("not yet")
			}
			ended.Add(1)
			return nil
		})
	})
	eventually(t, "all have ended", func() bool { return ended.Load() == n })
	if attempts.of("first") != n || most.Load() > 4 {
		t.Errorf("%d first attempts, want %d; %d at once, want 4 at most", attempts.of("first"), n, most.Load())
	}
}

func TestWhatTheQueueRefuses(t *testing.T) {
	b := newWorld(t).connect()
	for name, test := range map[string]struct {
		call bus.Call
		want error
	}{
		"a call of no function":        {bus.Call{}, bus.ErrInvalid},
		"a function with a dot":        {bus.Call{Function: "a.b"}, bus.ErrInvalid},
		"more than the server allows":  {bus.Call{Function: "a", Body: bytes.Repeat([]byte("x"), 2<<20)}, bus.ErrTooLarge},
		"headers larger than its part": {bus.Call{Function: "a", Query: strings.Repeat("x", 100<<10)}, bus.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			if err := b.Enqueue(t.Context(), test.call); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestADownlinkGoesToTheConnectorsOfItsGateway(t *testing.T) {
	w := newWorld(t)
	sender, connector := w.connect(), w.connect()
	d := bus.Downlink{Gateway: "op-1", Device: "d:1", Topic: "castor/d:1/command/c", Payload: []byte{1, 0, 2}, Retain: true, ID: "c"}
	if err := sender.Send(t.Context(), d); !errors.Is(err, bus.ErrNoListener) {
		t.Fatalf("nobody listens: got %v, want ErrNoListener", err)
	}
	got := make(chan bus.Downlink, 1)
	stop, err := connector.Downlinks("op-1", func(d bus.Downlink) { got <- d })
	if err != nil {
		t.Fatal(err)
	}
	other, err := connector.Downlinks("op-2", func(bus.Downlink) { t.Error("another gateway's connector got it") })
	if err != nil {
		t.Fatal(err)
	}
	defer other()
	if err := sender.Send(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if c := <-got; !reflect.DeepEqual(c, d) {
		t.Errorf("got %+v, want %+v", c, d)
	}
	stop()
	if err := connector.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), d); !errors.Is(err, bus.ErrNoListener) {
		t.Errorf("the listener has stopped: got %v, want ErrNoListener", err)
	}
	if err := sender.Send(t.Context(), bus.Downlink{Gateway: "*"}); !errors.Is(err, bus.ErrInvalid) {
		t.Errorf("a wildcard as gateway: got %v, want ErrInvalid", err)
	}
}
