package stream

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"golang.org/x/sync/errgroup"
)

const (
	presentFor = 30 * time.Second // how long it is believed that somebody is there
	askTime    = 3 * time.Second
	askAtOnce  = 8
)

// presence knows which people are there still: a token does not end when its person is disabled or deleted.
type presence struct {
	// me asks function users who it is that showed this at the door.
	me  func(ctx context.Context, shown http.Header) error
	now func() time.Time
	ask time.Duration

	mu   sync.Mutex
	last map[string]time.Time // when was asked, by caller
}

// gone tells whether function users says that the caller is not there any more. It asks once in a while only; an answer that
// does not come changes nothing.
func (p *presence) gone(ctx context.Context, c access.Caller, shown http.Header) bool {
	if c.Kind != access.User {
		return false
	}
	name, now := c.String(), p.now()
	p.mu.Lock()
	last, asked := p.last[name]
	if age := now.Sub(last); asked && age >= 0 && age < p.ask {
		p.mu.Unlock()
		return false
	}
	p.last[name] = now // others need not ask meanwhile
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	err := p.me(ctx, shown)
	var said *api.Problem
	if !errors.As(err, &said) || !errors.Is(err, access.ErrUnauthenticated) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.last, name) // who comes again is asked for again
	return true
}

// forget drops what is believed no longer.
func (p *presence) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, last := range p.last {
		if p.now().Sub(last) >= p.ask {
			delete(p.last, name)
		}
	}
}

// askingWho asks by calls that carry the reader's own token.
func askingWho(c *api.Client) func(context.Context, http.Header) error {
	return func(ctx context.Context, shown http.Header) error {
		_, err := holding(c, shown).Me(ctx)
		return err
	}
}

// track makes the stream one of those that end when their person is gone, until untrack is called.
func (c *Connector) track(r *reader, end context.CancelFunc) (untrack func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readers[r] = end
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.readers, r)
	}
}

// sweep ends the streams of people who are not there any more.
func (c *Connector) sweep(ctx context.Context) {
	c.presence.forget()
	of := map[string]*reader{} // one of each caller: the one whose token lasts longest
	c.mu.Lock()
	for r := range c.readers {
		name := r.caller.String()
		if of[name] == nil || of[name].caller.Expires.Before(r.caller.Expires) {
			of[name] = r
		}
	}
	c.mu.Unlock()
	var asking errgroup.Group
	asking.SetLimit(askAtOnce)
	for name, r := range of {
		asking.Go(func() error {
			if c.presence.gone(ctx, r.caller, r.shown) {
				c.end(name)
			}
			return nil
		})
	}
	_ = asking.Wait() // there are no errors
}

// end ends the streams of a caller.
func (c *Connector) end(caller string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for r, end := range c.readers {
		if r.caller.String() == caller {
			end()
		}
	}
}
