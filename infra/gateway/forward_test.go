package gateway_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
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
		// A method that changes nothing: a call on a connection that is just breaking is made again.
		if response, body := send(t, "GET", url+"/function/f", ""); response.StatusCode != 200 {
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

// A caller who hangs up is told so, if he still listens, and not that the function was too slow.
func TestACallerWhoHangsUp(t *testing.T) {
	entered := make(chan struct{})
	f := start(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	c, err := net.Dial("tcp", served(t, upstreams(f.URL)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /function/f HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("%d, want 400", response.StatusCode)
	}
}
