package users

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// Failed sign-ins that are borne: a burst, then one per interval. Successful ones do not count.
//
// One address cannot guess: it has few failures for a name, and some more for all names. Many addresses together have more for a
// name, for a stranger's failures must not keep its owner out. When those are spent, each address still has its first attempt
// and one a minute: guessing is slow from everywhere, and the owner signs in.
const (
	pairBurst, pairEvery     = 10, 5 * time.Second // for a name, by an address
	clientBurst, clientEvery = 100, time.Second    // by an address
	nameBurst, nameEvery     = 300, 2 * time.Second
	firmBurst, firmEvery     = 1, time.Minute // for a name whose failures are spent, by an address
)

// failures counts the sign-ins that failed.
type failures struct {
	mu                          sync.Mutex // so that of many at once none slips through
	pairs, clients, names, firm *throttle
}

func newFailures() *failures {
	return &failures{pairs: newThrottle(pairBurst, pairEvery), clients: newThrottle(clientBurst, clientEvery),
		names: newThrottle(nameBurst, nameEvery), firm: newThrottle(firmBurst, firmEvery)}
}

// check returns the error of a sign-in that comes too early.
func (f *failures) check(name, client string, now time.Time) error {
	pair := name + "\x00" + client
	wait := max(f.pairs.wait(pair, now), f.clients.wait(client, now))
	if f.names.wait(name, now) > 0 {
		wait = max(wait, f.firm.wait(pair, now))
	}
	if wait <= 0 {
		return nil
	}
	seconds := int((wait + time.Second - 1) / time.Second)
	return &api.Problem{Title: "Too many failed sign-ins", Status: http.StatusTooManyRequests, RetryAfter: seconds,
		Detail: fmt.Sprintf("too many failed sign-ins; the next one is possible in %d s", seconds)}
}

// take counts a failure and returns the way to take it back, or the error of check.
func (f *failures) take(name, client string, now time.Time) (forgive func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(name, client, now); err != nil {
		return nil, err
	}
	pair := name + "\x00" + client
	var back []func()
	for _, c := range []struct {
		t   *throttle
		key string
	}{{f.pairs, pair}, {f.clients, client}, {f.names, name}, {f.firm, pair}} {
		if b, ok := c.t.take(c.key, now); ok { // those of the name may be spent
			back = append(back, b)
		}
	}
	return func() {
		for _, b := range back {
			b()
		}
	}, nil
}
