package users

import (
	"hash/maphash"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
)

// A throttle limits the failures of each key. It has a fixed size: keys share its places by a hash with a secret seed, so
// that a flood of made-up keys can neither fill memory nor push out the count of the one that is attacked.
type throttle struct {
	burst time.Duration // in units of time: failures × every
	every time.Duration
	seed  maphash.Seed

	mu    sync.Mutex
	until [1 << 16]int64 // Unix milliseconds at which all failures are forgotten
}

func newThrottle(burst int, every time.Duration) *throttle {
	return &throttle{burst: time.Duration(burst) * every, every: every, seed: maphash.MakeSeed()}
}

// take counts a failure of key and returns the way to take it back; it returns false when there were too many.
func (t *throttle) take(key string, now time.Time) (giveBack func(), ok bool) {
	i := maphash.String(t.seed, key) % uint64(len(t.until))
	t.mu.Lock()
	defer t.mu.Unlock()
	next := max(t.until[i], now.UnixMilli()) + t.every.Milliseconds()
	if next > now.Add(t.burst).UnixMilli() {
		return nil, false
	}
	t.until[i] = next
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.until[i] -= t.every.Milliseconds()
	}, true
}

// wait is how long take would refuse; 0 or less if it would not.
func (t *throttle) wait(key string, now time.Time) time.Duration {
	i := maphash.String(t.seed, key) % uint64(len(t.until))
	t.mu.Lock()
	defer t.mu.Unlock()
	next := max(t.until[i], now.UnixMilli()) + t.every.Milliseconds()
	return time.Duration(next-now.Add(t.burst).UnixMilli()) * time.Millisecond
}

// client is where a sign-in comes from: what the user gateway says, or function console of the person it signs in. IPv6
// addresses count by their /64, which one household has.
func client(c *faas.Call) string {
	from := c.Header.Values("X-Forwarded-For")
	if c.Caller.Kind == access.Part && c.Caller.ID == "console" {
		from = c.Header.Values(api.HeaderClient)
	}
	return network(from)
}

// network is that of the last address of X-Forwarded-For: only that was written by a proxy of ours, those before it are what
// the caller claims.
func network(forwarded []string) string {
	all := strings.Join(forwarded, ",")
	last := strings.TrimSpace(all[strings.LastIndexByte(all, ',')+1:])
	if host, _, err := net.SplitHostPort(last); err == nil {
		last = host
	}
	a, err := netip.ParseAddr(strings.Trim(last, "[]"))
	if err != nil {
		return ""
	}
	a = a.Unmap()
	if a.Is6() {
		p, _ := a.WithZone("").Prefix(64)
		return p.String()
	}
	return a.String()
}
