package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/gateway"
)

// A stream is passed on frame by frame, from a replica that takes it; nothing of it is held back, and it has no time limit.
func TestStreamsAreForwarded(t *testing.T) {
	next := make(chan string)
	defer close(next)
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: %s %s %s\n\n", r.URL.Path, r.URL.RawQuery, r.Header.Get("Authorization"))
		flush(w)
		for {
			select {
			case f, ok := <-next:
				if !ok {
					return
				}
				fmt.Fprintf(w, "data: %s\n\n", f)
				flush(w)
			case <-r.Context().Done():
				return
			}
		}
	}))
	defer good.Close()
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer down.Close()
	g := gateway.New(gateway.Config{StreamUpstreams: []string{"http://127.0.0.1:1", down.URL, good.URL}, Timeout: 50 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	front := httptest.NewServer(g)
	defer front.Close()

	for range 3 { // whichever replica is asked first
		request, err := http.NewRequest(http.MethodGet, front.URL+"/stream?topics=twins", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer x")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("%d %v", response.StatusCode, response.Header)
		}
		read := func(want string) {
			t.Helper()
			b := make([]byte, len(want))
			if _, err := io.ReadFull(response.Body, b); err != nil || string(b) != want {
				t.Fatalf("%q, %v, want %q", b, err, want)
			}
		}
		read("data: /stream topics=twins Bearer x\n\n")
		<-time.After(100 * time.Millisecond) // longer than a call may take
		next <- "one"
		read("data: one\n\n")
		next <- strings.Repeat("x", 100_000)
		read("data: " + strings.Repeat("x", 100_000) + "\n\n")
		response.Body.Close()
	}

	none := httptest.NewServer(gateway.New(gateway.Config{StreamUpstreams: []string{"http://127.0.0.1:1"}, Log: slog.New(slog.DiscardHandler)}))
	defer none.Close()
	for url, want := range map[string]int{none.URL + "/stream": 503, front.URL + "/stream/": 404, front.URL + "/streams": 404} {
		response, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want || want == 503 && response.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d, want %d", url, response.StatusCode, want)
		}
	}
}

// A gateway that stops does not wait for streams.
func TestAGatewayStopsWithStreamsOpen(t *testing.T) {
	hang := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		flush(w)
		<-r.Context().Done()
	}))
	defer hang.Close()
	g := gateway.New(gateway.Config{StreamUpstreams: []string{hang.URL}, Log: slog.New(slog.DiscardHandler)})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- gateway.Serve(ctx, l, g, nil) }()
	response, err := http.Get("http://" + l.Addr().String() + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for the stream")
	}
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// A request with a body that never ends is refused at once, asks no replica, and holds neither a place nor its connection.
func TestAStreamHasNoBody(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked: %s", r.Method) }))
	defer upstream.Close()
	g := gateway.New(gateway.Config{StreamUpstreams: []string{upstream.URL}, Log: slog.New(slog.DiscardHandler)})
	front := httptest.NewServer(g)
	defer front.Close()
	for i, body := range []string{"Transfer-Encoding: chunked\r\n\r\n5\r\nbegun", "Content-Length: 10\r\n\r\nbegun"} {
		c, err := net.Dial("tcp", front.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "GET /stream HTTP/1.1\r\nHost: castor\r\n%s", body)
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		all, err := io.ReadAll(c) // until it is closed
		if !strings.HasPrefix(string(all), "HTTP/1.1 400 ") || !strings.Contains(string(all), "Connection: close") || err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d: %q, %v", i, all, err)
		}
	}
}
