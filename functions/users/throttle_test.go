package users

import (
	"fmt"
	"net/http"
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
