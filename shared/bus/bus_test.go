package bus_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	"github.com/nats-io/nats-server/v2/server"
)

const patience = time.Minute

// A world is a real server on a file store, which can be stopped and started again at the same address.
type world struct {
	t      *testing.T
	dir    string
	port   int
	server *server.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), port: server.RANDOM_PORT}
	w.start()
	t.Cleanup(w.stop)
	return w
}

func (w *world) start() {
	w.t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: w.port, JetStream: true, StoreDir: w.dir, SyncAlways: true, NoLog: true, NoSigs: true,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		w.t.Fatal("server is not ready")
	}
	w.server, w.port = s, s.Addr().(*net.TCPAddr).Port
}

func (w *world) stop() {
	w.server.Shutdown()
	w.server.WaitForShutdown()
}

func (w *world) connect(opts ...bus.Option) *bus.Bus {
	w.t.Helper()
	b, err := bus.Connect(w.t.Context(), w.server.ClientURL(), append([]bus.Option{bus.Logger(quiet)}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = b.Close() })
	return b
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// background runs f until the test ends and reports its error.
func background(t *testing.T, f func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("ended with %v, want nil", err)
			}
		case <-time.After(patience):
			t.Error("did not end with its context")
		}
	})
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// A tally is a set of strings with counts, for handlers to write to.
type tally struct {
	mu    sync.Mutex
	count map[string]int
	order []string
}

func (c *tally) add(s string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == nil {
		c.count = make(map[string]int)
	}
	c.count[s]++
	c.order = append(c.order, s)
	return c.count[s]
}

func (c *tally) of(s string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count[s]
}

func (c *tally) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.order)
}

func alarm(n int) event.Event {
	return event.New(fmt.Sprintf("alarm-%d", n), event.AlarmRaised, "pump-7", time.Now(), map[string]int{"n": n})
}

func TestConnectTellsThatNobodyIsThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	if _, err := bus.Connect(t.Context(), "nats://"+address, bus.Logger(quiet)); err == nil {
		t.Fatal("connected to nothing")
	}
}

func TestInProcessNeedsNoListener(t *testing.T) {
	s, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	b, err := bus.Connect(t.Context(), "", bus.InProcess(s), bus.Name("test"), bus.Logger(quiet))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if err := b.Publish(t.Context(), alarm(1)); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := b.Ping(t.Context()); err == nil {
		t.Error("a closed bus answers pings")
	}
}
