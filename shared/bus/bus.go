// Package bus is how the parts of the platform tell each other things, on NATS JetStream: events that are kept until
// every consumer has handled them, the queue of asynchronous function calls, downlinks to the connector that holds a
// device's session, buckets of what a gateway must know, and leases.
//
// It carries what it is given. What an event means, who may publish it and how a function is called is known elsewhere.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"
)

const (
	// publishWindow is how many events of one Bus may wait for their acknowledgement at a time, publishChunk how many of
	// one Publish. The window is several chunks so that one long Publish does not hold back short ones.
	publishWindow = 1024
	publishChunk  = 256

	publishTimeout = 10 * time.Second
	drainTimeout   = 5 * time.Second
)

// A Bus is one connection to the message system. It reconnects by itself for as long as it is open. Its methods may be
// called by several goroutines.
type Bus struct {
	conn     *nats.Conn
	js       jetstream.JetStream
	log      *slog.Logger
	replicas int
	guest    bool // it makes nothing on the server
	queue    int  // of one subscription of Watch
	window   *semaphore.Weighted
	closed   chan struct{}
	count    counters
	wants    wants
	unwatch  func() // ends the telling of counts

	mu           sync.Mutex
	reconnected  map[int]func() // called after each reconnect
	reconnectKey int
}

type options struct {
	nats     []nats.Option
	log      *slog.Logger
	replicas int
	guest    bool
	queue    int
}

// An Option changes how Connect connects.
type Option func(*options)

// InProcess connects to a server of this process without a socket. The url given to Connect is then not dialled.
func InProcess(server nats.InProcessConnProvider) Option {
	return func(o *options) { o.nats = append(o.nats, nats.InProcessServer(server)) }
}

// Credentials authenticates by a NATS credentials file (a JWT and its key).
func Credentials(file string) Option {
	return func(o *options) { o.nats = append(o.nats, nats.UserCredentials(file)) }
}

// Token authenticates by a token.
func Token(token string) Option {
	return func(o *options) { o.nats = append(o.nats, nats.Token(token)) }
}

// Name is how the connection is called in the server's lists; "castor" without it.
func Name(name string) Option {
	return func(o *options) { o.nats = append(o.nats, nats.Name(name)) }
}

// Logger receives what no caller can be told: lost connections, failed handlers, dead letters. slog.Default without it.
func Logger(log *slog.Logger) Option {
	return func(o *options) { o.log = log }
}

// Replicas is on how many servers of a cluster everything is kept: 1, 3 or 5; 1 without it. Streams and buckets that are on
// fewer move to more when they are opened; those that are on more already stay as they are.
func Replicas(n int) Option {
	return func(o *options) { o.replicas = n }
}

// WatchQueue is how many events may wait for a slow watcher before there is a gap; 10,000 without it.
func WatchQueue(n int) Option {
	return func(o *options) { o.queue = n }
}

// Connect opens the bus and makes the streams that are missing. It fails if the server cannot be reached now; later
// losses of the connection are repaired in the background.
func Connect(ctx context.Context, url string, opts ...Option) (*Bus, error) {
	o := options{log: slog.Default(), replicas: 1, queue: 10_000}
	for _, opt := range opts {
		opt(&o)
	}
	b := &Bus{
		log:         trace.Logger(o.log),
		replicas:    o.replicas,
		guest:       o.guest,
		queue:       o.queue,
		window:      semaphore.NewWeighted(publishWindow),
		closed:      make(chan struct{}),
		reconnected: make(map[int]func()),
	}
	conn, err := nats.Connect(url, append([]nats.Option{
		nats.Name("castor"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectBufSize(-1), // a publisher is told at once that the bus is away, it keeps its events itself
		nats.DrainTimeout(drainTimeout),
		nats.ClosedHandler(func(*nats.Conn) { close(b.closed) }),
		nats.DisconnectErrHandler(b.onDisconnect),
		nats.ReconnectHandler(b.onReconnect),
		nats.ErrorHandler(b.onError),
	}, o.nats...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to bus: %w", err)
	}
	b.conn = conn
	if b.js, err = jetstream.New(conn,
		jetstream.WithPublishAsyncMaxPending(4*publishWindow),
		jetstream.WithPublishAsyncTimeout(publishTimeout),
	); err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect to bus: %w", err)
	}
	if !b.guest {
		if err := b.createStreams(ctx); err != nil {
			conn.Close()
			return nil, err
		}
	}
	b.unwatch = metrics.Watch(b.measure)
	return b, nil
}

// Close lets handlers finish that are running, sends what is buffered and closes the connection. It returns after five
// seconds at the latest. Closing twice is allowed.
func (b *Bus) Close() error {
	b.unwatch()
	if err := b.conn.Drain(); err != nil {
		b.conn.Close() // closed already, or reconnecting: there is nothing to drain
	}
	select {
	case <-b.closed:
		return nil
	case <-time.After(drainTimeout + time.Second):
		b.conn.Close()
		return errors.New("close bus: handlers are still running")
	}
}

// Ping tells whether the bus can store events now.
func (b *Bus) Ping(ctx context.Context) error {
	if _, err := b.js.Stream(ctx, eventStream); err != nil {
		return fmt.Errorf("ping bus: %w", b.cause(err))
	}
	return nil
}

func (b *Bus) onDisconnect(_ *nats.Conn, err error) {
	if err != nil {
		b.log.Warn("bus disconnected", "error", err)
	}
}

func (b *Bus) onReconnect(conn *nats.Conn) {
	// Subscriptions are live again only when the server has read them.
	if err := conn.FlushTimeout(2 * time.Second); err != nil {
		return // it went away again, and will call again
	}
	b.log.Info("bus reconnected")
	b.mu.Lock()
	calls := make([]func(), 0, len(b.reconnected))
	for _, call := range b.reconnected {
		calls = append(calls, call)
	}
	b.mu.Unlock()
	for _, call := range calls {
		go call()
	}
}

func (b *Bus) onError(_ *nats.Conn, sub *nats.Subscription, err error) {
	subject := ""
	if sub != nil {
		subject = sub.Subject
	}
	b.log.Warn("bus error", "subject", subject, "error", err)
}

// onReconnected registers call for every reconnect until remove is called.
func (b *Bus) onReconnected(call func()) (remove func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reconnectKey++
	key := b.reconnectKey
	b.reconnected[key] = call
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.reconnected, key)
	}
}
