package alerts_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/tests/functiontest"
)

// A receiver is somebody's webhook.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	calls  []call
	answer func(n int, rw http.ResponseWriter, r *http.Request) // nil = 204
}

type call struct {
	header http.Header
	body   []byte
	notice api.Notice
}

func newReceiver(t *testing.T, answer func(n int, rw http.ResponseWriter, r *http.Request)) *receiver {
	rc := &receiver{answer: answer}
	rc.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		c := call{header: r.Header, body: body}
		if err := json.Unmarshal(body, &c.notice); err != nil {
			t.Errorf("the webhook's body is not JSON: %v", err)
		}
		rc.mu.Lock()
		rc.calls = append(rc.calls, c)
		n := len(rc.calls)
		rc.mu.Unlock()
		if rc.answer != nil {
			rc.answer(n, rw, r)
			return
		}
		rw.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(rc.Close)
	return rc
}

func (rc *receiver) got() []call {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return append([]call(nil), rc.calls...)
}

// route makes a route as the administrator, and its owner if there is none.
func (w *world) route(r api.Route) api.Route {
	w.t.Helper()
	if r.Owner != "" {
		if _, err := w.Admin().CreateGroup(ctx, api.Group{ID: r.Owner}); err != nil && !errors.Is(err, api.ErrExists) {
			w.t.Fatal(err)
		}
	}
	out, err := w.Admin().CreateRoute(ctx, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// deliveries are those of an alarm, by id.
func (w *world) deliveries(alarm string) map[string]api.Delivery {
	w.t.Helper()
	page, err := w.Admin().ListDeliveries(ctx, alarm)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]api.Delivery{}
	for _, d := range page.Items {
		out[d.ID] = d
	}
	return out
}

// Each transition is told once by each route, though its event comes again and again, to two instances at the same time, and
// the schedule of both fires together.
func TestEachTransitionIsToldOnce(t *testing.T) {
	w := newWorld(t)
	rc := newReceiver(t, nil)
	w.route(api.Route{Owner: "press", Email: []string{"ada@example.com", "bob@example.com"}, Cleared: true})
	w.route(api.Route{Webhook: rc.URL, Cleared: true})

	atOnce := func(events ...event.Event) {
		var g sync.WaitGroup
		for i := range 8 {
			name := instances[i%2]
			g.Go(func() {
				if err := w.Event(name, events...); err != nil {
					t.Error(err)
				}
				if err := w.Tick(name, w.Now()); err != nil {
					t.Error(err)
				}
			})
		}
		g.Wait()
		w.run()
	}
	raised, cleared := alarm("pump-1:hot:1", true, start), alarm("pump-1:hot:1", false, start.Add(time.Minute))
	atOnce(raised, raised)
	w.pass(time.Minute)
	atOnce(cleared)
	w.pass(10 * time.Minute) // leases are over
	atOnce(raised, cleared)

	told := map[string]int{}
	for _, l := range w.mail.letters() {
		subject, err := new(mime.WordDecoder).DecodeHeader(l.Header.Get("Subject"))
		if err != nil {
			t.Fatal(err)
		}
		told[l.to[0]+" "+subject]++
	}
	for _, c := range rc.got() {
		told[fmt.Sprintf("webhook raised=%v", c.notice.Raised)]++
	}
	for _, want := range []string{"ada@example.com [critical] pump-1: cpu > 80 for 1m", "ada@example.com [cleared] pump-1: cpu > 80 for 1m",
		"bob@example.com [critical] pump-1: cpu > 80 for 1m", "bob@example.com [cleared] pump-1: cpu > 80 for 1m", "webhook raised=true", "webhook raised=false"} {
		if told[want] != 1 {
			t.Errorf("%q was told %d times, want once", want, told[want])
		}
		delete(told, want)
	}
	if len(told) > 0 {
		t.Errorf("and this was told: %v", told)
	}
}

func TestWebhookIsSigned(t *testing.T) {
	w := newWorld(t)
	rc := newReceiver(t, nil)
	r := w.route(api.Route{Webhook: rc.URL + "/hook?key=1"})
	if len(r.Secret) < 43 {
		t.Fatalf("the secret %q is too short", r.Secret)
	}
	w.hand(alarm("pump-1:hot:1", true, start))
	w.run()
	calls := rc.got()
	if len(calls) != 1 {
		t.Fatalf("%d calls, want 1", len(calls))
	}
	c := calls[0]
	stamp, v1, _ := strings.Cut(strings.TrimPrefix(c.header.Get(api.HeaderSignature), "t="), ",v1=")
	m := hmac.New(sha256.New, []byte(r.Secret))
	m.Write(append([]byte(stamp+"."), c.body...))
	if want := hex.EncodeToString(m.Sum(nil)); v1 != want || stamp != fmt.Sprint(start.Unix()) {
		t.Errorf("signature %q, want t=%d,v1=%s", c.header.Get(api.HeaderSignature), start.Unix(), want)
	}
	n := c.notice
	if n.Delivery != c.header.Get(api.HeaderDelivery) || !n.Raised || n.Alarm.ID != "pump-1:hot:1" || n.Alarm.Location.Site != "hall 3" || len(n.Alarm.Before) != 1 {
		t.Errorf("the notice is %+v", n)
	}
}

// A receiver that is down for a while gets everything, in order, when it is back; what it is told stays the same.
func TestReceiverThatRecovers(t *testing.T) {
	w := newWorld(t)
	rc := newReceiver(t, func(n int, rw http.ResponseWriter, _ *http.Request) {
		if n <= 3 {
			http.Error(rw, strings.Repeat("no", 1<<16), http.StatusInternalServerError)
		}
	})
	w.route(api.Route{Webhook: rc.URL, Cleared: true})
	w.hand(alarm("pump-1:hot:1", true, start))
	w.run()
	w.run() // too soon: nothing happens
	if n := len(rc.got()); n != 1 {
		t.Fatalf("%d calls, want 1", n)
	}
	for _, d := range w.deliveries("pump-1:hot:1") {
		if d.State != "pending" || d.Attempts != 1 || !strings.Contains(d.Reason, "500") || !d.Next.After(w.Now()) || d.Next.After(w.Now().Add(10*time.Second)) {
			t.Errorf("after the first failure: %+v", d)
		}
	}
	w.pass(time.Second)
	w.hand(alarm("pump-1:hot:1", false, w.Now()))
	w.run() // the end must not overtake the beginning
	for range 20 {
		w.pass(30 * time.Second)
		w.run()
	}
	calls := rc.got()
	if len(calls) != 5 {
		t.Fatalf("%d calls, want 3 failures and 2 messages", len(calls))
	}
	for i, c := range calls {
		if c.notice.Raised != (i < 4) {
			t.Errorf("call %d tells raised=%v", i, c.notice.Raised)
		}
		if i < 4 && string(c.body) != string(calls[0].body) {
			t.Errorf("call %d says something else than the first", i)
		}
	}
	for id, d := range w.deliveries("pump-1:hot:1") {
		if d.State != "sent" || d.Sent.IsZero() || !d.Next.IsZero() || d.Reason != "" {
			t.Errorf("%s in the end: %+v", id, d)
		}
	}
}

// After a day the platform gives up, and says so.
func TestReceiverThatStaysAway(t *testing.T) {
	w := newWorld(t)
	rc := newReceiver(t, func(_ int, rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusServiceUnavailable) })
	gone := newReceiver(t, func(_ int, rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusGone) })
	moved := newReceiver(t, nil)
	redirects := newReceiver(t, func(_ int, rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, moved.URL, http.StatusTemporaryRedirect)
	})
	for _, r := range []*receiver{rc, gone, redirects} {
		w.route(api.Route{Webhook: r.URL})
	}
	w.hand(alarm("pump-1:hot:1", true, start))
	for range 100 {
		w.run()
		w.pass(16 * time.Minute)
	}
	for id, d := range w.deliveries("pump-1:hot:1") {
		if d.State != "failed" || d.Reason == "" || !d.Next.IsZero() {
			t.Errorf("%s: %+v, want failed with the reason", id, d)
		}
	}
	if n := len(rc.got()); n < 50 || n > 100 {
		t.Errorf("the receiver was called %d times in a day", n)
	}
	if n := len(gone.got()); n != 1 {
		t.Errorf("a receiver that said it is gone was called %d times", n)
	}
	if len(moved.got()) > 0 {
		t.Error("a redirect was followed")
	}
}

// One that takes the call and never answers costs its own messages time, nobody else's.
func TestReceiverThatHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := make(chan struct{})
	hangs := newReceiver(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	works := newReceiver(t, nil)
	w.route(api.Route{Webhook: hangs.URL})
	w.route(api.Route{Webhook: works.URL})
	for i := range 5 {
		w.hand(alarm(fmt.Sprintf("pump-1:hot:%d", i), true, start))
	}
	begin := time.Now()
	done := make(chan error, 1)
	go func() { done <- w.Tick("alerts", w.Now()) }()
	functiontest.Eventually(t, "the others are told meanwhile", func() bool { return len(works.got()) == 5 })
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("the others waited %s", d)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begin); d > 15*time.Second {
		t.Errorf("the run took %s", d)
	}
	if n := len(hangs.got()); n != 1 {
		t.Errorf("the receiver that hangs was called %d times in one run, want 1", n)
	}
	failures := 0
	for i := range 5 {
		for _, d := range w.deliveries(fmt.Sprintf("pump-1:hot:%d", i)) {
			failures += d.Attempts
			if d.State == "pending" && d.Attempts == 1 && d.Reason == "" {
				t.Error("the failure has no reason")
			}
		}
	}
	if failures != 6 {
		t.Errorf("%d attempts are recorded, want 5 that worked and 1 that did not", failures)
	}
}

// What was kept but not told of, because the instance died in between, is told by the sweep.
func TestSweepTellsWhatACrashLeft(t *testing.T) {
	w := newWorld(t)
	w.hand(alarm("pump-1:hot:1", true, start)) // nobody is told: there is no route yet
	w.route(api.Route{Email: []string{"ada@example.com"}})
	w.forgetTold("pump-1:hot:1")
	watchdog := w.Part("twin-watchdog", "")
	if s, err := watchdog.Sweep(ctx, "alerts"); err != nil || s.Repaired != 0 {
		t.Errorf("what is just being done counts as left: %v, %v", s, err)
	}
	w.pass(10 * time.Second)
	for _, want := range []int{1, 0} {
		if s, err := watchdog.Sweep(ctx, "alerts"); err != nil || s.Repaired != want {
			t.Errorf("the sweep repaired %v, %v, want %d", s, err, want)
		}
	}
	w.run()
	if n := len(w.mail.letters()); n != 1 {
		t.Errorf("%d letters, want 1", n)
	}
}

// An event that comes again tells nobody who was not to be told when it came first.
func TestRouteMadeSince(t *testing.T) {
	w := newWorld(t)
	raised := alarm("pump-1:hot:1", true, start)
	w.hand(raised)
	w.route(api.Route{Email: []string{"ada@example.com"}, Cleared: true})
	w.hand(raised)
	w.run()
	if n := len(w.mail.letters()); n != 0 {
		t.Errorf("%d letters about an alarm older than the route, want none", n)
	}
}

// A lease whose holder died ends, and another instance sends.
func TestLeaseEnds(t *testing.T) {
	w := newWorld(t)
	w.route(api.Route{Email: []string{"ada@example.com"}})
	w.hand(alarm("pump-1:hot:1", true, start))
	w.lease("pump-1:hot:1", start.Add(time.Minute))
	w.pass(59 * time.Second)
	w.run()
	if n := len(w.mail.letters()); n > 0 {
		t.Fatal("a delivery that another instance holds was sent")
	}
	w.pass(time.Second)
	w.run()
	if n := len(w.mail.letters()); n != 1 {
		t.Errorf("%d letters after the lease, want 1", n)
	}
}

func TestPrivateAddressesAreNotCalled(t *testing.T) {
	w := newWorld(t, func(b *platform.Base) { b.AllowPrivateWebhooks = false })
	rc := newReceiver(t, nil)
	_, port, _ := net.SplitHostPort(rc.Listener.Addr().String())
	w.route(api.Route{Webhook: "http://localhost:" + port}) // a name: where it leads shows when it is dialled
	w.hand(alarm("pump-1:hot:1", true, start))
	w.run()
	if len(rc.got()) > 0 {
		t.Fatal("a webhook reached a loopback address")
	}
	for _, d := range w.deliveries("pump-1:hot:1") {
		if d.State != "pending" || !strings.Contains(d.Reason, "private") {
			t.Errorf("the delivery is %+v", d)
		}
	}
}
