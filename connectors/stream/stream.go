// Package stream is the connector of people who look at twins now: it takes what happens from the bus and writes it to each
// reader, as server-sent events, as far as the reader may see it. A function answers whole and cannot do that.
//
// It keeps nothing but one bounded ring of the newest news, for all readers of the process; it opens no store, and has no right
// of its own to anything: which grants a reader has it asks with the reader's token. Any number of replicas run side by side, and a
// reader goes on at any of them with the id of the last frame it had.
package stream

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/trace"
	"golang.org/x/sync/errgroup"
)

// Config says what a connector stands on.
type Config struct {
	Bus *bus.Bus

	// API is where functions authorization and users are asked. Only its URL and HTTP count.
	API *api.Client

	// Authenticate tells who calls, and what header shows that again: *platform.Platform's SignedIn.
	Authenticate func(context.Context, http.Header) (c access.Caller, shown http.Header, err error)

	// Secret is the same in all replicas; ids of frames are sealed with it.
	Secret []byte

	// Streams bounds those that are open at a time, PerCaller those of one caller; 2,000 and 20 if zero.
	Streams, PerCaller int

	Log *slog.Logger     // slog.Default if nil
	Now func() time.Time // what tokens and grants go by; time.Now if nil
}

// A Connector is made by New. It serves GET /stream while Run runs.
type Connector struct {
	Config
	ring     *ring
	sights   *sights
	presence *presence
	seal     seal
	beat     time.Duration
	stopping chan struct{}
	count    counters

	mu      sync.Mutex
	open    map[string]int // streams by caller
	readers map[*reader]context.CancelFunc
	all     int
	reading int // those of them that want readings
}

type counters struct{ frames, reloads, refused atomic.Uint64 }

// New returns a connector. Its only error is that of a Secret that no key can be made of.
func New(c Config) (*Connector, error) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Log = trace.Logger(c.Log)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Streams <= 0 {
		c.Streams = 2000
	}
	if c.PerCaller <= 0 {
		c.PerCaller = 20
	}
	s, err := newSeal(c.Secret)
	if err != nil {
		return nil, err
	}
	return &Connector{Config: c, ring: newRing(time.Now), sights: &sights{read: asking(c.API), now: c.Now}, seal: s,
		presence: &presence{me: askingWho(c.API), now: c.Now, ask: presentFor, last: map[string]time.Time{}},
		beat:     beatEvery, stopping: make(chan struct{}), open: map[string]int{}, readers: map[*reader]context.CancelFunc{}}, nil
}

// Ready returns nil when readers can be served as well as by any other replica.
func (c *Connector) Ready() error {
	if !c.ring.ready() {
		return errStarting
	}
	return nil
}

// Run follows the bus until ctx ends; then all streams are ended. It runs once.
func (c *Connector) Run(ctx context.Context) error {
	defer metrics.Watch(c.measure)()
	group, ctx := errgroup.WithContext(ctx)
	context.AfterFunc(ctx, func() { close(c.stopping) })
	group.Go(func() error {
		return c.Bus.Follow(ctx, bus.Follow{Topics: topics, Back: maxAge,
			Begin:  func(since time.Time) { c.sights.forget(""); c.ring.begin(events, since) },
			Filled: func() { c.ring.fill(events) }, Each: func(m bus.Followed) { c.event(ctx, m) }})
	})
	group.Go(func() error {
		return c.Bus.Follow(ctx, bus.Follow{Live: true, Back: maxAge,
			Begin:  func(since time.Time) { c.ring.begin(live, since) },
			Filled: func() { c.ring.fill(live) }, Each: func(m bus.Followed) { c.told(ctx, m) }})
	})
	group.Go(func() error { return every(ctx, wantEvery, func() { c.want(ctx) }) })
	group.Go(func() error { return every(ctx, maxAge/8, c.ring.expire) })
	group.Go(func() error { return every(ctx, c.presence.ask/3, func() { c.sweep(ctx) }) })
	return group.Wait()
}

// wantEvery is how often this process says that somebody looks, and wantTime how long a new reader waits for that to be said.
const (
	wantEvery = 5 * time.Second
	wantTime  = time.Second
)

// every does something again and again until ctx ends.
func every(ctx context.Context, d time.Duration, do func()) error {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			do()
		}
	}
}

// want has readings told while somebody reads them: where nobody looks, they cost nothing.
func (c *Connector) want(ctx context.Context) {
	c.mu.Lock()
	reading := c.reading
	c.mu.Unlock()
	if reading > 0 {
		c.wantNow(ctx)
	}
}

func (c *Connector) wantNow(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, wantTime)
	defer cancel()
	if err := c.Bus.Want(ctx); err != nil && ctx.Err() == nil {
		c.Log.InfoContext(ctx, "nobody was told that readings are wanted; it is said again", "error", err)
	}
}

// event takes an event of the bus. Grants are forgotten before readers hear that they have changed.
func (c *Connector) event(ctx context.Context, m bus.Followed) {
	e, err := eventOf(m.Seq, m.At, m.Data)
	switch {
	case err != nil:
		c.Log.WarnContext(ctx, "event cannot be shown", "error", err)
	case e != nil:
		if e.topic == topicGrants {
			c.sights.forget(e.subject)
		}
		c.ring.append(e)
	}
}

func (c *Connector) told(ctx context.Context, m bus.Followed) {
	e, err := liveOf(m.Seq, m.At, m.Data)
	if err != nil {
		c.Log.WarnContext(ctx, "live news cannot be shown", "error", err)
		return
	}
	c.ring.append(e)
}
