package events

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/dial"
)

// Bounds of the results that are to be sent. Who asks for calls names the host, and may name one that answers slowly or
// never: no host takes more than its share of any of them.
const (
	callbackTime  = 20 * time.Second // of one try
	callbackTries = 5

	sendAtOnce     = 32
	sendToHost     = 2
	maxWaiting     = 2048
	maxWaitingHost = 512
	maxBytes       = 64 << 20
	maxBytesHost   = maxBytes / 4
)

var errCrowded = errors.New("too many results wait for callbacks that answer slowly")

// results sends the results of queued calls, apart from the workers that make the calls: a callback that does not answer
// holds up other results for its own host only. A result that does not get through is lost, and one that waits when the
// process is killed too: making the call again for it would do the work twice.
type results struct {
	c *Connector

	mu      sync.Mutex
	waiting []*outcome // those that wait longest first
	hosts   map[string]*share
	all     share
	last    bool          // we are stopping: every result gets one more try
	idle    chan struct{} // closed when we are stopping and nothing is left
	empty   func()        // closes it
	stop    context.Context
	broken  context.CancelFunc
}

// An outcome is a result on its way.
type outcome struct {
	ctx    context.Context
	call   bus.Call
	result result
	host   string
	tries  int
	due    time.Time
}

// A share is what one host, or all together, take of the bounds.
type share struct{ sending, held, bytes int }

func newResults(c *Connector) *results {
	s := &results{c: c, hosts: make(map[string]*share), idle: make(chan struct{})}
	s.empty = sync.OnceFunc(func() { close(s.idle) })
	s.stop, s.broken = context.WithCancel(context.Background())
	return s
}

// add has a result sent, or gives it up at once where its host has its share of what waits.
func (s *results) add(ctx context.Context, call bus.Call, r result) {
	o := &outcome{ctx: ctx, call: call, result: r, host: hostOf(call.Callback)}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hosts[o.host]
	if h == nil {
		h = &share{}
	}
	n := len(r.body)
	if h.held >= maxWaitingHost || s.all.held >= maxWaiting || h.held > 0 && h.bytes+n > maxBytesHost || s.all.bytes+n > maxBytes {
		s.giveUp(o, errCrowded)
		return
	}
	s.hosts[o.host] = h
	for _, x := range []*share{h, &s.all} {
		x.held++
		x.bytes += n
	}
	s.waiting = append(s.waiting, o)
	s.next()
}

// hostOf is whom a callback burdens: names are compared without case, port and the root's dot.
func hostOf(callback string) string {
	u, err := url.Parse(callback)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
}

// next begins to send what is due, as far as there is room. It is called with the lock held.
func (s *results) next() {
	now := time.Now()
	s.waiting = slices.DeleteFunc(s.waiting, func(o *outcome) bool {
		h := s.hosts[o.host]
		if s.all.sending >= sendAtOnce || h.sending >= sendToHost || o.due.After(now) && !s.last {
			return false
		}
		h.sending++
		s.all.sending++
		go s.send(o)
		return true
	})
}

// send tries once, and puts the result back if another try may help.
func (s *results) send(o *outcome) {
	ctx, cancel := context.WithTimeout(o.ctx, callbackTime)
	defer context.AfterFunc(s.stop, cancel)()
	defer cancel()
	err := s.c.report(ctx, o.call, o.result)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts[o.host].sending--
	s.all.sending--
	if o.tries++; err != nil && o.tries < callbackTries && !errors.Is(err, dial.ErrPrivate) && !errors.Is(err, dial.ErrLinkLocal) && !s.last {
		pause := time.Second << (o.tries - 1)
		o.due = time.Now().Add(pause)
		s.waiting = append(s.waiting, o)
		time.AfterFunc(pause, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.next()
		})
	} else {
		s.forget(o)
		if err == nil {
			s.c.count.callbacks.Add(1)
		} else {
			s.giveUp(o, err)
		}
	}
	s.next()
	s.ended()
}

func (s *results) forget(o *outcome) {
	h := s.hosts[o.host]
	for _, x := range []*share{h, &s.all} {
		x.held--
		x.bytes -= len(o.result.body)
	}
	if h.held == 0 {
		delete(s.hosts, o.host)
	}
}

func (s *results) giveUp(o *outcome, err error) {
	s.c.count.callbacksFailed.Add(1)
	s.c.Log.WarnContext(o.ctx, "result of a call not delivered", "function", o.call.Function, "tries", o.tries, "error", err)
}

func (s *results) ended() {
	if s.last && s.all.held == 0 {
		s.empty()
	}
}

// drain gives every result one more try; what is left after grace is given up. No call is under way any more.
func (s *results) drain(grace time.Duration) {
	s.mu.Lock()
	s.last = true
	s.next()
	s.ended()
	s.mu.Unlock()
	select {
	case <-s.idle:
		return
	case <-time.After(grace):
	}
	s.mu.Lock()
	for _, o := range s.waiting {
		s.forget(o)
		s.giveUp(o, context.Canceled)
	}
	if s.waiting = nil; s.all.held == 0 {
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	s.broken()
	<-s.idle
}
