package stream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/castor-iot/castor/tests/sse"
)

// What is published comes in order, and once; who is cut off goes on at another replica, also one that was started since.
func TestOrderAndResumeAtAnotherReplica(t *testing.T) {
	w := newWorld(t)
	ada := w.owner("plant")
	first := w.replica()
	<-time.After(lag) // of readings nobody knows what was before
	s := first.open(t, ada, "")
	var want []string
	for range 20 {
		want = append(want, w.raise("pump-1", "plant"))
	}
	var got []string
	for range 7 {
		got = append(got, alarmOf(s.Until("alarm", nil)))
	}
	last := s.Last()
	first.stop()
	for range 20 {
		want = append(want, w.raise("pump-1", "plant"))
	}
	w.report("pump-1", "plant", "rpm", 1.0)
	second := w.replica()
	s = second.open(t, ada, "?last="+last)
	for len(got) < len(want) {
		got = append(got, alarmOf(s.Until("alarm", nil)))
	}
	s.Until("readings", sse.Has(`"rpm"`))
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %v\nwant %v", got, want)
	}
	quiet(t, s)
}

func alarmOf(f sse.Frame) string {
	_, rest, _ := strings.Cut(string(f.Data), `"alarm":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

// Readings of several batches are one frame with the newest of each property.
func TestReadingsAreMerged(t *testing.T) {
	w := newWorld(t)
	r := w.replica()
	s := r.open(t, w.owner("plant"), "?topics=readings")
	w.report("pump-1", "plant", "rpm", 0.0)
	s.Until("readings", nil) // at once; what follows within the next moment goes together
	for i := range 5 {
		w.report("pump-1", "plant", "rpm", float64(i+1))
		w.report("pump-1", "plant", "t", float64(10*i))
	}
	f := s.Until("readings", sse.Has(`"value":5`))
	if n := strings.Count(string(f.Data), `"property"`); n != 2 || !strings.Contains(string(f.Data), `"value":40`) {
		t.Errorf("%s", f.Data)
	}
}

// A reader hears of what belongs to its groups or is granted to it, as long as that is so.
func TestWhoHearsWhat(t *testing.T) {
	w := newWorld(t)
	ada, eve := w.owner("plant"), w.owner("mill")
	w.pump("pump-1", "plant")
	r := w.replica()
	all, owner, other := r.open(t, w.Admin(), ""), r.open(t, ada, ""), r.open(t, eve, "")
	w.raise("pump-1", "plant")
	all.Until("alarm", sse.Has(`"pump-1"`))
	owner.Until("alarm", sse.Has(`"pump-1"`))
	w.report("pump-1", "plant", "rpm", 1.0)
	all.Until("readings", sse.Has(`"pump-1"`))
	owner.Until("readings", sse.Has(`"pump-1"`))
	w.raise("", "mill") // about the platform itself, whoever owns what it names
	all.Until("alarm", sse.Has(`":rule:2"`))
	quiet(t, owner)
	quiet(t, other)

	g, err := ada.CreateGrant(context.Background(), access.Grant{Subject: "user:mill-owner", Object: "twin:pump-1", Right: access.Read})
	must(t, err)
	other.Until("reload", sse.Has("what you may see"))
	w.raise("pump-1", "plant")
	other.Until("alarm", sse.Has(`"pump-1"`))
	must(t, ada.DeleteGrant(context.Background(), g.ID))
	other.Until("reload", sse.Has("what you may see"))
	w.raise("pump-1", "plant")
	w.report("pump-1", "plant", "rpm", 2.0)
	owner.Until("readings", sse.Has(`"value":2`))
	quiet(t, other)

	one := r.open(t, ada, "?twin=pump-2&topics=alarms,twins")
	w.raise("pump-1", "plant")
	w.raise("pump-2", "plant")
	if f := one.Until("alarm", nil); !strings.Contains(string(f.Data), "pump-2") {
		t.Errorf("asked for pump-2, heard %s", f.Data)
	}
}

// Who loses sight of a twin hears that it is gone; who gets it hears that it is there; nobody else hears anything.
func TestATwinIsMoved(t *testing.T) {
	w := newWorld(t)
	ada, eve, ben := w.owner("plant"), w.owner("mill"), w.owner("yard")
	w.pump("pump-1", "plant")
	r := w.replica()
	before, after, never := r.open(t, ada, ""), r.open(t, eve, ""), r.open(t, ben, "")
	_, err := w.Admin().UpdateTwin(context.Background(), "pump-1", 0, map[string]any{"owner": "mill"})
	must(t, err)
	before.Until("twin", sse.Has(`"pump-1"`, `"gone":true`))
	after.Until("twin", sse.Has(`"pump-1"`, `"gone":false`))
	must(t, w.Admin().DeleteTwin(context.Background(), "pump-1"))
	after.Until("twin", sse.Has(`"pump-1"`, `"gone":true`))
	quiet(t, before)
	quiet(t, never)
}

// A reader that takes nothing is told to read everything again, and is nowhere buffered.
func TestASlowReader(t *testing.T) {
	w := newWorld(t)
	r := w.replica(func(c *Connector) { c.ring.most = 20 })
	request, err := http.NewRequest(http.MethodGet, r.url, nil)
	must(t, err)
	request.Header = header(w.Admin())
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	for range 400 { // more than two sockets hold
		w.report("pump-1", "plant", "text", strings.Repeat("x", 100_000))
		<-time.After(2 * time.Millisecond)
	}
	r.ring.mu.Lock()
	held, entries := r.ring.bytes, len(r.ring.entries)
	r.ring.mu.Unlock()
	if entries > 20 || held > 20*(200_000+1000) {
		t.Errorf("%d entries of %d bytes are held", entries, held)
	}
	found := make(chan bool, 1)
	go func() {
		var tail string
		buf := make([]byte, 1<<20)
		for {
			n, err := response.Body.Read(buf)
			tail = tail[max(0, len(tail)-100):] + string(buf[:n])
			if strings.Contains(tail, "event: reload") || err != nil {
				found <- err == nil
				return
			}
		}
	}()
	select {
	case ok := <-found:
		if !ok {
			t.Error("the stream ended without a word")
		}
	case <-time.After(sse.Patience):
		t.Error("it is not told")
	}
}

func TestTheTokensEndIsTheStreams(t *testing.T) {
	w := newWorld(t)
	ada := w.owner("plant")
	s := w.replica().open(t, ada, "")
	w.SetTime(time.Now().Add(16 * time.Minute))
	w.raise("pump-1", "plant")
	frames, ended := s.Ended(sse.Patience)
	if !ended || len(frames) > 1 { // the alarm may have been written just before
		t.Errorf("ended %v after %d frames", ended, len(frames))
	}
}

func TestTooManyStreams(t *testing.T) {
	w := newWorld(t)
	ada, eve := w.owner("plant"), w.owner("mill")
	r := w.replica(func(c *Connector) { c.Streams, c.PerCaller = 3, 2 })
	one := r.open(t, ada, "")
	r.open(t, ada, "")
	if _, status := sse.Open(t, http.DefaultClient, r.url, header(ada)); status != http.StatusTooManyRequests {
		t.Errorf("a third of one caller: %d", status)
	}
	r.open(t, eve, "")
	if _, status := sse.Open(t, http.DefaultClient, r.url, header(eve)); status != http.StatusServiceUnavailable {
		t.Errorf("a fourth of all: %d", status)
	}
	one.Close()
	for end := time.Now().Add(sse.Patience); ; {
		s, _ := sse.Open(t, http.DefaultClient, r.url, header(ada))
		if s != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a stream that was closed still counts")
		}
		<-time.After(20 * time.Millisecond)
	}
}

func TestWhoIsNotLetIn(t *testing.T) {
	w := newWorld(t)
	r := w.replica()
	part, err := w.Part("twins", "").Authorize(context.Background(), "stream")
	must(t, err)
	nobody := w.User("nil", nil, "plant")
	page := strings.Repeat("p", 42) + "A"
	console := func(more ...string) http.Header { // as the console's page, which signed in
		tok, err := w.Nobody().Login(context.Background(), api.Login{Name: functiontest.Admin, Password: functiontest.Password, Bound: page})
		must(t, err)
		h := http.Header{"X-Castor-Console": {page}}
		name, err := faas.CookieOf(h, faas.CookieToken)
		must(t, err)
		h.Set("Cookie", name+"="+tok.Access)
		for i := 0; i < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return h
	}
	for name, c := range map[string]struct {
		method, query string
		header        http.Header
		want          int
	}{
		"nobody":                                    {"GET", "", http.Header{}, 401},
		"a made-up token":                           {"GET", "", http.Header{"Authorization": {"Bearer x.y.z"}}, 401},
		"a part of the platform":                    {"GET", "", http.Header{"Authorization": {part}}, 403},
		"somebody without a role":                   {"GET", "", header(nobody), 403},
		"another method":                            {"POST", "", header(w.Admin()), 405},
		"a topic that is none":                      {"GET", "?topics=twins,grants", header(w.Admin()), 400},
		"many topics":                               {"GET", "?topics=" + strings.Repeat("twins,", 1000), header(w.Admin()), 400},
		"a twin that is none":                       {"GET", "?twin=../x", header(w.Admin()), 400},
		"a query that is none":                      {"GET", "?%zz", header(w.Admin()), 400},
		"the cookie alone":                          {"GET", "", console("X-Castor-Console", ""), 401},
		"the cookie and its header, from elsewhere": {"GET", "", console("Sec-Fetch-Site", "cross-site"), 401},
		"the cookie of another page":                {"GET", "", console("X-Castor-Console", strings.Repeat("q", 42)+"A"), 401},
		"the cookie and its header":                 {"GET", "", console("Sec-Fetch-Site", "same-origin"), 200},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), sse.Patience)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, c.method, r.url+c.query, nil)
			must(t, err)
			request.Header = c.header
			response, err := http.DefaultClient.Do(request)
			must(t, err)
			defer response.Body.Close()
			kind := map[bool]string{true: "text/event-stream", false: "application/problem+json"}[c.want == 200]
			if response.StatusCode != c.want || response.Header.Get("Content-Type") != kind {
				body, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
				t.Errorf("%d %s, want %d: %s", response.StatusCode, response.Header.Get("Content-Type"), c.want, body)
			}
		})
	}
}

// An id that nobody gave, or of long ago, means to read everything again; the stream goes on from now.
func TestIDsThatCannotBeResumed(t *testing.T) {
	w := newWorld(t)
	ada := w.owner("plant")
	r := w.replica()
	old := string(r.seal.close(nil, cursor{at: time.Now().Add(-time.Hour)}))
	stranger, err := newSeal([]byte("another platform"))
	must(t, err)
	for name, id := range map[string]string{"of long ago": old, "of another platform": string(stranger.close(nil, cursor{at: time.Now()})), "nonsense": "nonsense",
		"changed": old[:20] + "x" + old[21:], "very long": strings.Repeat("a", 10_000)} {
		t.Run(name, func(t *testing.T) {
			// The ring reaches back to the first event only where it began with the stream.
			r.ring.mu.Lock()
			r.ring.covers[events] = time.Now().Add(-maxAge)
			r.ring.mu.Unlock()
			s := r.open(t, ada, "?last="+id)
			s.Until("reload", sse.Has("too old"))
			want := w.raise("pump-1", "plant")
			if got := alarmOf(s.Until("alarm", nil)); got != want {
				t.Errorf("then it hears %s, want %s", got, want)
			}
			s.Close()
		})
	}
}

func TestBeatsAndTheLastFrame(t *testing.T) {
	w := newWorld(t)
	ada := w.owner("plant")
	r := w.replica(func(c *Connector) { c.beat = 50 * time.Millisecond })
	s := r.open(t, ada, "")
	for range 3 {
		s.Until("beat", nil)
	}
	w.raise("pump-1", "plant")
	s.Until("alarm", nil)
	go r.stop()
	frames, ended := s.Ended(sse.Patience)
	if !ended || len(frames) == 0 || frames[len(frames)-1].ID == "" {
		t.Errorf("ended %v, with %v", ended, frames)
	}
}

// A reader of a quiet group learns nothing of the others, not even how much happens to them: ids say nothing.
func TestIDsTellNothing(t *testing.T) {
	w := newWorld(t)
	r := w.replica()
	a, b := r.seal.close(nil, cursor{at: time.Now()}), r.seal.close(nil, cursor{at: time.Now(), seen: [sources]uint64{1 << 40, 1 << 50}})
	if len(a) != len(b) || string(a[:16]) == string(b[:16]) {
		t.Errorf("%s %s", a, b)
	}
	c := cursor{at: time.UnixMilli(1_700_000_000_123), seen: [sources]uint64{7, 1 << 63}}
	got, ok := r.seal.open(string(r.seal.close(nil, c)))
	if !ok || fmt.Sprint(got) != fmt.Sprint(c) {
		t.Errorf("%v, want %v", got, c)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
