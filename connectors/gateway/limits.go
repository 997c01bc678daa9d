package gateway

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/telemetry"
	"golang.org/x/time/rate"
)

// Limits bound what clients can cost. A zero field has the default given, where two are given the first is of an
// operational gateway.
type Limits struct {
	Connections int // at a time: 12,000; 1,000
	PacketSize  int // bytes of one message, with its head: telemetry.MaxPayload
	Window      int // messages of one session that are not acknowledged yet: 1,000; 8
	Retained    int // messages kept for sessions to come: 10,000

	// Handshakes is how many connections may be on their way to a session at a time: 512; 64. When all places are taken, a
	// newcomer gets the place of the one that has been on its way longest, if that is longer than Hurry: 2 s;
	// of one from the network (/24, /64) that most come from, at once.
	Handshakes int
	Hurry      time.Duration

	// AddressRate and AddressBurst are how many connections one address may open, per second and at once: 200 and 2,000; 20
	// and 200. FailureBurst is how many of them may fail to authenticate before the address is turned away unheard, and
	// FailureRate how many per second are forgiven: 50; 20, and 1.
	AddressRate  float64
	AddressBurst int
	FailureRate  float64
	FailureBurst int

	// Balancers are the addresses of TCP balancers in front, which hide the devices' own: a connection from there is one of
	// many devices', so the limits by address do not count for it. Those of all connections do.
	Balancers []netip.Prefix

	Handshake    time.Duration // until TLS stands, and again until the client has shown who it is: 10 s
	WriteTimeout time.Duration // until a device must have read what is sent to it: 20 s
	Keepalive    time.Duration // the longest silence a client may ask for: 30 min
	Drain        time.Duration // when stopping, for messages under way: 2 s
	Linger       time.Duration // how long a session of visits is kept after the last one: 90 s

	// Knockers is how many clients that have shown nothing may be there at a time: 200; places are given up as in Handshakes.
	// Knocks is how many knocks per second are heard in all: 20; KnockRate and KnockBurst how many of one address: 1 per minute,
	// and 5.
	Knockers   int
	Knocks     float64
	KnockRate  float64
	KnockBurst int
}

func (l Limits) withDefaults(p Phase) Limits {
	operational := p == Operational
	pick := func(a, b int) int {
		if operational {
			return a
		}
		return b
	}
	or(&l.Connections, pick(12_000, 1_000))
	or(&l.PacketSize, telemetry.MaxPayload)
	or(&l.Window, pick(1_000, 8))
	or(&l.Retained, 10_000)
	or(&l.Handshakes, pick(512, 64))
	or(&l.AddressRate, float64(pick(200, 20)))
	or(&l.AddressBurst, pick(2_000, 200))
	or(&l.FailureRate, 1)
	or(&l.FailureBurst, pick(50, 20))
	or(&l.Hurry, 2*time.Second)
	or(&l.Handshake, 10*time.Second)
	or(&l.WriteTimeout, 20*time.Second)
	or(&l.Keepalive, 30*time.Minute)
	or(&l.Drain, 2*time.Second)
	or(&l.Linger, 90*time.Second)
	or(&l.Knockers, 200)
	or(&l.Knocks, 20)
	or(&l.KnockRate, 1./60)
	or(&l.KnockBurst, 5)
	return l
}

func or[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// A guard turns away addresses that try too often, before they cost a handshake.
type guard struct {
	limits Limits
	hall   *hall
	lines  *rate.Limiter // of the log

	mu        sync.Mutex
	now, past map[netip.Addr]*visitor // past is forgotten when now is full, so that many addresses cost a bounded memory
}

type visitor struct{ tries, failures, knocks *rate.Limiter }

// maxVisitors is how many addresses each of the guard's two maps holds.
const maxVisitors = 20_000

func newGuard(l Limits) *guard {
	return &guard{limits: l, hall: newHall(l.Handshakes, l.Hurry), lines: rate.NewLimiter(1, 20), now: make(map[netip.Addr]*visitor)}
}

func (g *guard) visitor(a netip.Addr) *visitor {
	if a.Is6() {
		p, _ := a.Prefix(64) // one subscriber has at least that many addresses
		a = p.Addr()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.now[a]
	if v != nil {
		return v
	}
	if v = g.past[a]; v == nil {
		v = &visitor{
			tries:    rate.NewLimiter(rate.Limit(g.limits.AddressRate), g.limits.AddressBurst),
			failures: rate.NewLimiter(rate.Limit(g.limits.FailureRate), g.limits.FailureBurst),
			knocks:   rate.NewLimiter(rate.Limit(g.limits.KnockRate), g.limits.KnockBurst),
		}
	}
	if len(g.now) >= maxVisitors {
		g.now, g.past = make(map[netip.Addr]*visitor), g.now
	}
	g.now[a] = v
	return v
}

// mayTry tells whether a connection of this address is heard.
func (g *guard) mayTry(a netip.Addr) bool {
	if g.balancer(a) {
		return true
	}
	v := g.visitor(a)
	return v.failures.Tokens() >= 1 && v.tries.Allow()
}

// mayFail tells whether a client of this address, which is connected, may try once more.
func (g *guard) mayFail(a netip.Addr) bool {
	return g.balancer(a) || g.visitor(a).failures.Tokens() >= 1
}

func (g *guard) failed(a netip.Addr) {
	if !g.balancer(a) {
		g.visitor(a).failures.Allow()
	}
}

func (g *guard) balancer(a netip.Addr) bool {
	return slices.ContainsFunc(g.limits.Balancers, func(p netip.Prefix) bool { return p.Contains(a) })
}

// mayLog keeps strangers from filling the log.
func (g *guard) mayLog() bool { return g.lines.Allow() }
