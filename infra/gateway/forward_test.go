package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/gateway"
)

// replica is a process of a function: it counts calls and answers with what it was sent.
type replica struct {
	*httptest.Server
	calls atomic.Int64
}

func start(t *testing.T, h http.HandlerFunc) *replica {
	t.Helper()
	r := &replica{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.calls.Add(1)
		if h != nil {
			h(w, req)
			return
		}
		_, _ = io.WriteString(w, "ok")
	}))
	t.Cleanup(r.Close)
	return r
}

// hangUp breaks the connection in the middle of a call.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = c.Close()
	}
}

// unused is the URL of a port that nobody listens on.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// upstreams is a gateway with one function, "f", on these replicas.
func upstreams(urls ...string) gateway.Config {
	c := config()
	c.Functions = []gateway.Function{{Name: "f", Upstreams: urls}}
	return c
}

func open(t *testing.T, c gateway.Config) (*gateway.Gateway, string) {
	t.Helper()
	g := gateway.New(c)
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	return g, s.URL
}

func TestAPathReachesAReplicaAsItWasSent(t *testing.T) {
	r := start(t, func(w http.ResponseWriter, req *http.Request) { _, _ = io.WriteString(w, req.RequestURI) })
	based := start(t, func(w http.ResponseWriter, req *http.Request) { _, _ = io.WriteString(w, req.RequestURI) })
	_, url := open(t, func() gateway.Config {
		c := upstreams(r.URL)
		c.Functions = append(c.Functions, gateway.Function{Name: "based", Upstreams: []string{based.URL + "/function/a%2Fb/"}})
		return c
	}())
	for name, test := range map[string]struct{ path, want string }{
		"nothing below":               {"/function/f", "/"},
		"a slash":                     {"/function/f/", "/"},
		"words and a query":           {"/function/f/a/b?x=1&y=%20;z", "/a/b?x=1&y=%20;z"},
		"an encoded slash":            {"/function/f/a%2Fb/c%2f", "/a%2Fb/c%2f"},
		"double slashes":              {"/function/f//a///b//", "//a///b//"},
		"a host where a path is":      {"/function/f//evil.example/x", "//evil.example/x"},
		"an encoded NUL":              {"/function/f/a%00b", "/a%00b"},
		"an encoded percent":          {"/function/f/100%25/%252e%252e", "/100%25/%252e%252e"},
		"characters that need not be": {"/function/f/a%41%2D~!$&'()*+,;=:@", "/a%41%2D~!$&'()*+,;=:@"},
		"what looks like a query":     {"/function/f/a%3Fb%23c", "/a%3Fb%23c"},
		"dots in a word":              {"/function/f/..a/b../...", "/..a/b../..."},
		"an empty query":              {"/function/f/a?", "/a"},
		"below an upstream's path":    {"/function/based/c%2Fd?q", "/function/a%2Fb/c%2Fd?q"},
		"UTF-8":                       {"/function/f/%C3%A4", "/%C3%A4"},
		"what is no UTF-8":            {"/function/f/%ff", "/%ff"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := raw(t, url, "GET "+test.path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			if status != 200 || body != test.want {
				t.Errorf("%d %q, want %q", status, body, test.want)
			}
		})
	}
	for name, path := range map[string]string{
		"a walk upwards": "/function/f/a/../b", "an encoded one": "/function/f/%2E%2e/b", "a raw NUL": "/function/f/a\x00b",
		"a bad escape": "/function/f/%zz", "a cut escape": "/function/f/%2",
	} {
		if status, body := raw(t, url, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); status != 400 {
			t.Errorf("%s: %d %s, want 400", name, status, body)
		}
	}
}

// raw sends bytes that no client library would, and returns the answer's status and body.
func raw(t *testing.T, url, request string) (int, string) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), nil)
	if err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestHeadersOnTheWayToAReplica(t *testing.T) {
	r := start(t, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Connection", "X-Private")
		w.Header().Set("X-Private", "for the gateway alone")
		w.Header().Set("Keep-Alive", "timeout=5")
		w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
		w.Header().Set("Etag", `"7"`)
		w.WriteHeader(207)
		_ = json.NewEncoder(w).Encode(map[string]any{"header": req.Header, "host": req.Host, "length": req.ContentLength, "encoding": req.TransferEncoding})
	})
	_, url := open(t, upstreams(r.URL))
	response, body := send(t, "POST", url+"/function/f/x", "hello", "X-Castor-Path", "/forged", "X-Forwarded-For", "6.6.6.6", "X-Forwarded-Proto", "https",
		"Forwarded", "for=6.6.6.6", "Connection", "X-Hop, X-Call-Id", "X-Hop", "1", "Te", "trailers", "Upgrade", "h2c", "Proxy-Authorization", "Basic x",
		"Authorization", "Bearer t", "If-Match", `"6"`, "X-Call-Id", "chain-1", "User-Agent", "")
	got := as[struct {
		Header   http.Header
		Host     string
		Length   int64
		Encoding []string
	}](t, body)
	for _, name := range []string{"X-Castor-Path", "Forwarded", "X-Hop", "Te", "Upgrade", "Proxy-Authorization", "Connection", "User-Agent"} {
		if v, ok := got.Header[name]; ok {
			t.Errorf("%s reached the function: %q", name, v)
		}
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer t", "If-Match": `"6"`, "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http",
		"X-Forwarded-Host": strings.TrimPrefix(url, "http://"),
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
		}
	}
	if got.Host != strings.TrimPrefix(r.URL, "http://") || got.Length != 5 || len(got.Encoding) != 0 {
		t.Errorf("host %q, %d bytes, encoding %v", got.Host, got.Length, got.Encoding)
	}
	// "Connection: X-Call-Id" took the caller's id away; there is always one.
	if id := got.Header.Get("X-Call-Id"); id == "" || id == "chain-1" || response.Header.Get("X-Call-Id") != id || !strings.Contains(got.Header.Get("Traceparent"), id) {
		t.Errorf("call id %q, traceparent %q, answered %q", id, got.Header.Get("Traceparent"), response.Header.Get("X-Call-Id"))
	}
	if response.StatusCode != 207 || len(response.Header.Values("Set-Cookie")) != 2 || response.Header.Get("Etag") != `"7"` ||
		response.Header.Get("X-Private") != "" || response.Header.Get("Keep-Alive") != "" {
		t.Errorf("answered %d with %v", response.StatusCode, response.Header)
	}
}

func TestATraceIsKeptOrMade(t *testing.T) {
	r := start(t, func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.WriteString(w, req.Header.Get("Traceparent")+" "+req.Header.Get("Tracestate"))
	})
	_, url := open(t, upstreams(r.URL))
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if _, got := send(t, "GET", url+"/function/f", "", "Traceparent", good, "Tracestate", "a=1"); got != good+" a=1" {
		t.Errorf("a trace became %q", got)
	}
	made := regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-01 $`)
	for _, bad := range []string{"", "x", "ff" + good[2:], "00-00000000000000000000000000000000-b7ad6b7169203331-01", strings.ToUpper(good)} {
		if _, got := send(t, "GET", url+"/function/f", "", "Traceparent", bad, "Tracestate", "a=1"); !made.MatchString(got) || strings.Contains(got, "0000000000000000") {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

func TestACallGoesToAReplicaThatTakesIt(t *testing.T) {
	a, b := start(t, nil), start(t, nil)
	_, url := open(t, upstreams(a.URL, unused(t), b.URL, a.URL))
	for range 40 {
		if response, body := send(t, "POST", url+"/function/f", "x"); response.StatusCode != 200 {
			t.Fatalf("%d %s", response.StatusCode, body)
		}
	}
	if a.calls.Load()+b.calls.Load() != 40 || a.calls.Load() < 5 || b.calls.Load() < 5 {
		t.Errorf("%d and %d calls, want 40 on both", a.calls.Load(), b.calls.Load())
	}
	a.Close() // its idle connections break too
	for range 20 {
		if response, body := send(t, "POST", url+"/function/f", "x"); response.StatusCode != 200 {
			t.Fatalf("after a replica has gone: %d %s", response.StatusCode, body)
		}
	}
}

func TestACallThatBreaksIsNotMadeAgain(t *testing.T) {
	a, b := start(t, hangUp), start(t, hangUp)
	_, url := open(t, upstreams(a.URL, b.URL))
	response, body := send(t, "POST", url+"/function/f", "x")
	if response.StatusCode != 502 || response.Header.Get("Retry-After") == "" || response.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v %s", response.StatusCode, response.Header, body)
	}
	if n := a.calls.Load() + b.calls.Load(); n != 1 {
		t.Errorf("the call was made %d times", n)
	}
	cut := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "the beginning")
	})
	_, url = open(t, upstreams(cut.URL))
	if response, body := send(t, "GET", url+"/function/f", ""); response.StatusCode != 502 || strings.Contains(body, "the beginning") {
		t.Errorf("an answer that ends early: %d %s", response.StatusCode, body)
	}
}

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

func TestLargeBodiesGoThrough(t *testing.T) {
	r := start(t, func(w http.ResponseWriter, req *http.Request) { _, _ = io.Copy(w, req.Body) })
	huge := start(t, func(w http.ResponseWriter, req *http.Request) {
		block := make([]byte, 1<<20)
		for range 65 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	c := upstreams(r.URL)
	c.Timeout = time.Minute
	c.Functions = append(c.Functions, gateway.Function{Name: "huge", Upstreams: []string{huge.URL}})
	_, url := open(t, c)
	big := strings.Repeat("0123456789abcdef", 2<<20)
	if response, body := send(t, "POST", url+"/function/f", big); response.StatusCode != 200 || body != big {
		t.Errorf("32 MiB: %d with %d bytes", response.StatusCode, len(body))
	}
	before := r.calls.Load()
	response, err := http.Post(url+"/function/f", "", io.MultiReader(strings.NewReader(big), strings.NewReader("x")))
	if err == nil {
		_ = response.Body.Close()
		if response.StatusCode != 413 {
			t.Errorf("one byte more: %d", response.StatusCode)
		}
	}
	if r.calls.Load() != before {
		t.Error("a body that is too large reached the function")
	}
	if response, _ := send(t, "GET", url+"/function/huge", ""); response.StatusCode != 502 {
		t.Errorf("an answer of 65 MiB: %d", response.StatusCode)
	}
}

// Methods that are not for functions never reach one.
func TestMethods(t *testing.T) {
	r := start(t, nil)
	_, url := open(t, upstreams(r.URL))
	want := map[string]int{"GET": 200, "HEAD": 200, "OPTIONS": 200, "DELETE": 200, "PROPFIND": 200, "TRACE": 405, "CONNECT": 405}
	for _, method := range slices.Sorted(maps.Keys(want)) {
		if status, _ := raw(t, url, method+" /function/f HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); status != want[method] {
			t.Errorf("%s: %d, want %d", method, status, want[method])
		}
	}
}

// A test or a mesh can put its own carrier between gateway and functions. What it says of the call counts.
func TestATransportOfOnesOwn(t *testing.T) {
	r := start(t, nil)
	c := upstreams(r.URL, unused(t))
	var fail atomic.Pointer[error]
	var sent atomic.Int64
	c.Transport = roundTripper(func(req *http.Request) (*http.Response, error) {
		sent.Add(1)
		if err := fail.Load(); err != nil {
			return nil, *err
		}
		return http.DefaultTransport.RoundTrip(req)
	})
	_, url := open(t, c)
	if response, _ := send(t, "GET", url+"/function/f", ""); response.StatusCode != 200 {
		t.Errorf("status %d", response.StatusCode)
	}
	for _, test := range []struct {
		err         error
		status, try int
	}{
		{errors.New("killed after its commit"), 502, 1},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, 502, 1},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, 503, 2},
	} {
		fail.Store(&test.err)
		sent.Store(0)
		if response, _ := send(t, "POST", url+"/function/f", ""); response.StatusCode != test.status || sent.Load() != int64(test.try) {
			t.Errorf("%v: %d after %d tries, want %d after %d", test.err, response.StatusCode, sent.Load(), test.status, test.try)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
