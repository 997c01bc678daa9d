package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// Visits are for protocols that authenticate each request: HTTP, and calls of gRPC. A device has one session all the same; it
// begins with the first visit and ends a while after the last.

// Visit finds or begins the client's session. open is called when it begins: it attaches what the protocol keeps for it, and
// returns what is to be called when it has ended and no visit is under way any more. done ends the visit, and must be called
// once. Visits of one session may be under way at the same time. A client whose session was begun by Enter visits that.
func (d *Door) Visit(ctx context.Context, shown Shown, open func(s *Session) (closed func())) (s *Session, done func(), err error) {
	for {
		c, err := d.authenticate(ctx, shown)
		if err == nil && c.Anonymous() {
			err = fmt.Errorf("%w: who has nothing to show does not stay", ErrRefused)
		}
		if err != nil {
			d.refuse(shown, err)
			return nil, nil, err
		}
		shown.Client = c.Client // a name that the door has chosen is found again
		if s, ok := d.sessions.get(c.Client); ok && s.Name == c.Name && s.visits.begin() {
			done := func() { s.visits.end(d.now()) }
			if s.visits.own {
				s.shows(c)
			}
			select {
			case <-s.attached:
				shown.welcome(s)
				return s, done, nil
			case <-s.done:
				done()
				continue
			case <-ctx.Done():
				done()
				return nil, nil, context.Cause(ctx)
			}
		}
		_, err, _ = d.visiting.Do(c.Client+"\x00"+c.Name, func() (any, error) {
			return nil, d.open(context.WithoutCancel(ctx), c, open) // for others too, who came a moment later
		})
		if err != nil {
			d.refuse(shown, err)
			return nil, nil, err
		}
	}
}

// Proof is what the client of a visit has shown, as far as that may be known: it may be another than the session was begun by.
func (d *Door) Proof(shown Shown) api.Shown {
	if c := shown.Certificate; c != nil {
		return api.Shown{Fingerprint: fingerprint(c)}
	}
	_, proof, _, _ := d.secret(shown)
	return api.Shown{Verifier: proof}
}

// open begins a session of visits. One that is there by now is as good.
func (d *Door) open(ctx context.Context, c *Session, open func(s *Session) (closed func())) error {
	if s, ok := d.sessions.get(c.Client); ok && s.Name == c.Name && s.Why() == nil {
		return nil
	}
	opened := make(chan func(), 1)
	c.visits.own, c.visits.last = true, d.now()
	err := d.enter(ctx, c, func(error) {
		closed := <-opened
		c.visits.shut()
		if closed != nil {
			closed()
		}
		c.Leave()
	})
	if err != nil {
		opened <- nil
		return err
	}
	opened <- open(c)
	return nil
}

// visits counts who is in a session.
type visits struct {
	own bool // the session lives by visits

	mu    sync.Mutex
	n     int
	last  time.Time // when one ended
	over  bool
	empty chan struct{} // closed when the last has ended after the session
}

// begin is false when the session has ended.
func (v *visits) begin() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.over {
		v.n++
	}
	return !v.over
}

func (v *visits) end(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.n--
	v.last = now
	if v.over && v.n == 0 {
		close(v.empty)
	}
}

// shut lets nobody in any more and waits until all have gone.
func (v *visits) shut() {
	v.mu.Lock()
	if !v.over {
		v.over, v.empty = true, make(chan struct{})
		if v.n == 0 {
			close(v.empty)
		}
	}
	v.mu.Unlock()
	<-v.empty
}

// idle tells whether a session that lives by visits has had none for longer than patience. It has none any more then: who comes
// now begins another, and is not sent away with this one.
func (v *visits) idle(now time.Time, patience time.Duration) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.own || v.over || v.n > 0 || now.Sub(v.last) <= patience {
		return false
	}
	v.over, v.empty = true, make(chan struct{})
	close(v.empty)
	return true
}
