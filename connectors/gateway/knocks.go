package gateway

import (
	"fmt"
	"net/netip"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// knocks bound what those cost who show nothing: they may ask to be waited for, and cost no call before they are counted here.
type knocks struct {
	hall      *hall
	all       *rate.Limiter
	throttled atomic.Uint64
}

func newKnocks(l Limits) *knocks {
	return &knocks{hall: newHall(l.Knockers, l.Hurry), all: rate.NewLimiter(rate.Limit(l.Knocks), max(1, int(l.Knocks)))}
}

// may tells whether a client of this address has a knock left, before it is let in for one.
func (k *knocks) may(g *guard, a netip.Addr) error {
	if !g.balancer(a) && g.visitor(a).knocks.Tokens() < 1 {
		k.throttled.Add(1)
		return fmt.Errorf("%w: this address has knocked too often", ErrThrottled)
	}
	return nil
}

// Knock takes one knock of a client that has shown nothing. ErrThrottled if its address, or all together, knock too often: it is
// to be made before anything is done for the knock.
func (s *Session) Knock() error {
	d := s.door
	if !s.Anonymous() {
		return fmt.Errorf("%w: who has a claim does not knock", ErrRefused)
	}
	if !d.guard.balancer(s.Address) && !d.guard.visitor(s.Address).knocks.Allow() {
		d.knocks.throttled.Add(1)
		return fmt.Errorf("%w: an address may knock %d times, then once a minute", ErrThrottled, d.config.Limits.KnockBurst)
	}
	if !d.knocks.all.Allow() {
		d.knocks.throttled.Add(1)
		return fmt.Errorf("%w: too many devices knock", ErrThrottled)
	}
	if s.conn != nil {
		s.conn.unheard.Store(maxUnheard) // for the next
	}
	return nil
}
