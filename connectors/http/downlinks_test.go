package http

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/tests/networkserver"
)

// handing has frames handed to a network server that gives them ids, without pauses.
func handing(t *testing.T, answer func(n int, w http.ResponseWriter)) (*downlinks, *networkserver.Server, *push) {
	t.Helper()
	ns := networkserver.Start(t)
	ns.Answers(answer)
	d := newDownlinks(true, time.Now, slog.New(slog.DiscardHandler))
	d.pause = 0
	t.Cleanup(d.end)
	w := chirpStack.wayOf(ns.ChirpHeaders(), "0101010101010101")
	return d, ns, &push{way: w, via: "cs-1", command: link.Down{ID: "c-1"}, body: []byte(`{"queueItem":{"devEui":"0101010101010101","fPort":10,"data":"AQ=="}}`)}
}

// A frame is tried as often as may help, and how that ended is said by what was answered last.
func TestWhatBecomesOfAFrame(t *testing.T) {
	answers := func(text string) func(int, http.ResponseWriter) {
		return func(_ int, w http.ResponseWriter) { fmt.Fprint(w, text) }
	}
	said := "the network server has not taken it: it answered "
	for name, c := range map[string]struct {
		answer func(n int, w http.ResponseWriter)
		tries  int
		reason string
		noted  string // id by which the command is found; "" = none
	}{
		"it is queued":             {nil, 1, "", "00000000-0000-0000-0000-000000000001"},
		"of any success":           {func(_ int, w http.ResponseWriter) { w.WriteHeader(299); fmt.Fprint(w, `{"id":"a"}`) }, 1, "", "a"},
		"the longest id":           {answers(`{"id":"` + strings.Repeat("a", 64) + `"}`), 1, "", strings.Repeat("a", 64)},
		"an id that is longer":     {answers(`{"id":"` + strings.Repeat("a", 65) + `"}`), 1, "", ""},
		"no id":                    {answers(`{"id":""}`), 1, "", ""},
		"no JSON":                  {answers(`queued`), 1, "", ""},
		"more than is read":        {answers(`{"id":"a"}` + strings.Repeat(" ", pushAnswer) + `x`), 1, "", "a"},
		"too many at a time":       {status(http.StatusTooManyRequests), pushTries, said + "429 Too Many Requests", ""},
		"it is away":               {status(http.StatusServiceUnavailable), pushTries, said + "503 Service Unavailable", ""},
		"it is away once":          {busyOnce, 2, "", "00000000-0000-0000-0000-000000000002"},
		"it is at fault":           {status(http.StatusInternalServerError), 1, said + "500 Internal Server Error", ""},
		"a redirection to nowhere": {status(http.StatusMultipleChoices), 1, said + "300 Multiple Choices", ""},
		"a proxy that lost it":     {status(http.StatusBadGateway), 1, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d, ns, p := handing(t, c.answer)
			if got := d.hand(&endDevice{pushes: make(chan struct{}, pushOfOne)}, p); got != c.reason {
				t.Errorf("%q, want %q", got, c.reason)
			}
			if got := len(ns.Requests()); got != c.tries {
				t.Errorf("%d tries, want %d", got, c.tries)
			}
			if c.noted != "" && d.frames.of("cs-1", c.noted) != "c-1" || c.noted == "" && d.frames.all != 0 {
				t.Errorf("noted are %v", d.frames.by)
			}
			if len(d.hosts.by)+len(d.owners.by) != 0 {
				t.Errorf("what nobody uses is kept: %v, %v", d.hosts.by, d.owners.by)
			}
		})
	}
}

// status answers each request by a status.
func status(code int) func(int, http.ResponseWriter) {
	return func(_ int, w http.ResponseWriter) { w.WriteHeader(code) }
}

// busyOnce refuses the first request.
func busyOnce(n int, w http.ResponseWriter) {
	if n == 1 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, `{"id":"00000000-0000-0000-0000-%012d"}`, n)
}

// A command whose time is over is not handed over any more: the device would do it when nobody expects it.
func TestAFrameThatIsTooLate(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for until, want := range map[time.Time]string{{}: "", now.Add(1): "", now: "its time was over before the network server had it"} {
		d, ns, p := handing(t, nil)
		d.now, p.command.Until = func() time.Time { return now }, until
		if got := d.hand(&endDevice{pushes: make(chan struct{}, 1)}, p); got != want || (len(ns.Requests()) == 1) != (want == "") {
			t.Errorf("until %s: %q, want %q; %d requests", until, got, want, len(ns.Requests()))
		}
	}
}

// So many frames wait for a device, and no more; those of others are none the worse, and a gateway that has ended takes none.
func TestHowManyFramesWait(t *testing.T) {
	held := make(chan struct{})
	d, ns, p := handing(t, func(n int, w http.ResponseWriter) { <-held; fmt.Fprint(w, `{"id":"a"}`) })
	p.command.Fail = func(reason string) { t.Error(reason) }
	one, other := &endDevice{pushes: make(chan struct{}, pushOfOne)}, &endDevice{pushes: make(chan struct{}, pushOfOne)}
	for n := range pushWaiting {
		if !d.add(one, *p) {
			t.Fatalf("frame %d is not taken", n+1)
		}
	}
	if d.add(one, *p) {
		t.Errorf("more than %d wait", pushWaiting)
	}
	if !d.add(other, *p) {
		t.Error("another device's is not taken")
	}
	close(held)
	d.work.Wait()
	if got := len(ns.Requests()); got != pushWaiting+1 || len(d.waiting) != 0 {
		t.Errorf("%d were handed over, and %d devices still wait", got, len(d.waiting))
	}
	if !d.add(one, *p) {
		t.Error("after all were handed over none is taken")
	}
	d.work.Wait()
	d.end()
	if d.add(one, *p) {
		t.Error("one is taken that nobody will hand over")
	}
}

// Who calls a host shares its places with all who call it; they are forgotten with the last.
func TestPlacesOfAHost(t *testing.T) {
	h := newShares(pushOfHost)
	a, b, other := h.join("https://a"), h.join("https://a"), h.join("https://b")
	if a != b || a == other || cap(a.places) != pushOfHost {
		t.Errorf("%p %p %p", a, b, other)
	}
	h.leave(a)
	if h.join("https://a") != a {
		t.Error("it is forgotten while it is used")
	}
	h.leave(a)
	h.leave(b)
	if _, known := h.by["https://a"]; known || len(h.by) != 1 {
		t.Errorf("known are %v", h.by)
	}
}
