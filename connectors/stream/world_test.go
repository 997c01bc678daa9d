package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/authorization"
	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/castor-iot/castor/tests/sse"
)

// A world is functions, a bus, and replicas of the connector.
type world struct {
	*functiontest.World
	t     testing.TB
	alarm int
}

func newWorld(t testing.TB) *world {
	return &world{World: functiontest.New(t, functiontest.Functions{"authorization": authorization.New, "twins": twins.New}), t: t}
}

// A replica is one connector with its server.
type replica struct {
	*Connector
	url  string
	stop func()
}

func (w *world) replica(change ...func(*Connector)) *replica {
	w.t.Helper()
	p := w.Platform("stream")
	c, err := New(Config{Bus: w.Base.Bus, API: p.API, Authenticate: p.SignedIn, Secret: []byte("the same in all"), Now: w.Now, Log: w.Base.Log})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range change {
		f(c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	s := httptest.NewServer(c)
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("run: %v", err)
		}
		s.Close()
	}
	w.t.Cleanup(stop)
	for end := time.Now().Add(sse.Patience); c.Ready() != nil; {
		if time.Now().After(end) {
			w.t.Fatal(c.Ready())
		}
		<-time.After(5 * time.Millisecond)
	}
	return &replica{c, s.URL + "/stream", stop}
}

func header(as *api.Client) http.Header {
	token, _ := as.Authorize(context.Background(), "") // functiontest's have it at hand
	return http.Header{"Authorization": {token}}
}

// open opens a stream and reads its first frame.
func (r *replica) open(t testing.TB, as *api.Client, query string) *sse.Stream {
	t.Helper()
	s, status := sse.Open(t, http.DefaultClient, r.url+query, header(as))
	if s == nil {
		t.Fatalf("status %d", status)
	}
	s.Until("hello", sse.Has("expires"))
	return s
}

// raise publishes the beginning of an alarm of a twin of a group.
func (w *world) raise(id twin.ID, owner string) string {
	w.t.Helper()
	w.alarm++
	name := fmt.Sprintf("%s:rule:%d", id, w.alarm)
	w.publish(event.New("e-"+name, event.AlarmRaised, string(id), time.Now(), monitor.Transition{Alarm: name, Raised: true, Twin: id, Type: "pump", Owner: owner, Severity: monitor.Warning}))
	return name
}

func (w *world) publish(events ...event.Event) {
	w.t.Helper()
	if err := w.Base.Bus.Publish(context.Background(), events...); err != nil {
		w.t.Fatal(err)
	}
}

// report tells a reading as function twin-ingest does.
func (w *world) report(id twin.ID, owner, property string, value any) {
	w.t.Helper()
	state, err := json.Marshal(api.LiveState{Twin: id, Type: "pump", Reported: []api.LiveReading{{Property: property, Value: value}}})
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := json.Marshal(api.LiveBatch{Twins: []api.LiveTwin{{Twin: id, Scope: api.TwinScope{Owner: owner, Type: "pump"}, State: state}}})
	if err == nil {
		err = w.Base.Bus.Tell(b)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) owner(group string) *api.Client {
	w.t.Helper()
	return w.User(group+"-owner", []access.Role{access.Owner}, group)
}

// pump makes a twin of a group.
func (w *world) pump(id twin.ID, owner string) {
	w.t.Helper()
	admin := w.Admin()
	_, _ = admin.CreateTwin(context.Background(), api.NewTwin{ID: "pump", Kind: twin.Type}) // it may be there
	if _, err := admin.CreateTwin(context.Background(), api.NewTwin{ID: id, Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: owner}}); err != nil {
		w.t.Fatal(err)
	}
}

// quiet tells whether nothing but beats comes for a moment.
func quiet(t testing.TB, s *sse.Stream) {
	t.Helper()
	for {
		f, ok := s.Next(200 * time.Millisecond)
		if !ok {
			return
		}
		if f.Event != "beat" {
			t.Errorf("heard %s %s", f.Event, f.Data)
		}
	}
}
