package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
)

// Whatever nobody, an owner, the administrator and a part of the platform send to whatever operation, it is answered as the
// caller's mistake, in words that help, in bounded memory; and the platform works as before.
func TestHostileCallers(t *testing.T) {
	both(t, func(t *testing.T, stage Option) {
		box := NewMailbox(t)
		h := newHostile(NewWorld(t, stage, func(c *Settings) { c.SMTP, c.From = "smtp://"+box.Addr, "castor@plant.example" }))
		before := h.memory()
		operations := h.operations()
		t.Run("every operation", func(t *testing.T) { h.everywhere(t, operations) })
		t.Run("every field", func(t *testing.T) { h.fields(t, operations) })
		t.Run("broken framing", func(t *testing.T) { h.framing(t, operations) })
		t.Run("large bodies", h.large)
		t.Run("slow senders", func(t *testing.T) { h.slow(t, operations) })
		h.bounded(before)
		h.worksAfterwards()
	})
}

// hostile is a matrix of callers who mean no good.
type hostile struct {
	*matrix
	client *http.Client
	read   *api.Client // somebody who is to be served meanwhile

	mu     sync.Mutex
	tokens map[string]string // of parts, by function and part
}

func newHostile(w *World) *hostile {
	if w.Cluster != nil {
		w.Cluster.Calm(true) // what is answered is what the platform says of the call, not of a replica that was killed
	}
	h := &hostile{matrix: newMatrix(w), tokens: map[string]string{}, read: w.Admin}
	h.client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: callersAtOnce, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	w.Cleanup(h.client.CloseIdleConnections)
	return h
}

const callersAtOnce = 8

// callers are those who send everything: a part is one that the operation is for, if there is any.
func (h *hostile) callers(op operation) (all []person) {
	for _, p := range h.people {
		switch p.name {
		case "nobody", "ours-owner":
			all = append(all, p)
		case "admin":
			if !ends(op) {
				all = append(all, p)
			}
		}
	}
	return append(all, person{name: "part", role: "part"})
}

// A call is one thing that is sent.
type call struct {
	op     operation
	who    person
	what   string
	target string // as it stands in the request's first line
	header http.Header
	body   []byte
}

func (c call) String() string {
	return fmt.Sprintf("%s as %s: %s", c.op.id, c.who.name, c.what)
}

// everywhere sends every attack to every operation by every caller.
func (h *hostile) everywhere(t *testing.T, operations []operation) {
	attacks := attacks()
	var calls []call
	for i, op := range operations {
		callers := h.callers(op)
		for k, who := range callers {
			for j, a := range attacks {
				if !h.turn(i + j + k) {
					continue
				}
				if len(a.body) > 64<<10 && callers[(i+j)%len(callers)].name != who.name { // by one of them, which another one for the next operation
					continue
				}
				target := variable.ReplaceAllString(op.path, "nothing-of-that-name")
				if a.id != "" {
					if !strings.Contains(op.path, "{") {
						continue
					}
					target = variable.ReplaceAllLiteralString(op.path, a.id)
				}
				if a.body != nil && (op.method == http.MethodGet || op.method == http.MethodDelete) && i%5 != 0 { // none of them reads a body
					continue
				}
				calls = append(calls, call{op: op, who: who, what: a.what, target: target + a.query, header: a.header, body: a.body})
			}
		}
	}
	h.all(t, calls)
}

// turn tells whether the n-th attack is one of the share that is made on this stage. What one stage leaves out the other one makes, or
// another caller.
func (h *hostile) turn(n int) bool {
	if h.w.Cluster != nil {
		return n%attackEveryProcesses == attackEveryProcesses/2
	}
	return n%attackEvery == 0
}

// fields sends to every operation that has a body one that is right but for a field.
func (h *hostile) fields(t *testing.T, operations []operation) {
	var calls []call
	for i, op := range operations {
		if !op.body || ends(op) {
			continue
		}
		for k, who := range h.callers(op) {
			if who.role == "" || h.w.Cluster != nil && who.name != "admin" {
				continue
			}
			for j, b := range h.mutations(op) {
				if h.w.Cluster != nil && (i+j)%4 != 0 || h.w.Cluster == nil && (i+j+k)%fieldEvery != 0 {
					continue
				}
				calls = append(calls, call{op: op, who: who, what: b.what, target: variable.ReplaceAllString(op.path, h.own(op)), body: b.body,
					header: http.Header{"Content-Type": {"application/json"}}})
			}
		}
	}
	h.all(t, calls)
}

// own is the thing of the owner's group that the operation is about, if there is one.
func (h *hostile) own(op operation) string {
	if thing := h.things[op.object]; thing != "" && op.method != http.MethodDelete {
		return thing
	}
	return "nothing-of-that-name"
}

// all makes the calls, several at a time.
func (h *hostile) all(t *testing.T, calls []call) {
	t.Helper()
	begin := time.Now()
	work := make(chan call)
	var workers sync.WaitGroup
	for range callersAtOnce {
		workers.Go(func() {
			for c := range work {
				h.send(t, c)
			}
		})
	}
	for _, c := range calls {
		work <- c
	}
	close(work)
	workers.Wait()
	t.Logf("%d calls in %s", len(calls), time.Since(begin).Round(time.Millisecond))
}

// send makes one call and looks at the answer.
func (h *hostile) send(t *testing.T, c call) {
	u, err := url.Parse(h.w.URL)
	if err != nil {
		t.Error(err)
		return
	}
	u.Opaque = c.target // the client would clean or refuse it
	req := (&http.Request{Method: c.op.method, URL: u, Host: u.Host, Header: c.header.Clone(), Body: http.NoBody}).WithContext(h.w.Context())
	if req.Header == nil {
		req.Header = http.Header{}
	}
	if c.body != nil {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(c.body)), int64(len(c.body))
	}
	if token := h.token(c); token != "" && req.Header.Get("Authorization") == "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		t.Errorf("%s: no answer: %v", c, err)
		return
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		t.Errorf("%s: the answer breaks off: %v", c, err)
		return
	}
	if resp.StatusCode == http.StatusNotFound && strings.Contains(string(b), "make console") {
		return // a person's browser asked for the console, which was not built into this program: that is a page, not a problem
	}
	if wrong := judge(resp, b); wrong != "" {
		t.Errorf("%s: %d %s: %s", c, resp.StatusCode, wrong, short(b))
	}
}

// inside are words that tell what the platform is made of, which helps no caller.
var inside = regexp.MustCompile(`goroutine|runtime error|panic|strconv\.|reflect\.|unmarshal|interface \{|mongo|pebble|\*[a-z]+\.[A-Z]|\bmap\[string\]|\bGo (value|struct|type)`)

// judge says what is wrong with an answer; "" if nothing is.
func judge(resp *http.Response, body []byte) string {
	status := resp.StatusCode
	switch {
	case status == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		return ""
	case status >= 500:
		return "is the platform's fault"
	case status < 400:
		return ""
	}
	var p api.Problem
	if ct := resp.Header.Get("Content-Type"); ct != "application/problem+json" {
		return "is " + ct + ", want a problem"
	}
	if err := json.Unmarshal(body, &p); err != nil || !utf8.Valid(body) {
		return "is no problem document"
	}
	switch {
	case p.Status != status || p.Title == "" || len(p.Detail) < 10:
		return "does not say what to do"
	case len(body) > 8<<10:
		return fmt.Sprintf("has %d bytes", len(body))
	case inside.MatchString(p.Detail):
		return "tells what the platform is made of"
	}
	return ""
}

func short(b []byte) string { return fmt.Sprintf("%.300q", b) }

// token is the caller's; a part's is made once.
func (h *hostile) token(c call) string {
	if c.who.role != "part" {
		return c.who.token
	}
	part := "stranger"
	if i := slices.IndexFunc(c.op.parts, func(p string) bool { return p != "*" && p != "connector" }); i >= 0 {
		part = c.op.parts[i]
	}
	key := strings.Split(c.op.path, "/")[2] + " " + part
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tokens[key] == "" {
		h.tokens[key] = h.partToken(c.op, part)
	}
	return h.tokens[key]
}

// worksAfterwards brings a device in, and has somebody log in and read what it measures.
func (h *hostile) worksAfterwards() {
	h.w.Helper()
	viewer := h.w.User("afterwards", []access.Role{access.Viewer}, "ours")
	d := h.w.Provision("pump", "AFTER-1", "ours")
	h.w.Measure(d, "rpm", 1, 2, 3)
	h.w.Drained(d)
	h.w.Eventually("what it measured is read", func() bool {
		t, err := viewer.GetTwin(h.w.Context(), d.Twin())
		if err != nil {
			return false
		}
		r, ok := t.Live.Reading("rpm")
		return ok && r.Value == 3.0
	})
}
