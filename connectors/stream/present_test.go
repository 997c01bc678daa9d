package stream

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/tests/sse"
)

// A person's streams end soon after the person is disabled, none is opened, and those of others go on.
func TestWhoIsDisabledIsCutOff(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	ada, eve := w.owner("plant"), w.owner("mill")
	r := w.replica(func(c *Connector) { c.presence.ask = 300 * time.Millisecond })
	one, two, other := r.open(t, ada, ""), r.open(t, ada, "?topics=alarms"), r.open(t, eve, "")
	quiet(t, one)
	for _, yes := range []bool{true, false} {
		_, err := w.Admin().UpdateUser(ctx, "plant-owner", api.UserChange{Disabled: &yes})
		must(t, err)
		if !yes {
			break
		}
		for _, s := range []*sse.Stream{one, two} {
			if _, ended := s.Ended(sse.Patience); !ended {
				t.Error("the stream goes on")
			}
		}
		if _, status := sse.Open(t, http.DefaultClient, r.url, header(ada)); status != http.StatusUnauthorized {
			t.Errorf("opened again: %d", status)
		}
	}
	r.open(t, ada, "").Close() // enabled again
	want := w.raise("pump-1", "mill")
	if got := alarmOf(other.Until("alarm", nil)); got != want {
		t.Errorf("another person hears %s, want %s", got, want)
	}
}

// Function users is asked once for all streams of a person, and not at all for accounts; what fails changes nothing.
func TestPresence(t *testing.T) {
	now := time.Date(2026, 3, 21, 10, 0, 0, 0, time.UTC)
	var asked atomic.Int64
	var answer error
	p := &presence{now: func() time.Time { return now }, ask: presentFor, last: map[string]time.Time{},
		me: func(context.Context, http.Header) error { asked.Add(1); return answer }}
	ada := access.Caller{Kind: access.User, ID: "ada"}
	gone := func(c access.Caller, want bool, calls int64) {
		t.Helper()
		if got := p.gone(context.Background(), c, nil); got != want || asked.Load() != calls {
			t.Errorf("gone %v after %d calls, want %v after %d", got, asked.Load(), want, calls)
		}
	}
	gone(access.Caller{Kind: access.Service, ID: "ada"}, false, 0)
	for range 10 {
		gone(ada, false, 1)
	}
	refused := &api.Problem{Status: http.StatusUnauthorized}
	for i, err := range []error{errors.New("no network"), api.ErrUnavailable, access.ErrUnauthenticated, &api.Problem{Status: 503}, &api.Problem{Status: 403}} {
		now, answer = now.Add(presentFor), err
		gone(ada, false, int64(2+i))
	}
	gone(ada, false, 6)
	now, answer = now.Add(presentFor), refused
	gone(ada, true, 7)
	gone(ada, true, 8) // whoever comes again
	answer = nil
	gone(ada, false, 9)
	now = now.Add(presentFor)
	p.forget()
	if len(p.last) != 0 {
		t.Error("what is believed no longer is kept")
	}
}
