package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/gateway"
	handler "github.com/openfaas/templates-sdk/go-http"
)

const patience = 10 * time.Second

// echo answers with what it was given.
func echo(r handler.Request) (handler.Response, error) {
	body, err := json.Marshal(map[string]any{
		"method": r.Method, "path": r.Header.Get("X-Castor-Path"), "query": r.QueryString, "body": string(r.Body),
		"from": r.Header.Get("X-Forwarded-For"), "call": r.Header.Get("X-Call-Id"), "connection": r.Header.Get("Connection"),
		"own": r.Header.Get("X-Own"), "host": r.Host,
	})
	return handler.Response{Body: body, StatusCode: 201, Header: http.Header{"Content-Type": {"application/json"}, "Set-Cookie": {"a=1", "b=2"}}}, err
}

func config() gateway.Config {
	return gateway.Config{
		Functions: []gateway.Function{
			{Name: "echo", Image: "castor/echo:1", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"topic": "alarm.raised"}, Invoke: echo},
			{Name: "broken", Invoke: func(handler.Request) (handler.Response, error) {
				return handler.Response{}, errors.New("the secret is 42")
			}},
			{Name: "panics", Invoke: func(handler.Request) (handler.Response, error) { panic("the secret is 42") }},
			{Name: "silent", Invoke: func(handler.Request) (handler.Response, error) { return handler.Response{}, nil }},
			{Name: "odd", Invoke: func(handler.Request) (handler.Response, error) { return handler.Response{StatusCode: 99}, nil }},
			{Name: "slow", Invoke: func(r handler.Request) (handler.Response, error) {
				<-r.Context().Done()
				return handler.Response{}, r.Context().Err()
			}},
		},
		Authenticate: func(_ context.Context, user, password string) bool { return user == "admin" && password == "right" },
		Log:          slog.New(slog.NewTextHandler(io.Discard, nil)),
		Release:      "1.2.3",
		Timeout:      200 * time.Millisecond,
	}
}

func serve(t *testing.T, c gateway.Config) string {
	t.Helper()
	s := httptest.NewServer(gateway.New(c))
	t.Cleanup(s.Close)
	return s.URL
}

func send(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(data)
}

func TestAFunctionGetsTheCallAndAnswersIt(t *testing.T) {
	url := serve(t, config())
	response, body := send(t, "PATCH", url+"/function/echo/pump-7/de%2Fsired?a=1&b=%20", "hello",
		"X-Castor-Path", "/forged", "X-Forwarded-For", "6.6.6.6", "X-Call-Id", "chain-1", "Connection", "X-Own, X-Call-Id, X-Forwarded-For", "X-Own", "x")
	var got map[string]string
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"method": "PATCH", "path": "/pump-7/de%2Fsired", "query": "a=1&b=%20", "body": "hello", "from": "127.0.0.1",
		"connection": "", "own": "", "host": strings.TrimPrefix(url, "http://"),
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if response.StatusCode != 201 || response.Header.Get("Content-Type") != "application/json" || len(response.Header.Values("Set-Cookie")) != 2 {
		t.Errorf("answered %d with %v", response.StatusCode, response.Header)
	}
	if got["call"] == "" || response.Header.Get("X-Call-Id") != got["call"] {
		t.Errorf("call id %q inside and %q outside", got["call"], response.Header.Get("X-Call-Id"))
	}
}

func TestACallIDIsKeptIfItIsOne(t *testing.T) {
	url := serve(t, config())
	for given, kept := range map[string]bool{"chain-1": true, "": false, "a b": false, strings.Repeat("x", 65): false, "a\"b": false} {
		response, _ := send(t, "GET", url+"/function/echo", "", "X-Call-Id", given)
		got := response.Header.Get("X-Call-Id")
		if (got == given) != kept || got == "" {
			t.Errorf("id %q became %q", given, got)
		}
	}
}

func TestWhatIsAnsweredWhenAFunctionDoesNot(t *testing.T) {
	url := serve(t, config())
	for name, test := range map[string]struct {
		path string
		want int
	}{
		"a function that is not there":        {"/function/none/x", 404},
		"no function at all":                  {"/function/", 404},
		"a path of nobody":                    {"/favicon.ico", 404},
		"a path that walks upwards":           {"/function/echo/a/../../users", 400},
		"one that hides it":                   {"/function/echo/%2e%2e/users", 400},
		"an error":                            {"/function/broken", 500},
		"a panic":                             {"/function/panics", 500},
		"a status that is none":               {"/function/odd", 500},
		"a function that takes too long":      {"/function/slow", 504},
		"a function that says nothing":        {"/function/silent", 200},
		"a function named with its namespace": {"/function/silent.openfaas-fn", 200},
		"a name of another namespace":         {"/function/silent.other", 404},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequest("GET", url, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.URL.Opaque = test.path // the client would clean it
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != test.want || bytes.Contains(body, []byte("42")) {
				t.Errorf("%d %s, want %d", response.StatusCode, body, test.want)
			}
			if test.want >= 400 && name != "a status that is none" && response.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("content type %q", response.Header.Get("Content-Type"))
			}
		})
	}
}

func TestBodiesAreBounded(t *testing.T) {
	url := serve(t, config())
	big := strings.Repeat("x", 32<<20)
	if response, _ := send(t, "POST", url+"/function/silent", big); response.StatusCode != 200 {
		t.Errorf("32 MiB: %d, want 200", response.StatusCode)
	}
	for name, body := range map[string]io.Reader{
		"with a length":    strings.NewReader(big + "x"),
		"without a length": io.MultiReader(strings.NewReader(big), strings.NewReader("x")),
	} {
		response, err := http.Post(url+"/function/silent", "", body)
		if err != nil {
			continue // the gateway stopped reading before the client had sent all
		}
		_ = response.Body.Close()
		if response.StatusCode != 413 {
			t.Errorf("one byte more %s: %d, want 413", name, response.StatusCode)
		}
	}
}

func TestHealthNeedsNoPassword(t *testing.T) {
	url := serve(t, config())
	for _, path := range []string{"/healthz", "/_/health"} {
		if response, body := send(t, "GET", url+path, ""); response.StatusCode != 200 || body != "OK" {
			t.Errorf("%s: %d %s", path, response.StatusCode, body)
		}
	}
}

func TestServeSpeaksTLS(t *testing.T) {
	certified := httptest.NewUnstartedServer(nil) // it has a certificate, and a client that trusts it
	certified.StartTLS()
	defer certified.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- gateway.Serve(ctx, l, gateway.New(config()), certified.TLS.Clone()) }()
	client := certified.Client()
	response, err := client.Get("https://" + l.Addr().String() + "/function/silent")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 200 {
		t.Errorf("status %d", response.StatusCode)
	}
	client.CloseIdleConnections()
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// A client that sends its headers byte by byte must not hold a connection for ever, and one with too many gets none of
// our memory.
func TestServeBoundsHeaders(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- gateway.Serve(ctx, l, gateway.New(config()), nil) }()
	defer func() { cancel(); <-served }()
	url := "http://" + l.Addr().String()
	large, err := http.NewRequest("GET", url+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	large.Header.Set("X-Large", strings.Repeat("x", 200<<10))
	if response, err := http.DefaultClient.Do(large); err == nil { // else the gateway hung up before all was sent
		_ = response.Body.Close()
		if response.StatusCode != 431 {
			t.Errorf("200 KiB of headers: %d, want 431", response.StatusCode)
		}
	}
	slow, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := io.WriteString(slow, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	if err := slow.SetReadDeadline(time.Now().Add(15 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := io.ReadAll(slow); errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the gateway waits for the rest of the headers")
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := config()
	c.Timeout = time.Minute
	entered, leave := make(chan struct{}), make(chan struct{})
	c.Functions = append(c.Functions, gateway.Function{Name: "working", Invoke: func(handler.Request) (handler.Response, error) {
		close(entered)
		<-leave
		return handler.Response{Body: []byte("done")}, nil
	}})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- gateway.Serve(ctx, l, gateway.New(c), nil) }()
	url := "http://" + l.Addr().String()

	follower, err := http.NewRequest("GET", url+"/system/logs?name=echo&follow=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	follower.SetBasicAuth("admin", "right")
	following, err := http.DefaultClient.Do(follower)
	if err != nil {
		t.Fatal(err)
	}
	defer following.Body.Close()
	answered := make(chan string, 1)
	go func() {
		response, err := http.Get(url + "/function/working")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		answered <- string(body)
	}()
	<-entered
	cancel()
	if _, err := io.ReadAll(following.Body); err != nil { // ends at once, although the function is still working
		t.Errorf("the follower of logs: %v", err)
	}
	close(leave)
	if got := <-answered; got != "done" {
		t.Errorf("a request that was under way got %q", got)
	}
	select {
	case err := <-served:
		if err != nil {
			t.Errorf("served: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
}
