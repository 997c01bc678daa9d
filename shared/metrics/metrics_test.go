package metrics_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/metrics"
)

func scrape(t *testing.T) string {
	t.Helper()
	w := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("scrape: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func wants(t *testing.T, text, line string) {
	t.Helper()
	if !strings.Contains(text, line+"\n") {
		t.Errorf("the scrape has no line %q", line)
	}
}

func TestCalls(t *testing.T) {
	c := metrics.Operation("probe", "GET /things/{id}")
	for _, status := range []int{200, 201, 404, 0, 999} {
		c.Begin()
		c.Count(status, 20*time.Millisecond)
		c.End()
	}
	c.Begin()
	got := scrape(t)
	wants(t, got, `castor_function_requests_total{function="probe",operation="GET /things/{id}",status="2xx"} 2`)
	wants(t, got, `castor_function_requests_total{function="probe",operation="GET /things/{id}",status="4xx"} 1`)
	wants(t, got, `castor_function_requests_total{function="probe",operation="GET /things/{id}",status="other"} 2`)
	wants(t, got, `castor_function_request_duration_seconds_bucket{function="probe",operation="GET /things/{id}",le="0.025"} 5`)
	wants(t, got, `castor_function_requests_in_flight{function="probe"} 1`)
	if strings.Contains(got, `function="probe",operation="GET /things/{id}",status="5xx"`) {
		t.Error("a class is shown that was never met")
	}
}

// The parts of a process that have a name in common count as one, and one that stops is asked no more.
func TestSources(t *testing.T) {
	one := metrics.Watch(func(s *metrics.Scrape) { s.Set(metrics.LinkMessages, 3, "probe", "stored") })
	two := metrics.Watch(func(s *metrics.Scrape) { s.Set(metrics.LinkMessages, 4, "probe", "stored") })
	wants(t, scrape(t), `castor_link_messages_total{gateway="probe",outcome="stored"} 7`)
	one()
	wants(t, scrape(t), `castor_link_messages_total{gateway="probe",outcome="stored"} 4`)
	two()
	if strings.Contains(scrape(t), `gateway="probe"`) {
		t.Error("a stopped source is still shown")
	}
}

// What a sweep found holds for the moment: the next sweep may be made by another replica.
func TestOutbox(t *testing.T) {
	now := time.Now()
	metrics.Outbox("probe", 5, now.Add(-time.Hour), now)
	metrics.Outbox("former", 5, now.Add(-time.Hour), now.Add(-time.Hour))
	got := scrape(t)
	wants(t, got, `castor_outbox_documents{function="probe"} 5`)
	wants(t, got, `castor_outbox_documents{function="former"} 0`)
	if !regexp.MustCompile(`castor_outbox_oldest_seconds\{function="probe"\} 36\d\d`).MatchString(got) {
		t.Error("the age of the oldest is not about an hour")
	}
}

func TestNames(t *testing.T) {
	name := regexp.MustCompile(`^castor_[a-z_]+$`)
	for _, f := range metrics.Families() {
		total := strings.HasSuffix(f.Name, "_total")
		if !name.MatchString(f.Name) || total != (f.Kind == metrics.Counter) {
			t.Errorf("%s is no name for a %s", f.Name, f.Kind)
		}
		if f.Kind == metrics.Histogram && !strings.HasSuffix(f.Name, "_seconds") && !strings.HasSuffix(f.Name, "_bytes") && !strings.HasSuffix(f.Name, "_messages") {
			t.Errorf("%s does not tell its unit", f.Name)
		}
		if !strings.HasSuffix(f.Help, ".") {
			t.Errorf("%s is not explained in a sentence: %q", f.Name, f.Help)
		}
	}
}

func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	trouble := errors.New("the store is away")
	ready := func() error { return trouble }
	go func() { served <- metrics.ServeOn(ctx, l, func() error { return ready() }) }()
	get := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	if code, text := get("/readyz"); code != 503 || !strings.Contains(text, trouble.Error()) {
		t.Errorf("not ready: %d %q", code, text)
	}
	if code, _ := get("/healthz"); code != 200 {
		t.Errorf("a process that is not ready is alive: %d", code)
	}
	if _, text := get("/metrics"); !strings.Contains(text, "process_open_fds") || !strings.Contains(text, "go_goroutines") {
		t.Error("the process and the runtime are not shown")
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("the end of serving: %v", err)
	}
	if err := metrics.Serve(t.Context(), metrics.Off, nil); err != nil {
		t.Errorf("turned off: %v", err)
	}
}

func BenchmarkCall(b *testing.B) {
	c := metrics.Operation("bench", "GET /")
	for b.Loop() {
		c.Begin()
		c.Count(200, time.Millisecond)
		c.End()
	}
}

func BenchmarkLag(b *testing.B) {
	for b.Loop() {
		metrics.Lag(time.Millisecond)
	}
}
