package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// Errors of a call that cannot be served now.
var (
	errStarting = fmt.Errorf("%w: the stream is starting; try again in a second", api.ErrUnavailable)
	errStopping = fmt.Errorf("%w: the stream is going down; try again in a second", api.ErrUnavailable)
	errFull     = fmt.Errorf("%w: too many streams are open here; try again soon", api.ErrUnavailable)
)

// ServeHTTP opens a stream and writes it until it ends.
func (c *Connector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, release, reload, err := c.enter(r)
	if err != nil {
		c.count.refused.Add(1)
		if errors.Is(err, errBody) {
			// Nobody waits for its end, which may never come: neither what answers, nor the server before it closes.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now())
			w.Header().Set("Connection", "close")
		}
		c.refuse(w, r, err)
		return
	}
	defer release()
	in.out, in.flush = w, http.NewResponseController(w)
	// The server's own bounds are for calls that end.
	for _, set := range []func(time.Time) error{in.flush.SetReadDeadline, in.flush.SetWriteDeadline} {
		if err := set(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // proxies hold answers back otherwise
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	ctx, end := context.WithCancel(r.Context())
	defer end()
	defer c.track(in, end)()
	in.run(ctx, reload)
}

// enter is the door: who calls, what for, and whether there is room.
func (c *Connector) enter(r *http.Request) (in *reader, release func(), reload string, err error) {
	switch {
	case r.ContentLength != 0:
		return nil, nil, "", errBody
	case r.Method != http.MethodGet:
		return nil, nil, "", errMethod
	}
	caller, shown, err := c.Authenticate(r.Context(), r.Header)
	if err != nil {
		return nil, nil, "", err
	}
	switch {
	case caller.Kind == "":
		return nil, nil, "", fmt.Errorf("%w: sign in by POST /function/users/login, or at the console", access.ErrUnauthenticated)
	case caller.Kind == access.Part || !access.Users().Permits(caller):
		return nil, nil, "", fmt.Errorf("%w: this is for people and service accounts that have a role", access.ErrDenied)
	}
	in = &reader{c: c, caller: caller, shown: shown}
	if in.wants, err = wishOf(r.URL.RawQuery); err != nil {
		return nil, nil, "", err
	}
	select {
	case <-c.stopping:
		return nil, nil, "", errStopping
	default:
	}
	if err := c.Ready(); err != nil {
		return nil, nil, "", err
	}
	if release, err = c.admit(caller.String(), in.wants.topics[topicReadings]); err != nil {
		return nil, nil, "", err
	}
	if c.presence.gone(r.Context(), caller, shown) {
		release()
		return nil, nil, "", fmt.Errorf("%w: %s is not there any more", access.ErrUnauthenticated, caller)
	}
	if in.wants.topics[topicReadings] {
		c.wantNow(r.Context()) // before the reader is told that it has begun
	}
	// Before the place: a grant that is withdrawn in between is met by the first look.
	if in.sight, err = c.sights.of(r.Context(), caller, shown); err != nil {
		release()
		return nil, nil, "", err
	}
	in.place, in.wrote = c.ring.end(), time.Now()
	if last := lastID(r); last != "" {
		cur, ok := c.seal.open(last)
		var p place
		if ok {
			p, ok = c.ring.resume(cur, in.wants.topics[topicReadings])
		}
		switch {
		case !ok:
			reload = reasonOld
		case cur.mark != in.sight.mark: // as if it had been here when that changed
			reload = reasonSight
		default:
			in.place = p
		}
	}
	return in, release, reload, nil
}

// admit counts a stream of the caller until release is called.
func (c *Connector) admit(caller string, readings bool) (release func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.open[caller] >= c.PerCaller:
		return nil, fmt.Errorf("%w: %d streams are open for %s already; close one", api.ErrTooMany, c.PerCaller, caller)
	case c.all >= c.Streams:
		return nil, errFull
	}
	c.open[caller]++
	c.all++
	reading := 0
	if readings {
		reading = 1
	}
	c.reading += reading
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all, c.reading = c.all-1, c.reading-reading
		if c.open[caller]--; c.open[caller] == 0 {
			delete(c.open, caller)
		}
	}, nil
}

// lastID is the id that the reader had last.
func lastID(r *http.Request) string {
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		return id
	}
	return r.URL.Query().Get("last")
}

// wishOf reads what the reader asks for.
func wishOf(query string) (wish, error) {
	w := wish{topics: map[string]bool{}}
	v, err := url.ParseQuery(query)
	if err != nil {
		return w, api.Invalid("the query is not well formed")
	}
	all := []string{topicTwins, topicReadings, topicRuns, topicAlarms, topicWaiting}
	asked := all
	if t := v.Get("topics"); t != "" {
		asked = strings.SplitN(t, ",", len(all)+1)
	}
	for _, t := range asked {
		switch t {
		case topicTwins, topicReadings, topicRuns, topicAlarms, topicWaiting:
			w.topics[t] = true
		default:
			return w, api.Invalid("topics: %.40q is none; there are %s, with commas between them", t, strings.Join(all, ", "))
		}
	}
	if id := twin.ID(v.Get("twin")); id != "" {
		if err := id.Valid(); err != nil {
			return w, fmt.Errorf("twin: %w", err)
		}
		w.twin = id
	}
	return w, nil
}

var (
	errMethod = errors.New("only GET opens a stream")
	errBody   = api.Invalid("a request for the stream has no body")
)

// refuse answers with a problem document.
func (c *Connector) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := api.ProblemOf(err)
	switch {
	case errors.Is(err, errMethod):
		p = &api.Problem{Title: "Method not allowed", Status: http.StatusMethodNotAllowed, Detail: err.Error()}
		w.Header().Set("Allow", http.MethodGet)
	case errors.Is(err, context.Canceled):
		return // the caller has gone
	}
	if p.Status >= 500 {
		c.Log.WarnContext(r.Context(), "stream not opened", "error", err)
	}
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}
