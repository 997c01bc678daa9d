// Package link is what the platform offers a protocol: sessions of devices, whose messages are resolved to twins, decoded
// to the one platform message form (paper 4.9, FR8), stored by function twin-ingest in batches and acknowledged only
// then; provisioning requests and confirmations; and the way down to devices. It speaks no device protocol and sees no
// credential.
package link

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

// A Protocol is the link's way to devices. Its methods are called by several goroutines and must not block.
type Protocol interface {
	// Stored tells the device of s that everything of o.Epoch up to o.Seq, and of earlier epochs, is stored or parked.
	Stored(s *Session, o twin.Order)

	// Answer brings the answer to a provisioning request.
	Answer(c *Claimant, a api.ProvisionAnswer)

	// Deliver brings a message of the platform to a device, if it is connected here.
	Deliver(d bus.Downlink)

	// Command hands a command to the device of s. An error tells that the device has not got it and will not.
	Command(s *Session, d Down) error
}

// Config says what a link connects.
type Config struct {
	// Gateway describes the IoT gateway whose devices come by this link. ID, Phase, Protocol and URL are needed.
	Gateway api.Gateway

	// API calls the functions. Without an HTTP client it gets one that keeps as many connections as the link has calls.
	API      *api.Client
	Bus      *bus.Bus
	Protocol Protocol

	// Drivers runs the drivers that payloads of types need. Without, the link reads the wire contract only, whatever the types say;
	// provisioning gateways need none.
	Drivers *sandbox.Pool

	// Alive says whether the gateway can be used, before it is reported alive; nil = it can while the link runs.
	Alive func(ctx context.Context) error

	Limits Limits           // zero fields have defaults
	Now    func() time.Time // time.Now if nil
	Log    *slog.Logger     // slog.Default() if nil
}

// Limits bound what a link holds and asks of functions. A zero field has the default given.
type Limits struct {
	Lanes     int           // batches under way at a time: 8
	Batch     int           // messages per batch: 500
	BatchSize int           // bytes per batch, about: 4 MiB
	LaneSize  int           // bytes waiting per lane, about, before devices are held back: 16 MiB
	Requests  int           // provisioning calls at a time: 8
	ClaimRate float64       // provisioning requests per second of one claim: 20, with bursts of 100
	Timeout   time.Duration // of one call: 30 s
	Backoff   time.Duration // the longest pause between attempts: 5 s
	Cache     time.Duration // how long a mapping is believed: 60 s
	Drain     time.Duration // when stopping, for what is under way: 5 s
	Heartbeat time.Duration // between two reports that the gateway is alive: 15 s
	Confirm   time.Duration // for twin-provision to take a confirmation: 15 s
}

func (l Limits) withDefaults() Limits {
	or(&l.Lanes, 8)
	or(&l.Batch, 500)
	or(&l.BatchSize, 4<<20)
	or(&l.LaneSize, 16<<20)
	or(&l.Requests, 8)
	or(&l.ClaimRate, 20)
	or(&l.Timeout, 30*time.Second)
	or(&l.Backoff, 5*time.Second)
	or(&l.Cache, time.Minute)
	or(&l.Drain, 5*time.Second)
	or(&l.Heartbeat, 15*time.Second)
	or(&l.Confirm, 15*time.Second)
	l.Batch = min(l.Batch, telemetry.MaxBatch)
	return l
}

func or[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// A Link serves the devices of one gateway.
type Link struct {
	config   Config
	limits   Limits
	api      *api.Client
	log      *slog.Logger
	now      func() time.Time
	mappings *mappings
	drivers  *drivers // nil = the wire contract only
	decoders *decoders
	failures *failures
	said     said
	services *services
	lanes    []*lane
	commands *commands
	holder   string       // this process, in leases and heartbeats
	open     atomic.Int64 // sessions of devices
	claims   *claims
	renewals *claims       // by device reference
	calls    chan struct{} // places for provisioning calls
	knocks   chan struct{} // places for knocks of unknown devices
	work     context.Context
	stop     context.CancelFunc
	pending  sync.WaitGroup // provisioning calls
	count    counters
}

// New makes a link. Sessions may be opened at once; their messages wait for Run.
func New(c Config) (*Link, error) {
	if c.API == nil || c.Bus == nil || c.Protocol == nil {
		return nil, errors.New("link needs an API client, a bus and a protocol")
	}
	if g := c.Gateway; g.ID == "" || g.Phase == "" || g.Protocol == "" || g.URL == "" {
		return nil, fmt.Errorf("link: gateway %q needs an id, a phase, a protocol and a URL", g.ID)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	l := &Link{config: c, limits: c.Limits.withDefaults(), log: trace.Logger(c.Log).With("gateway", c.Gateway.ID), now: c.Now}
	l.services = newServices(c.API)
	routed := *c.API
	if routed.HTTP == nil { // Go's default keeps two connections per host, and would make new ones for each batch
		routed.HTTP = &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: l.limits.Lanes + l.limits.Requests + 4, IdleConnTimeout: time.Minute,
		}}
	}
	routed.Route = l.services.route
	l.api = &routed
	l.mappings, l.decoders, l.failures = newMappings(l), newDecoders(l), newFailures(l)
	if c.Drivers != nil {
		l.drivers = newDrivers(l)
	}
	l.commands, l.holder = newCommands(l), rand.Text()
	l.claims, l.renewals = newClaims(l.limits.ClaimRate, 100), newClaims(0.1, 5)
	l.calls, l.knocks = make(chan struct{}, l.limits.Requests), make(chan struct{}, knocking)
	for range l.limits.Lanes {
		l.lanes = append(l.lanes, newLane(l))
	}
	l.work, l.stop = context.WithCancel(context.Background())
	return l, nil
}

// Run works until ctx ends. Then what is under way is brought to an end, for a bounded time; what is not stored by then was
// not acknowledged either. The sessions' gateway should have stopped before.
func (l *Link) Run(ctx context.Context) error {
	defer metrics.Watch(l.measure)()
	var resolving, lanes sync.WaitGroup
	resolving.Go(func() { l.mappings.run(l.work) })
	resolving.Go(func() { l.commands.run(l.work) })
	resolving.Go(func() { l.failures.run(l.work) })
	if l.drivers != nil {
		resolving.Go(func() { l.drivers.run(l.work) })
	}
	for _, lane := range l.lanes {
		lanes.Go(func() { lane.run(l.work) })
	}
	var present sync.WaitGroup
	present.Go(func() { l.services.run(ctx, l.log) })
	present.Go(func() { l.advertise(ctx) })
	present.Go(func() { l.listen(ctx) })
	<-ctx.Done()
	present.Wait()
	drained := make(chan struct{})
	go func() {
		l.pending.Wait()
		l.decoders.running.Wait()
		for _, lane := range l.lanes {
			lane.drain()
		}
		lanes.Wait()
		close(drained)
	}()
	select {
	case <-drained:
	case <-time.After(l.limits.Drain):
		l.log.Warn("link stops with messages waiting, they were not acknowledged", "waiting", l.Stats().Waiting)
		l.stop()
		<-drained
	}
	l.stop()
	resolving.Wait()
	if l.config.API.HTTP == nil {
		l.api.HTTP.CloseIdleConnections()
	}
	return nil
}

// Around runs the link as long as gateway runs, and until what that has taken is brought to the platform: the gateway ends first.
func (l *Link) Around(ctx context.Context, gateway func(ctx context.Context) error) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	linked := make(chan error, 1)
	go func() { linked <- l.Run(work) }()
	err := gateway(ctx)
	stop()
	return errors.Join(err, <-linked)
}

// listen keeps the two subscriptions: events that empty the cache of mappings, and downlinks.
func (l *Link) listen(ctx context.Context) {
	for ctx.Err() == nil {
		stop, err := l.subscribe()
		if err == nil {
			<-ctx.Done()
			stop()
			return
		}
		l.log.Warn("link cannot listen to the bus", "error", err)
		pause.For(ctx, time.Second)
	}
}

func (l *Link) subscribe() (stop func(), err error) {
	unwatch, err := l.config.Bus.Watch([]event.Topic{event.CredentialChanged}, l.mappings.changed, l.mappings.clear)
	if err != nil {
		return nil, err
	}
	l.mappings.clear() // nothing told of changes until now
	undriver, err := l.watchDrivers()
	if err != nil {
		unwatch()
		return nil, err
	}
	undown, err := l.config.Bus.Downlinks(l.config.Gateway.ID, l.deliver)
	if err != nil {
		undriver()
		unwatch()
		return nil, err
	}
	return func() { undown(); undriver(); unwatch() }, nil
}

type counters struct{ batches, stored, parked, refused, retried, lost atomic.Uint64 }

// Stats are counts since New.
type Stats struct {
	Batches uint64 // calls of twin-ingest that were answered
	Stored  uint64 // messages
	Parked  uint64 // messages kept raw
	Refused uint64 // messages of retired twins and of replaced devices
	Retried uint64 // messages that twin-ingest wanted again
	Lost    uint64 // messages that were never acknowledged, because the link stopped or twin-ingest would not read them
	Waiting int    // messages received and not settled, now
}

// Stats returns the counts so far.
func (l *Link) Stats() Stats {
	s := Stats{
		Batches: l.count.batches.Load(), Stored: l.count.stored.Load(), Parked: l.count.parked.Load(), Refused: l.count.refused.Load(),
		Retried: l.count.retried.Load(), Lost: l.count.lost.Load(),
	}
	s.Waiting = int(l.decoders.inside.Load())
	for _, lane := range l.lanes {
		s.Waiting += lane.waiting()
	}
	return s
}

func (l *Link) measure(s *metrics.Scrape) {
	n, gateway := l.Stats(), l.config.Gateway.ID
	s.Set(metrics.LinkBatches, float64(n.Batches), gateway)
	s.Set(metrics.LinkWaiting, float64(n.Waiting), gateway)
	for outcome, v := range map[string]uint64{"stored": n.Stored, "parked": n.Parked, "refused": n.Refused, "retry": n.Retried, "lost": n.Lost} {
		s.Set(metrics.LinkMessages, float64(v), gateway, outcome)
	}
}
