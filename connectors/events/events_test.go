package events_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/events"
	"github.com/castor-iot/castor/infra/gateway"
	"github.com/castor-iot/castor/infra/local"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	handler "github.com/openfaas/templates-sdk/go-http"
)

const patience = time.Minute

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// A world is a real bus and a real gateway whose functions can be exchanged.
type world struct {
	t       *testing.T
	nats    *local.NATS
	bus     *bus.Bus
	url     string
	handler atomic.Pointer[http.Handler]
}

func newWorld(t *testing.T, functions ...gateway.Function) *world {
	t.Helper()
	w := &world{t: t}
	var err error
	if w.nats, err = local.StartNATS(local.NATSConfig{Dir: t.TempDir(), Log: quiet}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.nats.Close)
	w.bus = w.connect()
	w.serve(functions...)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { (*w.handler.Load()).ServeHTTP(rw, r) }))
	t.Cleanup(s.Close)
	w.url = s.URL
	return w
}

func (w *world) connect() *bus.Bus {
	w.t.Helper()
	b, err := w.nats.Connect(w.t.Context(), bus.Logger(quiet))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = b.Close() })
	return b
}

func (w *world) serve(functions ...gateway.Function) {
	var h http.Handler = gateway.New(gateway.Config{
		Functions: functions, Log: quiet, Queue: w.bus,
		Authenticate: func(_ context.Context, user, password string) bool { return user == "events" && password == "secret" },
	})
	w.handler.Store(&h)
}

// run starts a replica of the connector on a connection of its own.
func (w *world) run(change ...func(*events.Config)) (c *events.Connector, stop func()) {
	w.t.Helper()
	config := events.Config{
		Bus: w.connect(), Gateway: w.url, User: "events", Password: "secret", Refresh: 50 * time.Millisecond, Log: quiet,
		PrivateCallbacks: true,
		Authorize:        func(_ context.Context, function string) (string, error) { return "Bearer for " + function, nil },
	}
	for _, f := range change {
		f(&config)
	}
	c = events.New(config)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				w.t.Errorf("run ended with %v", err)
			}
		case <-time.After(patience):
			w.t.Error("run does not end with its context")
		}
	})
	w.t.Cleanup(stop)
	return c, stop
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

// A recorder is a function that keeps its requests and answers with what next says, 200 if it is nil.
type recorder struct {
	mu       sync.Mutex
	requests []handler.Request
	next     func(n int) int // n is 1 for the first request
}

func (f *recorder) invoke(r handler.Request) (handler.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r)
	status := 200
	if f.next != nil {
		status = f.next(len(f.requests))
	}
	return handler.Response{StatusCode: status, Body: []byte(`{"done":true}`), Header: http.Header{"Content-Type": {"application/json"}}}, nil
}

func (f *recorder) all() []handler.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]handler.Request(nil), f.requests...)
}

func (f *recorder) as(name string, annotations ...string) gateway.Function {
	m := make(map[string]string)
	for i := 0; i < len(annotations); i += 2 {
		m[annotations[i]] = annotations[i+1]
	}
	return gateway.Function{Name: name, Annotations: m, Invoke: f.invoke}
}

// ids are those of the events in all requests.
func (f *recorder) ids(t *testing.T) map[string]int {
	t.Helper()
	count := make(map[string]int)
	for _, r := range f.all() {
		var list []event.Event
		if err := json.Unmarshal(r.Body, &list); err != nil {
			t.Fatalf("%v in %s", err, r.Body)
		}
		for _, e := range list {
			count[e.ID]++
		}
	}
	return count
}

func (w *world) publish(topic event.Topic, from, to int) {
	w.t.Helper()
	for i := from; i < to; i++ {
		if err := w.bus.Publish(w.t.Context(), event.New(fmt.Sprintf("%s-%d", topic, i), topic, "pump-7", time.Now(), map[string]int{"n": i})); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestAFunctionGetsTheEventsOfItsTopics(t *testing.T) {
	var alerts, other recorder
	w := newWorld(t, alerts.as("alerts", "topic", "alarm.raised, alarm.cleared"), other.as("other", "topic", "audit"))
	w.publish(event.AlarmRaised, 0, 5) // before anybody listens
	c, _ := w.run()
	w.publish(event.AlarmCleared, 0, 5)
	w.publish(event.TwinChanged, 0, 1)
	eventually(t, "all have come", func() bool { return len(alerts.ids(t)) == 10 })
	for id, n := range alerts.ids(t) {
		if n != 1 {
			t.Errorf("event %s came %d times", id, n)
		}
	}
	r := alerts.all()[0]
	if r.Method != "POST" || r.Header.Get("X-Castor-Path") != "/events" || r.Header.Get("Content-Type") != "application/json" ||
		r.Header.Get("Authorization") != "Bearer for alerts" {
		t.Errorf("called by %s with %v", r.Method, r.Header)
	}
	if len(other.all()) != 0 {
		t.Error("a function got events of topics it does not want")
	}
	eventually(t, "they are counted", func() bool { return c.Stats().Events == 10 && c.Stats().Functions == 2 })
}

func TestEventsComeAgainUntilTheFunctionTakesThem(t *testing.T) {
	f := recorder{next: func(n int) int {
		if n <= 2 {
			return 503
		}
		return 204
	}}
	w := newWorld(t, f.as("f", "topic", "audit"))
	c, _ := w.run()
	w.publish(event.Audit, 0, 3)
	eventually(t, "all are taken", func() bool { return c.Stats().Events == 3 })
	if c.Stats().EventsFailed == 0 {
		t.Error("no failure is counted")
	}
}

func TestReplicasShareEvents(t *testing.T) {
	var f recorder
	w := newWorld(t, f.as("f", "topic", "audit"))
	w.run()
	w.run()
	w.publish(event.Audit, 0, 50)
	eventually(t, "all have come", func() bool { return len(f.ids(t)) == 50 })
	for id, n := range f.ids(t) {
		if n != 1 {
			t.Errorf("event %s came %d times", id, n)
		}
	}
}

// Functions come and go while the connector runs, and one that was away gets what it has missed.
func TestTheListOfFunctionsIsFollowed(t *testing.T) {
	var f recorder
	w := newWorld(t)
	c, _ := w.run()
	w.publish(event.Audit, 0, 1)
	w.serve(f.as("f", "topic", "audit"))
	eventually(t, "the new function has the old event", func() bool { return f.ids(t)["audit-0"] == 1 })
	w.serve()
	eventually(t, "the function is gone", func() bool { return c.Stats().Functions == 0 })
	w.publish(event.Audit, 1, 2)
	w.serve(f.as("f", "topic", "audit,twin.changed"))
	eventually(t, "it is back and has what it missed", func() bool { return f.ids(t)["audit-1"] == 1 })
	w.publish(event.TwinChanged, 0, 1)
	eventually(t, "its new topic is served too", func() bool { return f.ids(t)["twin.changed-0"] == 1 })
	if n := f.ids(t)["audit-0"]; n != 1 {
		t.Errorf("what it had handled came %d times", n)
	}
}

func TestAnAnnotationThatMakesNoSenseHurtsNobodyElse(t *testing.T) {
	var bad, good recorder
	w := newWorld(t, bad.as("bad", "topic", "audit.*", "schedule", "whenever"), good.as("good", "topic", "audit"))
	w.run()
	w.publish(event.Audit, 0, 1)
	eventually(t, "the good one has it", func() bool { return good.ids(t)["audit-0"] == 1 })
	if len(bad.all()) != 0 {
		t.Error("the bad one was called")
	}
}

func TestAGatewayThatComesLaterIsWaitedFor(t *testing.T) {
	var f recorder
	w := newWorld(t, f.as("f", "topic", "audit"))
	real := w.handler.Load()
	down := http.Handler(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(503) }))
	w.handler.Store(&down)
	c, _ := w.run()
	w.publish(event.Audit, 0, 1)
	w.handler.Store(real)
	eventually(t, "the event is handled", func() bool { return c.Stats().Events == 1 })
}

func TestARefusedAuthorizationIsTriedAgain(t *testing.T) {
	var f recorder
	w := newWorld(t, f.as("f", "topic", "audit"))
	var asked atomic.Int64
	w.run(func(c *events.Config) {
		c.Authorize = func(context.Context, string) (string, error) {
			if asked.Add(1) == 1 {
				return "", fmt.Errorf("users is away")
			}
			return "Bearer x", nil
		}
	})
	w.publish(event.Audit, 0, 1)
	eventually(t, "it has come", func() bool { return f.ids(t)["audit-0"] == 1 })
	if got := f.all()[0].Header.Get("Authorization"); !strings.HasPrefix(got, "Bearer ") {
		t.Errorf("called with %q", got)
	}
}

// A delivery that is refused with 401 comes again at once with another authorization, not only when the bus brings it again.
func TestARefusedDeliveryIsMadeAgainAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		offers bool
		failed uint64
	}{
		"with a renewal no delivery fails":         {true, 0},
		"without one the delivery is brought anew": {false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := recorder{next: func(n int) int {
				if n == 1 {
					return http.StatusUnauthorized
				}
				return http.StatusOK
			}}
			w := newWorld(t, f.as("f", "topic", "audit"))
			var generation atomic.Int64
			connector, _ := w.run(func(config *events.Config) {
				config.Authorize = func(context.Context, string) (string, error) { return fmt.Sprintf("Bearer %d", generation.Load()), nil }
				if c.offers {
					config.Renew = func(function, header string) {
						if function != "f" || header != "Bearer 0" {
							t.Errorf("%s refused %q", function, header)
						}
						generation.Add(1)
					}
				}
			})
			w.publish(event.Audit, 0, 1)
			eventually(t, "the event is handled", func() bool { return connector.Stats().Events == 1 })
			if n := connector.Stats().EventsFailed; n != c.failed {
				t.Errorf("%d deliveries failed, want %d", n, c.failed)
			}
			requests := f.all()
			if len(requests) != 2 || string(requests[0].Body) != string(requests[1].Body) || len(requests[1].Header.Values("Authorization")) != 1 {
				t.Errorf("%d requests", len(requests))
			}
			if got := requests[1].Header.Get("Authorization"); c.offers && got != "Bearer 1" {
				t.Errorf("called again with %q", got)
			}
		})
	}
}
