package link_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// A far end is a protocol without a wire: it keeps what it is told.
type far struct {
	mu      sync.Mutex
	stored  []twin.Order
	answers []api.ProvisionAnswer
	downs   []link.Down
	refuse  error // what Command returns
}

func (f *far) Stored(_ *link.Session, o twin.Order) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stored = append(f.stored, o)
}

func (f *far) Answer(_ *link.Claimant, a api.ProvisionAnswer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers = append(f.answers, a)
}

func (f *far) Deliver(bus.Downlink) {}

func (f *far) Command(_ *link.Session, d link.Down) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.downs = append(f.downs, d)
	return f.refuse
}

func (f *far) commands() []link.Down {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.downs)
}

func (f *far) told() []twin.Order {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.stored)
}

// acks keeps the acknowledgements in the order they came.
type acks struct {
	mu  sync.Mutex
	all []string
}

func (a *acks) of(name string) func(bool) {
	return func(stored bool) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.all = append(a.all, fmt.Sprint(name, " ", stored))
	}
}

func (a *acks) list() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all)
}

func run(t testing.TB, w *linktest.World, f *far, change func(*link.Config)) (l *link.Link, stop func()) {
	t.Helper()
	c := link.Config{
		Gateway: api.Gateway{ID: w.Gateway, Phase: "operational", Protocol: "test", URL: "test://here"},
		API:     w.API, Bus: w.Bus, Protocol: f, Log: linktest.Quiet,
	}
	if change != nil {
		change(&c)
	}
	l, err := link.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(linktest.Patience):
			t.Error("the link does not end")
		}
	})
	t.Cleanup(stop)
	linktest.Eventually(t, "it listens", func() bool {
		return w.Bus.Send(t.Context(), bus.Downlink{Gateway: w.Gateway, Device: "x", Topic: "x"}) == nil
	})
	return l, stop
}

func publish(s *link.Session, payload string, ack func(bool)) {
	s.Publish(telemetry.Telemetry, "castor/p-1/telemetry", []byte(payload), time.Now(), ack)
}

const resolve = "POST credentials/resolve"

// The cache of mappings is what a replaced or removed device is known by: it must not outlive the event that says so, nor
// its time.
func TestAMappingIsAskedForAgainWhenItMayHaveChanged(t *testing.T) {
	w := linktest.NewWorld(t)
	var ahead atomic.Int64
	l, _ := run(t, w, &far{}, func(c *link.Config) { c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) } })
	s := l.Open("s-1", "p-1", 1, nil)
	for range 5 {
		publish(s, "{}", func(bool) {})
	}
	if n := w.Platform.Calls(resolve); n != 1 {
		t.Fatalf("%d calls for one reference, want 1", n)
	}
	change := event.New("c#1", event.CredentialChanged, "", time.Now(), api.CredentialChanged{Ref: "p-1", Twin: "twin-p-1"})
	if err := w.Bus.Publish(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	linktest.Eventually(t, "an event empties the cache", func() bool { publish(s, "{}", func(bool) {}); return w.Platform.Calls(resolve) == 2 })
	ahead.Store(int64(time.Minute + time.Second))
	publish(s, "{}", func(bool) {})
	if n := w.Platform.Calls(resolve); n != 3 {
		t.Errorf("%d calls after a mapping's time, want 3", n)
	}
}

// A bulb is exchanged: the new one comes under the old one's name, in the session that its bridge has open. It is announced and
// confirmed as if it had come anew.
func TestADeviceIsExchangedForAnotherOfItsName(t *testing.T) {
	w := linktest.NewWorld(t)
	l, _ := run(t, w, &far{}, nil)
	s := l.Open("s-1", "p-1", 1, nil)
	publish(s, "{}", func(bool) {})
	w.Platform.Exchange("p-1", "twin-new")
	w.Platform.Pending("p-1", true)
	change := event.New("c#1", event.CredentialChanged, "", time.Now(), api.CredentialChanged{Ref: "p-1", Twin: "twin-p-1"})
	if err := w.Bus.Publish(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	linktest.Eventually(t, "the new one is confirmed", func() bool { publish(s, "{}", func(bool) {}); return len(w.Platform.Confirmed()) == 1 })
	if got := w.Platform.Confirmed()[0]; got.Twin != "twin-new" || !got.Seen {
		t.Errorf("confirmed %+v", got)
	}
	there := func(m []telemetry.Message) (out []any) {
		for _, m := range m {
			out = append(out, m.Samples[0].Value)
		}
		return out
	}
	// Each twin has its lane, so the two are told in either order.
	linktest.Eventually(t, "the old one has gone and the new one is there", func() bool {
		return len(w.Platform.Presence("twin-p-1")) == 2 && len(w.Platform.Presence("twin-new")) == 1
	})
	if old, fresh := there(w.Platform.Presence("twin-p-1")), there(w.Platform.Presence("twin-new")); fmt.Sprint(old, fresh) != "[true false] [true]" {
		t.Errorf("presence of the old one %v, of the new one %v", old, fresh)
	}
}

func TestAFullLaneHoldsBackAndASessionThatEndsIsFreed(t *testing.T) {
	w := linktest.NewWorld(t)
	l, _ := run(t, w, &far{}, func(c *link.Config) { c.Limits = link.Limits{LaneSize: 4_000, Lanes: 1} })
	done := make(chan struct{})
	s := l.Open("s-1", "p-1", 1, done)
	linktest.Eventually(t, "presence is stored", func() bool { return len(w.Platform.Presence("")) == 1 })
	w.Platform.Fail("twin-ingest", http.StatusServiceUnavailable)
	var sent atomic.Int32
	var got acks
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := range 20 {
			publish(s, "{}", got.of(fmt.Sprint(i)))
			sent.Add(1)
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	linktest.Eventually(t, "the lane is full", func() bool { return l.Stats().Waiting == 7 && sent.Load() == 7 })
	close(done)
	<-ended
	w.Platform.Fail("twin-ingest", 0)
	linktest.Eventually(t, "all are settled", func() bool { return len(got.list()) == 8 })
	if list := got.list(); list[0] != "0 true" || list[6] != "6 true" || list[7] != "7 false" {
		t.Errorf("acknowledged %v, want what was taken, and not what was held back", list)
	}
}

// MQTT wants acknowledgements in the order of the messages, also where a later one is stored first; and the device must
// not be told that something is stored while one before it is not.
func TestAcknowledgementsComeInOrder(t *testing.T) {
	w, f := linktest.NewWorld(t), &far{}
	w.Platform.Fail("twin-provision", http.StatusServiceUnavailable)
	l, _ := run(t, w, f, nil)
	s := l.Open("s-1", "p-1", 1, nil)
	var got acks
	publish(s, `{"epoch":1,"seq":1}`, got.of("first"))
	s.Confirm(got.of("confirm"))
	publish(s, `{"epoch":1,"seq":2}`, got.of("second"))
	linktest.Eventually(t, "both are stored", func() bool { return len(w.Platform.Stored("")) == 2 })
	linktest.Eventually(t, "the first is acknowledged", func() bool { return len(got.list()) == 1 })
	w.Platform.Fail("twin-provision", 0)
	linktest.Eventually(t, "all are acknowledged", func() bool { return len(got.list()) == 3 })
	if list := got.list(); !slices.Equal(list, []string{"first true", "confirm true", "second true"}) {
		t.Errorf("acknowledged %v", list)
	}
	linktest.Eventually(t, "the device is told", func() bool { return slices.Contains(f.told(), twin.Order{Epoch: 1, Seq: 2}) })
}

// A confirmation has no order: that nobody takes it says nothing of the messages around it.
func TestAConfirmationThatNobodyTakesStopsNothing(t *testing.T) {
	w, f := linktest.NewWorld(t), &far{}
	w.Platform.Fail("twin-provision", http.StatusServiceUnavailable)
	l, _ := run(t, w, f, func(c *link.Config) { c.Limits.Confirm = 100 * time.Millisecond })
	s := l.Open("s-1", "p-1", 1, nil)
	var got acks
	s.Confirm(got.of("confirm"))
	publish(s, `{"epoch":1,"seq":1}`, got.of("message"))
	linktest.Eventually(t, "the device is told of the message", func() bool { return slices.Contains(f.told(), twin.Order{Epoch: 1, Seq: 1}) })
	if list := got.list(); !slices.Equal(list, []string{"confirm false", "message true"}) {
		t.Errorf("acknowledged %v", list)
	}
}

func TestOrdersAreAssignedWhereADeviceHasNone(t *testing.T) {
	w, f := linktest.NewWorld(t), &far{}
	l, _ := run(t, w, f, nil)
	since := time.UnixMilli(1_774_087_200_000)
	plain, own := l.Open("s-1", "p-1", since.UnixMilli(), nil), l.Open("s-2", "p-2", since.UnixMilli(), nil)
	ack := func(bool) {}
	publish(plain, `[{"a":1},{"a":2}]`, ack)
	plain.Publish(telemetry.Log, "castor/p-1/log/app", []byte("text"), since, ack)
	publish(plain, `{"a":3}`, ack)
	own.Publish(telemetry.Log, "castor/p-2/log/app", []byte("text"), since, ack)
	publish(own, `{"epoch":4,"seq":7,"a":1}`, ack)
	publish(own, `{"a":2}`, ack)
	linktest.Eventually(t, "all are stored", func() bool { return len(w.Platform.Stored("")) == 7 })
	show := func(ref string) (out []string) {
		for _, m := range w.Platform.Stored(twin.ID("twin-" + ref)) {
			out = append(out, fmt.Sprint(m.Kind, " ", m.Order.Epoch, "/", m.Order.Seq, " ", m.Order.Assigned))
		}
		return out
	}
	if got := show("p-1"); !slices.Equal(got, []string{"telemetry 1774087200000/2 true", "telemetry 1774087200000/3 true", "log 1774087200000/4 true", "telemetry 1774087200000/5 true"}) {
		t.Errorf("a device without an order: %v", got)
	}
	if got := show("p-2"); !slices.Equal(got, []string{"log 1774087200000/2 true", "telemetry 4/7 false", "telemetry 1774087200000/3 true"}) {
		t.Errorf("a device that forgets its order now and then: %v", got)
	}
	linktest.Eventually(t, "the device with an order is told", func() bool { return len(f.told()) > 0 })
	if got := f.told(); got[len(got)-1] != (twin.Order{Epoch: 4, Seq: 7}) {
		t.Errorf("told %v", got)
	}
}

func TestFunctionsAreFoundThroughTheDirectory(t *testing.T) {
	w := linktest.NewWorld(t)
	w.Platform.Advertise(api.Advertisement{Kind: "function", Name: "twin-ingest-2", Capabilities: []string{"ingest"}},
		api.Advertisement{Kind: "twin", Name: "pump-7", Capabilities: []string{"ingest"}})
	l, _ := run(t, w, &far{}, func(c *link.Config) { c.Limits.Drain = 50 * time.Millisecond }) // the peer has no such function
	s := l.Open("s-1", "p-1", 1, nil)
	linktest.Eventually(t, "the function named there is called", func() bool {
		publish(s, "{}", func(bool) {})
		return w.Platform.Calls("POST twin-ingest-2/batches") > 0
	})
}

func TestWhatIsLeftWhenTheLinkStopsIsNotAcknowledged(t *testing.T) {
	w := linktest.NewWorld(t)
	l, stop := run(t, w, &far{}, func(c *link.Config) { c.Limits.Drain = 50 * time.Millisecond })
	s := l.Open("s-1", "p-1", 1, nil)
	w.Platform.Fail("twin-ingest", http.StatusServiceUnavailable)
	var got acks
	publish(s, "{}", got.of("message"))
	stop()
	if list := got.list(); !slices.Equal(list, []string{"message false"}) {
		t.Errorf("acknowledged %v", list)
	}
	publish(s, "{}", got.of("late"))
	if list := got.list(); len(list) != 2 || list[1] != "late false" {
		t.Errorf("after the end acknowledged %v", list)
	}
}

func TestAClaimThatAsksTooOftenIsHeldBack(t *testing.T) {
	w, f := linktest.NewWorld(t), &far{}
	l, _ := run(t, w, f, func(c *link.Config) { c.Limits.ClaimRate = 0.001 })
	done := make(chan struct{})
	c, other := l.OpenClaim("s-1", "claim-1", "box-1", done), l.OpenClaim("s-2", "claim-2", "box-2", nil)
	var got acks
	for range 101 {
		c.Request("pump", []byte(`{"serial":"P-7","csr":"x"}`), got.of("claim-1"))
	}
	other.Request("pump", []byte(`{"serial":"P-8","csr":"x"}`), got.of("claim-2"))
	linktest.Eventually(t, "the other claim is answered", func() bool { return slices.Contains(got.list(), "claim-2 true") })
	linktest.Eventually(t, "a burst is answered", func() bool { return len(got.list()) == 101 })
	if n := len(w.Platform.Requests()); n != 101 {
		t.Errorf("%d requests reached the function, want 100 and that of the other claim", n)
	}
	close(done)
	linktest.Eventually(t, "the one held back is given up", func() bool { return slices.Contains(got.list(), "claim-1 false") })
}
