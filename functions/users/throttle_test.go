package users

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestThrottle(t *testing.T) {
	now := time.Date(2026, 3, 21, 10, 0, 0, 0, time.UTC)
	th := newThrottle(3, 5*time.Second)
	for i := range 3 {
		if _, ok := th.take("ada", now); !ok {
			t.Fatalf("failure %d is refused", i+1)
		}
	}
	if _, ok := th.take("ada", now); ok || !th.full("ada", now) {
		t.Error("a fourth failure at once is borne")
	}
	now = now.Add(5 * time.Second)
	back, ok := th.take("ada", now)
	if !ok || !th.full("ada", now) {
		t.Error("after 5 s there is not room for exactly one")
	}
	back()
	if th.full("ada", now) {
		t.Error("what was taken back still counts")
	}
	// A flood of other keys must not free the one held back.
	th.take("ada", now)
	for i := range 100_000 {
		th.take(fmt.Sprint("eve-", i), now)
	}
	if !th.full("ada", now) {
		t.Error("a flood of other names freed the one that is attacked")
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
		if got := client(http.Header{"X-Forwarded-For": c.in}); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
