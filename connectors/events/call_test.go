package events_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/events"
	"github.com/castor-iot/castor/shared/bus"
)

type report struct {
	header http.Header
	body   string
}

// callbacks is a server that takes results, after it has refused the first fail of them.
func callbacks(t *testing.T, fail int64) (url string, reports chan report) {
	t.Helper()
	reports = make(chan report, 10)
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) <= fail {
			w.WriteHeader(503)
			return
		}
		body, _ := io.ReadAll(r.Body)
		reports <- report{r.Header, string(body)}
	}))
	t.Cleanup(s.Close)
	return s.URL, reports
}

func (w *world) callLater(path, callback string) (id string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), "PUT", w.url+"/async-function/"+path, strings.NewReader("body"))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("X-Callback-Url", callback)
	r.Header.Set("Authorization", "Bearer of the caller")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 202 {
		w.t.Fatalf("status %d", response.StatusCode)
	}
	return response.Header.Get("X-Call-Id")
}

func wait(t *testing.T, reports chan report) report {
	t.Helper()
	select {
	case r := <-reports:
		return r
	case <-time.After(patience):
		t.Fatal("no callback came")
		return report{}
	}
}

func TestAQueuedCallIsMadeAndItsResultSent(t *testing.T) {
	var f recorder
	w := newWorld(t, f.as("f"))
	w.run()
	url, reports := callbacks(t, 1)
	id := w.callLater("f/pump-7/x?a=1", url)
	got := wait(t, reports)
	if got.header.Get("X-Call-Id") != id || got.header.Get("X-Function-Status") != "200" || got.header.Get("X-Function-Name") != "f" ||
		got.header.Get("Content-Type") != "application/json" || got.body != `{"done":true}` {
		t.Errorf("reported %v %s", got.header, got.body)
	}
	r := f.all()[0]
	if r.Method != "PUT" || r.Header.Get("X-Castor-Path") != "/pump-7/x" || r.QueryString != "a=1" || string(r.Body) != "body" || r.Header.Get("X-Call-Id") != id {
		t.Errorf("called by %s %s?%s with %v", r.Method, r.Header.Get("X-Castor-Path"), r.QueryString, r.Header)
	}
	// Who calls asynchronously acts in the own name, never in the connector's.
	if got := r.Header.Get("Authorization"); got != "Bearer of the caller" {
		t.Errorf("called with authorization %q", got)
	}
}

func TestACallThatIsRefusedEnds(t *testing.T) {
	f := recorder{next: func(int) int { return 422 }}
	w := newWorld(t, f.as("f"))
	c, _ := w.run()
	url, reports := callbacks(t, 0)
	w.callLater("f", url)
	if got := wait(t, reports); got.header.Get("X-Function-Status") != "422" {
		t.Errorf("reported %v", got.header)
	}
	if n := len(f.all()); n != 1 || c.Stats().CallsRetried != 0 {
		t.Errorf("called %d times, want once", n)
	}
}

func TestACallThatFailsIsMadeAgain(t *testing.T) {
	f := recorder{next: func(n int) int {
		if n == 1 {
			return 500
		}
		return 201
	}}
	w := newWorld(t, f.as("f"))
	c, _ := w.run()
	url, reports := callbacks(t, 0)
	w.callLater("f", url)
	if got := wait(t, reports); got.header.Get("X-Function-Status") != "201" {
		t.Errorf("reported %v", got.header)
	}
	if n := len(f.all()); n != 2 || c.Stats().CallsRetried != 1 {
		t.Errorf("called %d times and %d retries counted, want two and one", n, c.Stats().CallsRetried)
	}
}

// Anybody who reaches the gateway can name a callback: it must not reach what only we can reach.
func TestCallbacksReachPublicAddressesOnly(t *testing.T) {
	var f recorder
	w := newWorld(t, f.as("f"))
	c, _ := w.run(func(c *events.Config) { c.PrivateCallbacks = false })
	url, reports := callbacks(t, 0)
	w.callLater("f", url)
	w.callLater("f", strings.Replace(url, "127.0.0.1", "localhost", 1))
	eventually(t, "both are given up", func() bool { return c.Stats().CallbacksFailed == 2 })
	if len(f.all()) != 2 || len(reports) != 0 {
		t.Errorf("%d calls made and %d results came through, want two and none", len(f.all()), len(reports))
	}
}

// Who names a callback that never answers holds up neither calls nor others' results, however many of them there are.
func TestACallbackThatDoesNotAnswerHoldsUpItsHostOnly(t *testing.T) {
	var f recorder
	hold := make(chan struct{})
	var now, most, all atomic.Int64
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		all.Add(1)
		for n := now.Add(1); n > most.Load(); {
			most.Store(n)
		}
		defer now.Add(-1)
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	w := newWorld(t, f.as("f"))
	c, stop := w.run()
	released := sync.OnceFunc(func() { close(hold) })
	t.Cleanup(released)
	const calls, waiting = 520, 512
	for range calls {
		w.callLater("f", strings.Replace(slow.URL, "127.0.0.1", "localhost", 1))
	}
	eventually(t, "all calls are made", func() bool { return c.Stats().Calls == calls })
	url, reports := callbacks(t, 0)
	w.callLater("f", url)
	wait(t, reports)
	if n := most.Load(); n != 2 {
		t.Errorf("%d results were sent to one host at a time, want 2", n)
	}
	if n := c.Stats().CallbacksFailed; n != calls-waiting {
		t.Errorf("%d results were given up, want %d", n, calls-waiting)
	}
	released()
	stop()
	if n := c.Stats().Callbacks; n != waiting+1 || len(f.all()) != calls+1 {
		t.Errorf("%d results delivered of %d calls, want %d of %d", n, len(f.all()), waiting+1, calls+1)
	}
}

// What a callback does not take while the connector stops is given up after its grace.
func TestAStoppingConnectorDoesNotWaitForCallbacks(t *testing.T) {
	var f recorder
	hold, got := make(chan struct{}), make(chan struct{}, 10)
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got <- struct{}{}; <-hold }))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(hold) })
	w := newWorld(t, f.as("f"))
	c, stop := w.run(func(c *events.Config) { c.Grace = 50 * time.Millisecond })
	for range 5 {
		w.callLater("f", slow.URL)
	}
	<-got
	eventually(t, "all calls are made", func() bool { return c.Stats().Calls == 5 })
	began := time.Now()
	stop()
	if took := time.Since(began); took > 10*time.Second || c.Stats().CallbacksFailed != 5 {
		t.Errorf("stopped after %s with %+v", took, c.Stats())
	}
}

// A connector that stops lets a call end that is under way, and does not have it made again by another.
func TestACallUnderWayEndsWhenTheConnectorStops(t *testing.T) {
	calling, hold := make(chan struct{}, 10), make(chan struct{})
	f := recorder{next: func(int) int { calling <- struct{}{}; <-hold; return 200 }}
	w := newWorld(t, f.as("f"))
	c, stop := w.run()
	url, reports := callbacks(t, 0)
	w.callLater("f", url)
	<-calling
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	w.run() // the other replica would have it after the first had broken it off
	select {
	case <-stopped:
		t.Error("the connector stopped before its call had ended")
	case <-time.After(300 * time.Millisecond):
	}
	close(hold)
	if got := wait(t, reports); got.header.Get("X-Function-Status") != "200" {
		t.Errorf("reported %v", got.header)
	}
	<-stopped
	if n := len(f.all()); n != 1 || c.Stats().Calls != 1 {
		t.Errorf("called %d times, %+v, want once", n, c.Stats())
	}
}

// What does not end in its grace is broken off, and another replica makes the call.
func TestACallThatDoesNotEndIsMadeByAnother(t *testing.T) {
	calling, hold := make(chan struct{}, 10), make(chan struct{})
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/function/f" && n.Add(1) == 1 {
			calling <- struct{}{}
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(hold) })
	w := newWorld(t)
	_, stop := w.run(func(c *events.Config) { c.Gateway, c.Grace = s.URL, 50*time.Millisecond })
	if err := w.bus.Enqueue(t.Context(), bus.Call{ID: "c-1", Function: "f", Method: "POST", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	<-calling
	stop()
	w.run(func(c *events.Config) { c.Gateway = s.URL })
	eventually(t, "the call is made again", func() bool { return n.Load() > 1 })
}
