package http

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/link"
)

// behind is an integration whose devices' queues are at a server.
type behind struct {
	t      *testing.T
	d      *downlinks
	pushes chan struct{}
	way    *way
	owner  string // of its devices
}

func newBehind(t *testing.T, d *downlinks, address string) *behind {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &behind{t: t, d: d, pushes: make(chan struct{}, pushOfOne), way: &way{of: theThingsStack, push: u, key: "k"}}
}

// push hands over a frame of a device of its own.
func (b *behind) push() {
	b.t.Helper()
	if !b.d.add(&endDevice{pushes: b.pushes}, push{way: b.way, command: link.Down{Owner: b.owner, Fail: func(string) {}}}) {
		b.t.Error("too much waits")
	}
}

// server tells of each request before it answers.
func server(t *testing.T, answer http.HandlerFunc) (url string, came chan struct{}) {
	came = make(chan struct{}, 1000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		came <- struct{}{}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, came
}

func arrives(t *testing.T, came chan struct{}, what string) {
	t.Helper()
	select {
	case <-came:
	case <-time.After(20 * time.Second):
		t.Fatal(what, "does not arrive")
	}
}

// Integrations whose network server is silent, however many there are, leave room for others'.
func TestSilentNetworkServersHoldUpTheirOwnOnly(t *testing.T) {
	d := newDownlinks(true, time.Now, slog.New(slog.DiscardHandler))
	t.Cleanup(d.end)
	held := make(chan struct{})
	silent, taken := server(t, func(http.ResponseWriter, *http.Request) { <-held })
	t.Cleanup(func() { close(held) }) // before the server ends
	for range 12 {
		b := newBehind(t, d, silent)
		for range 2 * pushOfOne {
			b.push()
		}
	}
	for n := range pushOfHost {
		arrives(t, taken, fmt.Sprintf("frame %d for the silent one", n))
	}
	fine, came := server(t, func(http.ResponseWriter, *http.Request) {})
	newBehind(t, d, fine).push()
	arrives(t, came, "a frame for another network server")
	if len(taken) != 0 {
		t.Errorf("%d more than a host's share are under way", len(taken))
	}
}

// However many integrations of one owner have silent network servers, and at however many hosts, others have places.
func TestSilentNetworkServersHoldUpTheirOwnerOnly(t *testing.T) {
	d := newDownlinks(true, time.Now, slog.New(slog.DiscardHandler))
	t.Cleanup(d.end)
	held := make(chan struct{})
	taken := make(chan struct{}, 1000)
	var silent string
	fine, came := server(t, func(http.ResponseWriter, *http.Request) {})
	for n := range 2 * pushAtOnce / pushOfOne {
		if n%(pushOfHost/pushOfOne) == 0 {
			silent, _ = server(t, func(http.ResponseWriter, *http.Request) { taken <- struct{}{}; <-held })
		}
		b := newBehind(t, d, silent)
		b.owner = "silent"
		for range 2 * pushOfOne {
			b.push()
		}
		theirs := newBehind(t, d, fine)
		theirs.owner = "silent"
		theirs.push() // it waits for a place of its owner, and has none of those of its host meanwhile
	}
	t.Cleanup(func() { close(held) }) // before the servers end
	for n := range pushOfOwner {
		arrives(t, taken, fmt.Sprintf("frame %d for the silent ones", n))
	}
	for range len(came) {
		<-came
	}
	b := newBehind(t, d, fine)
	b.owner = "fine"
	b.push()
	arrives(t, came, "a frame of another owner's")
	if len(taken) != 0 {
		t.Errorf("%d more than an owner's share are under way", len(taken))
	}
}

// What pauses before it is tried again leaves its place to others.
func TestAPauseTakesNoPlace(t *testing.T) {
	d := newDownlinks(true, time.Now, slog.New(slog.DiscardHandler))
	t.Cleanup(d.end)
	busy, came := server(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	d.pause = time.Hour
	b := newBehind(t, d, busy)
	for range 3 * pushOfOne { // of which the last would wait for hours, if pauses took places
		b.push()
	}
	for n := range 3 * pushOfOne {
		arrives(t, came, fmt.Sprintf("frame %d", n))
	}
}
