package gateway_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/gateway"
)

func TestNoReplica(t *testing.T) {
	for name, urls := range map[string][]string{
		"none given": nil, "all refuse": {unused(t), unused(t)}, "a name of nobody": {"http://castor.invalid:8080"},
		"what is no URL": {"twins:8080"},
	} {
		t.Run(name, func(t *testing.T) {
			c := upstreams(urls...)
			c.Timeout = patience
			c.Resolve = func(context.Context, string) ([]netip.Addr, error) {
				return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
			}
			_, url := open(t, c)
			response, body := send(t, "POST", url+"/function/f", "x")
			if response.StatusCode != 503 || response.Header.Get("Retry-After") == "" || !strings.Contains(body, "function f") {
				t.Errorf("%d %v %s", response.StatusCode, response.Header, body)
			}
		})
	}
}

// A replica that comes back is used at once, though it was left out a moment ago.
func TestAReplicaComesBack(t *testing.T) {
	address := strings.TrimPrefix(unused(t), "http://")
	_, url := open(t, upstreams("http://"+address))
	for range 5 {
		if response, _ := send(t, "GET", url+"/function/f", ""); response.StatusCode != 503 {
			t.Fatalf("status %d of nobody", response.StatusCode)
		}
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "back") })}}
	s.Start()
	t.Cleanup(s.Close)
	if response, body := send(t, "GET", url+"/function/f", ""); response.StatusCode != 200 || body != "back" {
		t.Errorf("%d %s", response.StatusCode, body)
	}
}

// One replica that hangs holds the calls it has; the others go on.
func TestASlowReplicaGetsFewCalls(t *testing.T) {
	release := make(chan struct{})
	slow := start(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	quick := start(t, nil)
	c := upstreams(slow.URL, quick.URL)
	c.Timeout = 500 * time.Millisecond
	_, url := open(t, c)
	statuses := map[int]int{}
	results := make(chan int)
	for range 20 {
		go func() {
			response, err := http.Get(url + "/function/f")
			if err != nil {
				results <- 0
				return
			}
			_ = response.Body.Close()
			results <- response.StatusCode
		}()
	}
	for range 20 {
		statuses[<-results]++
	}
	if statuses[504] == 0 && slow.calls.Load() > 0 || statuses[200]+statuses[504] != 20 || quick.calls.Load() < 10 {
		t.Errorf("statuses %v, %d calls on the quick one", statuses, quick.calls.Load())
	}
}

func TestReplicasJoinAndLeave(t *testing.T) {
	a, b := start(t, nil), start(t, nil)
	g, url := open(t, upstreams(a.URL))
	set := func(urls ...string) {
		t.Helper()
		if err := g.SetFunctions([]gateway.Function{{Name: "f", Upstreams: urls, Annotations: map[string]string{"topic": "x"}}}); err != nil {
			t.Fatal(err)
		}
	}
	send(t, "GET", url+"/function/f", "")
	set(b.URL)
	send(t, "GET", url+"/function/f", "")
	if a.calls.Load() != 1 || b.calls.Load() != 1 {
		t.Errorf("%d and %d calls, want one each", a.calls.Load(), b.calls.Load())
	}
	set(a.URL, b.URL)
	_, body := send(t, "GET", url+"/system/function/f", "", "Authorization", admin)
	f := as[struct {
		Replicas, AvailableReplicas, InvocationCount float64
		Annotations                                  map[string]string
	}](t, body)
	if f.Replicas != 2 || f.AvailableReplicas != 2 || f.InvocationCount != 2 || f.Annotations["topic"] != "x" {
		t.Errorf("described as %s", body)
	}
	if err := g.SetFunctions([]gateway.Function{{Name: "g", Upstreams: []string{"ftp://x"}}}); err == nil || !strings.Contains(err.Error(), "function g") {
		t.Errorf("an upstream that is none: %v", err)
	}
	if response, _ := send(t, "GET", url+"/function/f", ""); response.StatusCode != 404 {
		t.Errorf("a function that was taken away: %d", response.StatusCode)
	}
}

// A host name with two addresses is two replicas; when it gets others, those are called.
func TestANameIsAllItsAddresses(t *testing.T) {
	var seen [4]atomic.Int64
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addr := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr).IP.To4()
		seen[addr[3]].Add(1)
		_, _ = io.WriteString(w, r.Host)
	})}}
	s.Start()
	t.Cleanup(s.Close)
	_, port, _ := net.SplitHostPort(l.Addr().String())

	var addresses atomic.Pointer[[]netip.Addr]
	give := func(list ...string) {
		var a []netip.Addr
		for _, s := range list {
			a = append(a, netip.MustParseAddr(s))
		}
		addresses.Store(&a)
	}
	give("127.0.0.1", "::ffff:127.0.0.2", "127.0.0.1")
	var now atomic.Int64
	c := upstreams("http://twins:" + port)
	c.Timeout = patience
	c.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	c.Resolve = func(_ context.Context, host string) ([]netip.Addr, error) {
		if host != "twins" {
			return nil, errors.New("asked for " + host)
		}
		return *addresses.Load(), nil
	}
	_, url := open(t, c)
	for range 40 {
		if _, body := send(t, "GET", url+"/function/f", ""); body != "twins:"+port {
			t.Fatalf("the replica is called %q", body)
		}
	}
	if seen[1].Load() < 5 || seen[2].Load() < 5 {
		t.Errorf("%d and %d calls", seen[1].Load(), seen[2].Load())
	}
	_, body := send(t, "GET", url+"/system/function/f", "", "Authorization", admin)
	if f := as[struct{ Replicas int }](t, body); f.Replicas != 2 {
		t.Errorf("%d replicas, want 2", f.Replicas)
	}
	give("127.0.0.3")
	now.Add(60)
	deadline := time.Now().Add(patience)
	for seen[3].Load() == 0 {
		if time.Now().After(deadline) {
			t.Fatal("the new address is not called")
		}
		send(t, "GET", url+"/function/f", "")
	}
}

// When the only address of a name is dead, the call goes to the one that the name has got in its place.
func TestANameThatMoved(t *testing.T) {
	r := start(t, nil)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(r.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	c := upstreams("http://twins:" + port)
	c.Timeout = patience
	c.Resolve = func(context.Context, string) ([]netip.Addr, error) {
		if asked.Add(1) == 1 {
			return []netip.Addr{netip.MustParseAddr("127.0.0.9")}, nil // nobody listens there
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	_, url := open(t, c)
	if response, body := send(t, "POST", url+"/function/f", "x"); response.StatusCode != 200 {
		t.Errorf("%d %s", response.StatusCode, body)
	}
}

// A name server that does not answer keeps no list back.
func TestAListDoesNotWaitForNames(t *testing.T) {
	c := upstreams("http://twins:8080")
	block := make(chan struct{})
	c.Resolve = func(context.Context, string) ([]netip.Addr, error) { <-block; return nil, errors.New("no answer") }
	_, url := open(t, c)
	if response, body := send(t, "GET", url+"/system/functions", "", "Authorization", admin); response.StatusCode != 200 || !strings.Contains(body, `"f"`) {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	if response, _ := send(t, "GET", url+"/function/f", ""); response.StatusCode != 503 { // after the time that a call has
		t.Errorf("a call: %d", response.StatusCode)
	}
	close(block)
}
