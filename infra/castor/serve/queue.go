package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/platform"
)

// retryAfter is between tries to reach the bus.
const retryAfter = 2 * time.Second

// A queue is the bus for asynchronous calls. The gateway starts without it: calls are answered 503 until it is there.
type queue struct {
	url  string
	opts []bus.Option
	log  *slog.Logger
	bus  atomic.Pointer[bus.Bus]
}

// newQueue returns nil where no bus is named.
func newQueue(env func(string) string, s platform.Secrets, log *slog.Logger) (*queue, error) {
	url := env("CASTOR_NATS_URL")
	if url == "" {
		return nil, nil
	}
	opts, err := platform.BusOptions(env, s)
	if err != nil {
		return nil, err
	}
	return &queue{url: url, opts: append(opts, bus.Logger(log), bus.Name("castor serve")), log: log}, nil
}

// Enqueue is part of gateway.Queue.
func (q *queue) Enqueue(ctx context.Context, c bus.Call) error {
	b := q.bus.Load()
	if b == nil {
		return fmt.Errorf("%w: the gateway has not reached it yet", bus.ErrUnavailable)
	}
	return b.Enqueue(ctx, c)
}

// run reaches the bus, as soon as it can be reached, and leaves it when ctx ends.
func (q *queue) run(ctx context.Context) error {
	for {
		b, err := bus.Connect(ctx, q.url, q.opts...)
		if err == nil {
			q.bus.Store(b)
			<-ctx.Done()
			return b.Close()
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil
		}
		q.log.Warn("bus not reached; asynchronous calls wait for it", "error", err)
		if !pause.For(ctx, retryAfter) {
			return nil
		}
	}
}
