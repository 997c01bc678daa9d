// Package networkserver plays LoRaWAN network servers for tests: over HTTP, the queues of downlinks of The Things Stack v3 (its application
// server's webhooks) and of ChirpStack v4 (its REST API), as their public documents describe them. Like those it refuses a request without its
// key, at another path or with a body that it does not know, so that what a test sees queued would be queued there.
package networkserver

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// Key is the API key that requests must show.
const Key = "NNSXS.VEEBURF3KR77ZR"

// A Server is a network server. Its zero value is none; see Start.
type Server struct {
	// URL is where it listens, like "http://127.0.0.1:41231": the address that ChirpStack's integration names.
	URL string

	mu     sync.Mutex
	came   []Request
	queued map[string][]Frame // by device
	answer func(n int, w http.ResponseWriter)
}

// A Request is one that came, whatever was answered.
type Request struct {
	Path   string  // with its method: "POST /api/devices/0101010101010101/queue"
	Key    string  // as its header shows it: "Bearer …"
	Body   string  // as it came
	Frames []Frame // what it asks to be queued; nil if it asks for nothing that can be
}

// A Frame is one that a device is to get.
type Frame struct {
	Device    string // as the path names it
	Port      int
	Payload   []byte
	Confirmed bool
	Priority  string   // "" = not told
	Names     []string // correlation_ids, which come back with each event of it; nil at ChirpStack
	ID        string   // that ChirpStack has answered with; "" at The Things Stack

	Expires time.Time // when ChirpStack drops it; zero = never, as at The Things Stack
}

// String is for comparisons: the fields in their order, and when it is dropped if it is.
func (f Frame) String() string {
	text := fmt.Sprint("{", f.Device, " ", f.Port, " ", f.Payload, " ", f.Confirmed, " ", f.Priority, " ", f.Names, " ", f.ID)
	if !f.Expires.IsZero() {
		text += " until " + f.Expires.Format(time.RFC3339)
	}
	return text + "}"
}

// Start starts a network server, which ends with the test.
func Start(t testing.TB) *Server {
	s := &Server{queued: map[string][]Frame{}}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// Answers has requests answered by f from now on, which gets the number of each, from 1; nil = as documented. What came before is forgotten.
// What f answers queues nothing.
func (s *Server) Answers(f func(n int, w http.ResponseWriter)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.came, s.answer = nil, f
}

// Requests are those that came, in their order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.came)
}

// Listens has a device listen at a time, as one of class A does after it has sent something: it is sent the first frame of its queue, if
// there is one. Those that were to be sent by then are dropped before, each with an event log of code EXPIRED.
func (s *Server) Listens(device string, at time.Time) (sent, dropped []Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for queue := s.queued[device]; len(queue) > 0 && len(sent) == 0; s.queued[device] = queue {
		if first := queue[0]; !first.Expires.IsZero() && !at.Before(first.Expires) {
			dropped = append(dropped, first)
		} else {
			sent = append(sent, first)
		}
		queue = queue[1:]
	}
	return sent, dropped
}

// ThingsHeaders are what The Things Stack sends with each webhook that has an API key for downlinks.
func (s *Server) ThingsHeaders(application, device string) http.Header {
	down := s.URL + "/api/v3/as/applications/" + application + "/webhooks/castor/devices/" + device + "/down/"
	return http.Header{"X-Downlink-Apikey": {Key}, "X-Downlink-Push": {down + "push"}, "X-Downlink-Replace": {down + "replace"}}
}

// ChirpHeaders are those that people give ChirpStack's HTTP integration, which has none of its own.
func (s *Server) ChirpHeaders() http.Header {
	return http.Header{"X-Downlink-Api": {s.URL}, "X-Downlink-Apikey": {Key}}
}

// ServeHTTP takes one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // nobody waits for an answer
	}
	in := Request{Path: r.Method + " " + r.URL.Path, Body: string(body)}
	of, device := queueOf(r.URL.Path)
	var refused *refusal
	if of == nil {
		refused = &refusal{http.StatusNotFound, "Not Found"}
	} else {
		in.Key = r.Header.Get(of.keyHeader)
		in.Frames, refused = of.judge(r, device, body)
	}
	s.mu.Lock()
	n, answer := len(s.came)+1, s.answer
	if of != nil && of.numbers {
		for i := range in.Frames {
			in.Frames[i].ID = id(n)
		}
	}
	s.came = append(s.came, in)
	if refused == nil && answer == nil {
		s.queued[device] = append(s.queued[device], in.Frames...)
	}
	s.mu.Unlock()
	if answer != nil {
		answer(n, w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case refused != nil:
		w.WriteHeader(refused.status)
		fmt.Fprintf(w, `{"code":%d,"message":%q,"details":[]}`, refused.status, refused.why)
	case of.numbers:
		fmt.Fprintf(w, `{"id":%q}`, id(n))
	default:
		fmt.Fprint(w, `{}`)
	}
}

// id is the one that ChirpStack gives what its nth request queues.
func id(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }
