package users

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
)

func TestThrottle(t *testing.T) {
	now := time.Date(2026, 3, 21, 10, 0, 0, 0, time.UTC)
	th := newThrottle(3, 5*time.Second)
	for i := range 3 {
		if _, ok := th.take("ada", now); !ok {
			t.Fatalf("failure %d is refused", i+1)
		}
	}
	if _, ok := th.take("ada", now); ok || th.wait("ada", now) != 5*time.Second {
		t.Error("a fourth failure at once is borne")
	}
	now = now.Add(5 * time.Second)
	back, ok := th.take("ada", now)
	if !ok || th.wait("ada", now) <= 0 {
		t.Error("after 5 s there is not room for exactly one")
	}
	back()
	if th.wait("ada", now) > 0 {
		t.Error("what was taken back still counts")
	}
	// A flood of other keys must not free the one held back.
	th.take("ada", now)
	for i := range 100_000 {
		th.take(fmt.Sprint("eve-", i), now)
	}
	if th.wait("ada", now) <= 0 {
		t.Error("a flood of other names freed the one that is attacked")
	}
}

// Failures from many addresses slow guessing from each of them, and do not keep the owner out.
func TestFailuresFromManyAddresses(t *testing.T) {
	now := time.Date(2026, 3, 21, 10, 0, 0, 0, time.UTC)
	f := newFailures()
	fail := func(client string) error { _, err := f.take("ada", client, now); return err }
	for i := range 300 {
		if err := fail(fmt.Sprintf("203.0.113.%d", i/10)); err != nil {
			t.Fatalf("failure %d: %v", i+1, err)
		}
	}
	borne := 0
	for minute := range 10 {
		now = now.Add(time.Minute)
		for i := range 100 { // they spend what comes back, too
			_ = fail(fmt.Sprintf("192.0.2.%d", i))
		}
		for range 20 {
			if fail("203.0.113.1") == nil {
				borne++
			}
		}
		owner := fmt.Sprintf("198.51.100.%d", minute)
		if err := f.check("ada", owner, now); err != nil {
			t.Errorf("the owner, in minute %d: %v", minute, err)
		}
	}
	if borne > 10 {
		t.Errorf("one address had %d failures in 10 minutes", borne)
	}
	if err := f.check("eve", "203.0.113.1", now); err != nil {
		t.Errorf("another name: %v", err)
	}
	now = now.Add(10 * time.Minute)
	for i := range 10 {
		if err := fail("203.0.113.1"); err != nil {
			t.Errorf("when it is over, failure %d: %v", i+1, err)
		}
	}
}

// Many at once are not more than one after the other, and what was forgiven does not count.
func TestFailuresAtOnce(t *testing.T) {
	now := time.Date(2026, 3, 21, 10, 0, 0, 0, time.UTC)
	f := newFailures()
	for range 500 {
		forgive, err := f.take("ada", "198.51.100.1", now)
		if err != nil {
			t.Fatal(err)
		}
		forgive()
	}
	var wg sync.WaitGroup
	var borne atomic.Int64
	for range 100 {
		wg.Go(func() {
			if _, err := f.take("ada", "198.51.100.1", now); err == nil {
				borne.Add(1)
			}
		})
	}
	wg.Wait()
	if borne.Load() != 10 {
		t.Errorf("%d of 100 at once, want 10", borne.Load())
	}
}

func TestClientAddress(t *testing.T) {
	for name, c := range map[string]struct {
		in   []string
		want string
	}{
		"one address":                  {[]string{"203.0.113.7"}, "203.0.113.7"},
		"with its port":                {[]string{"203.0.113.7:4711"}, "203.0.113.7"},
		"what the caller put in front": {[]string{"10.0.0.1, 203.0.113.7"}, "203.0.113.7"},
		"in a header of its own":       {[]string{"10.0.0.1", "203.0.113.7"}, "203.0.113.7"},
		"IPv6 counts by network":       {[]string{"[2001:db8:1:2:3:4:5:6]:4711"}, "2001:db8:1:2::/64"},
		"the same network":             {[]string{"2001:db8:1:2::9"}, "2001:db8:1:2::/64"},
		"IPv4 in IPv6":                 {[]string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		"with a zone":                  {[]string{"fe80::1%eth0"}, "fe80::/64"},
		"none":                         {nil, ""},
		"rubbish":                      {[]string{"unknown"}, ""},
		"rubbish at the end":           {[]string{"203.0.113.7, "}, ""},
	} {
		if got := network(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Only function console may say that a sign-in comes from elsewhere.
func TestClientOfTheConsole(t *testing.T) {
	h := http.Header{"X-Forwarded-For": {"203.0.113.7"}, api.HeaderClient: {"10.0.0.1, 198.51.100.9"}}
	for name, c := range map[string]struct {
		caller access.Caller
		want   string
	}{
		"nobody":                  {access.Caller{}, "203.0.113.7"},
		"the console":             {access.Caller{Kind: access.Part, ID: "console"}, "198.51.100.9"},
		"another part":            {access.Caller{Kind: access.Part, ID: "twins"}, "203.0.113.7"},
		"a user called console":   {access.Caller{Kind: access.User, ID: "console"}, "203.0.113.7"},
		"an account of that name": {access.Caller{Kind: access.Service, ID: "console"}, "203.0.113.7"},
	} {
		if got := client(&faas.Call{Header: h, Caller: c.caller}); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
