package gateway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	leaveOut    = 500 * time.Millisecond // a replica that did not take a call, at first; doubled each time it happens again
	leaveOutMax = 8 * time.Second
	lookupAge   = 3 * time.Second // after which a host name is looked up again
	lookupTime  = 5 * time.Second
	maxPerName  = 64 // addresses of one host name
)

// replicas are those of one function. The least loaded of two random ones gets a call: a replica that hangs gets few, and
// nobody has to measure anything.
type replicas struct {
	resolve func(context.Context, string) ([]netip.Addr, error)
	now     func() time.Time

	mu    sync.Mutex
	bases []*base
}

// A base is one of a function's upstreams: one replica, or one for each address of its host name.
type base struct {
	url      *url.URL
	name     string // to be looked up; "" if the URL is that of one replica
	replicas []*replica

	looked  time.Time
	looking chan struct{} // closed when the lookup that is under way ends; nil if none is
}

// A replica is one process that takes calls of a function.
type replica struct {
	url      url.URL // its Host is what is dialled
	host     string  // what it is called, for the Host header
	inFlight int
	failures int       // in a row
	out      time.Time // it is left out until then
}

// Check tells, naming the function, which of its upstreams are none.
func (f Function) Check() error {
	for _, u := range f.Upstreams {
		if _, err := parseBase(u); err != nil {
			return fmt.Errorf("function %s: %w", f.Name, err)
		}
	}
	return nil
}

func (f Function) bases() []*base {
	var bases []*base
	for _, u := range f.Upstreams {
		if b, err := parseBase(u); err == nil {
			bases = append(bases, b)
		}
	}
	return bases
}

func parseBase(s string) (*base, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is no base URL of a replica: it must be like http://twins-1:8080", s)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	b := &base{url: u}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil && u.Scheme == "http" {
		b.name = u.Hostname()
	} else {
		b.replicas = []*replica{{url: *u, host: u.Host}}
	}
	return b, nil
}

// set replaces the upstreams; those that stay keep what is known of them.
func (r *replicas) set(bases []*base) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := make(map[string]*base, len(r.bases))
	for _, b := range r.bases {
		old[b.url.String()] = b
	}
	r.bases = nil
	for _, b := range bases {
		key := b.url.String()
		if known, ok := old[key]; ok {
			b = known
			delete(old, key) // one that is given twice is one
		} else if r.has(key) {
			continue
		}
		r.bases = append(r.bases, b)
	}
}

func (r *replicas) has(key string) bool {
	for _, b := range r.bases {
		if b.url.String() == key {
			return true
		}
	}
	return false
}

// take returns a replica that is not in tried, and counts a call as under way there; nil if there is none. Replicas that are
// left out come last: one that is back need not wait until somebody notices.
func (r *replicas) take(ctx context.Context, tried map[*replica]bool) *replica {
	lookups := r.lookUp()
	p := r.pick(tried)
	for _, done := range lookups {
		if p != nil { // no call waits for a name server while there is somebody to call
			break
		}
		select {
		case <-done:
			p = r.pick(tried)
		case <-ctx.Done():
			return nil
		}
	}
	return p
}

func (r *replicas) pick(tried map[*replica]bool) *replica {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	var in, out []*replica
	for _, b := range r.bases {
		for _, p := range b.replicas {
			switch {
			case tried[p]:
			case now.Before(p.out):
				out = append(out, p)
			default:
				in = append(in, p)
			}
		}
	}
	if len(in) == 0 {
		in = out
	}
	if len(in) == 0 {
		return nil
	}
	i := rand.IntN(len(in))
	p := in[i]
	if len(in) > 1 {
		j := rand.IntN(len(in) - 1)
		if j >= i {
			j++
		}
		if in[j].inFlight < p.inFlight {
			p = in[j]
		}
	}
	p.inFlight++
	return p
}

// done tells what became of a call: a replica that did not take or finish it is left out for a while.
func (r *replicas) done(p *replica, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.inFlight--
	if ok {
		p.failures, p.out = 0, time.Time{}
		return
	}
	p.out = r.now().Add(min(leaveOut<<min(p.failures, 8), leaveOutMax))
	p.failures++
	for _, b := range r.bases {
		if b.name != "" {
			b.looked = time.Time{} // there may be another in its place
		}
	}
}

// release ends a call that says nothing of its replica.
func (r *replicas) release(p *replica) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.inFlight--
}

// count tells how many there are, and how many of them are not left out.
func (r *replicas) count() (all, available int) {
	r.lookUp() // for the next time: nobody waits here
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	for _, b := range r.bases {
		for _, p := range b.replicas {
			all++
			if !now.Before(p.out) {
				available++
			}
		}
	}
	return all, available
}

// joined is a host and a port as a URL has them; port may be "".
func joined(addr netip.Addr, port string) string {
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(addr.String(), port)
}
