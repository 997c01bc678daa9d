// Package events turns what happens into function calls: events of the bus, the clock, and calls that were queued. Which
// function wants what is read from the functions' annotations, so a new function needs no change here:
//
//	topic: alarm.raised,alarm.cleared    POST /function/<name>/events with a JSON array of events
//	schedule: "@every 5s"                POST /function/<name>/schedule with the planned time in X-Castor-Planned
//
// It is a connector: it lives long, holds no state of its own, and may run in several replicas. Everything it calls may be
// called twice. It does not know what an event means.
package events

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/dial"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/trace"
	"golang.org/x/sync/errgroup"
)

// Config says what to connect.
type Config struct {
	Bus *bus.Bus

	// Gateway is the URL of the user gateway: "http://127.0.0.1:8080".
	Gateway string

	// User and Password may list functions at the gateway.
	User, Password string

	// Authorize returns the Authorization header for the connector's own calls of a function: events and schedules. Queued
	// calls carry what their caller gave and never this. Nil sends none.
	Authorize func(ctx context.Context, function string) (header string, err error)

	// Renew says that a function refused a header of Authorize with 401. If Authorize returns another one then, the call is
	// made once more with it. Nil: a refused call is one that failed.
	Renew func(function, header string)

	// API registers the functions in the service directory, by their annotation castor.capabilities; nil does not.
	API *api.Client

	// Workers is how many queued calls are made at a time; 8 if zero.
	Workers int

	// Refresh is how often the list of functions is read again; ten seconds if zero.
	Refresh time.Duration

	// Grace is how long calls that are under way when Run shall end may take to end by themselves; ten seconds if zero.
	Grace time.Duration

	// PrivateCallbacks allows results of queued calls to be sent to loopback and private addresses. Anybody who can reach
	// the gateway can name a callback, so without it they reach public addresses only.
	PrivateCallbacks bool

	Transport http.RoundTripper // to the gateway; one made for many calls to one host if nil
	Log       *slog.Logger      // slog.Default if nil
	Now       func() time.Time  // time.Now if nil
}

// Stats are counts since the connector was made.
type Stats struct {
	Events          uint64 // handled by a function
	EventsFailed    uint64 // deliveries that a function refused
	Ticks           uint64 // of schedules, handled
	TicksFailed     uint64 // given up
	Calls           uint64 // queued calls that ended, with whatever status
	CallsRetried    uint64 // attempts that will be followed by another
	CallsFailed     uint64 // given up
	Callbacks       uint64 // results delivered
	CallbacksFailed uint64 // results given up
	Functions       uint64 // functions with a topic or a schedule, now
}

type counters struct {
	events, eventsFailed, ticks, ticksFailed, calls, callsRetried, callsFailed, callbacks, callbacksFailed, functions atomic.Uint64
}

// A Connector connects one bus with one gateway.
type Connector struct {
	Config
	gateway  *http.Client
	callback *http.Client
	results  *results
	count    counters
	listed   atomic.Bool
}

// New returns a connector that does nothing before Run.
func New(c Config) *Connector {
	c.Gateway = strings.TrimSuffix(c.Gateway, "/")
	if c.Workers <= 0 {
		c.Workers = 8
	}
	if c.Refresh <= 0 {
		c.Refresh = 10 * time.Second
	}
	if c.Grace <= 0 {
		c.Grace = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Log = trace.Logger(c.Log)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Transport == nil {
		c.Transport = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout: 5 * time.Second,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     time.Minute,
		}
	}
	connector := &Connector{
		Config:   c,
		gateway:  &http.Client{Transport: c.Transport, CheckRedirect: dial.NoRedirect},
		callback: callbackClient(c.PrivateCallbacks),
	}
	connector.results = newResults(connector)
	return connector
}

// Run is New(c).Run(ctx).
func Run(ctx context.Context, c Config) error { return New(c).Run(ctx) }

// Run connects until ctx ends; then it returns nil. Calls that are under way get Grace to end; what is broken off then comes
// again, here or in another replica. It waits for a gateway that is not there yet. It returns an error if the bus is closed meanwhile.
func (c *Connector) Run(ctx context.Context) error {
	ticks, err := c.Bus.Bucket(ctx, tickBucket)
	if err != nil {
		return fmt.Errorf("run events: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.Bus.Calls(ctx, c.Workers, c.makeCall) })
	group.Go(func() error { return c.follow(ctx, ticks) })
	group.Go(func() error { c.measure(ctx); return nil })
	err = group.Wait()
	c.results.drain(c.Grace)
	return err
}

// Ready returns nil once the functions have been listed.
func (c *Connector) Ready() error {
	if !c.listed.Load() {
		return fmt.Errorf("the functions behind %s are not listed yet", c.Gateway)
	}
	return nil
}

// Stats returns the counts so far.
func (c *Connector) Stats() Stats {
	n := &c.count
	return Stats{
		Events: n.events.Load(), EventsFailed: n.eventsFailed.Load(),
		Ticks: n.ticks.Load(), TicksFailed: n.ticksFailed.Load(),
		Calls: n.calls.Load(), CallsRetried: n.callsRetried.Load(), CallsFailed: n.callsFailed.Load(),
		Callbacks: n.callbacks.Load(), CallbacksFailed: n.callbacksFailed.Load(),
		Functions: n.functions.Load(),
	}
}

// follow keeps one goroutine for every wish of every function, as the list of functions changes.
func (c *Connector) follow(ctx context.Context, ticks *bus.Bucket) error {
	running := make(map[wish]func())
	defer func() {
		var all sync.WaitGroup
		for _, stop := range running {
			all.Go(stop)
		}
		all.Wait()
	}()
	for failed := false; ; {
		wait := c.Refresh
		functions, err := c.list(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil: // go on with those we know
			wait = min(wait, time.Second)
			if !failed {
				c.Log.Warn("functions not listed, trying again", "gateway", c.Gateway, "error", err)
			}
		default:
			c.apply(ctx, ticks, running, c.wishes(functions))
			c.listed.Store(true)
			wait = c.advertise(ctx, functions, wait)
		}
		failed = err != nil
		if !pause.For(ctx, wait) {
			return nil
		}
	}
}

func (c *Connector) apply(ctx context.Context, ticks *bus.Bucket, running map[wish]func(), wishes map[wish]bool) {
	for w, stop := range running {
		if !wishes[w] {
			stop()
			delete(running, w)
		}
	}
	functions := make(map[string]bool)
	for w := range wishes {
		functions[w.function] = true
		if running[w] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if w.schedule != "" {
				c.tick(ctx, ticks, w)
			} else {
				c.consume(ctx, w)
			}
		}()
		running[w] = func() { cancel(); <-done }
	}
	c.count.functions.Store(uint64(len(functions)))
}
