package local_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/local"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
)

func startNATS(t *testing.T, config local.NATSConfig) *local.NATS {
	t.Helper()
	n, err := local.StartNATS(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

func TestNATSKeepsEventsOverARestart(t *testing.T) {
	config := local.NATSConfig{Dir: t.TempDir()}
	first := startNATS(t, config)
	b, err := first.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.URL() != "" {
		t.Errorf("it listens at %s without being told to", first.URL())
	}
	if err := b.Publish(t.Context(), event.New("e-1", event.Audit, "", time.Now(), nil)); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	first.Close()

	second := startNATS(t, config)
	if b, err = second.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if first.Token() != second.Token() {
		t.Error("the token has changed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got := make(chan string, 1)
	go func() {
		_ = b.Consume(ctx, bus.Consumer{Name: "c", Topics: []event.Topic{event.Audit}}, func(_ context.Context, events []event.Event) error {
			got <- events[0].ID
			return nil
		})
	}()
	select {
	case id := <-got:
		if id != "e-1" {
			t.Errorf("got %s", id)
		}
	case <-ctx.Done():
		t.Fatal("the event is gone")
	}
}

func TestTheListenerWantsTheToken(t *testing.T) {
	n := startNATS(t, local.NATSConfig{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if !strings.HasPrefix(n.URL(), "nats://127.0.0.1:") {
		t.Fatalf("it listens at %q", n.URL())
	}
	b, err := bus.Connect(t.Context(), n.URL(), bus.Token(n.Token()))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	for name, opts := range map[string][]bus.Option{"no token": nil, "another token": {bus.Token("wrong")}} {
		if _, err := bus.Connect(t.Context(), n.URL(), opts...); err == nil {
			t.Errorf("%s is let in", name)
		}
	}
}

func TestNATSTakesLargeCallsUpToItsLimit(t *testing.T) {
	n := startNATS(t, local.NATSConfig{Dir: t.TempDir()})
	b, err := n.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Enqueue(t.Context(), bus.Call{Function: "f", Body: make([]byte, 7<<20)}); err != nil {
		t.Error(err)
	}
	if err := b.Enqueue(t.Context(), bus.Call{Function: "f", Body: make([]byte, 9<<20)}); !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

func TestNATSSaysThatItsPortIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = local.StartNATS(local.NATSConfig{Dir: t.TempDir(), Listen: l.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
}
