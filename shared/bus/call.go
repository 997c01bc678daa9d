package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// MaxCallAttempts is how often a call is handed out before it is given up and kept as a dead letter.
const MaxCallAttempts = 8

// CallTimeout bounds one attempt of a call.
const CallTimeout = 5 * time.Minute

const (
	callWorkers   = "castor-call-workers"
	headerCall    = "Castor-Call"
	callBackoff   = time.Second
	maxCallHeader = 64 << 10
)

// A Call is a function call that somebody makes later.
type Call struct {
	ID       string      `json:"id"`
	Function string      `json:"function"`
	Method   string      `json:"method"`
	Path     string      `json:"path,omitempty"`  // below the function's name, with its slash; "" or "/x"
	Query    string      `json:"query,omitempty"` // raw, without "?"
	Header   http.Header `json:"header,omitempty"`
	Body     []byte      `json:"-"` // travels as the message itself

	// Callback is the URL that is told the result; "" for none.
	Callback string `json:"callback,omitempty"`

	// At is when the call was accepted.
	At time.Time `json:"at"`

	// Attempt is 1 when the call is handed out first. It is set by Calls and ignored by Enqueue.
	Attempt int `json:"-"`
}

// Enqueue returns when the call is stored. Calls are not deduplicated: an id often names a chain of calls, not one.
//
// Errors: ErrInvalid, ErrTooLarge, ErrFull, ErrUnavailable, or the context's.
func (b *Bus) Enqueue(ctx context.Context, c Call) error {
	if err := checkName("function", c.Function); err != nil {
		return fmt.Errorf("enqueue call: %w", err)
	}
	head, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("enqueue call of %s: %w: %w", c.Function, ErrInvalid, err)
	}
	if len(head) > maxCallHeader {
		return fmt.Errorf("enqueue call of %s: %w: headers, path and query have %d bytes, want %d at most", c.Function, ErrTooLarge, len(head), maxCallHeader)
	}
	m := nats.NewMsg(callSubject + c.Function)
	m.Header.Set(headerCall, string(head))
	m.Data = c.Body
	if _, err := b.js.PublishMsg(ctx, m); err != nil {
		return fmt.Errorf("enqueue call of %s: %w", c.Function, b.cause(err))
	}
	return nil
}

// Calls hands out calls to as many goroutines as workers says, until ctx ends; then it returns nil. All processes that
// call it share the queue. A call is over when handle returns nil; after an error (or a panic) it comes again, to whom
// is free, after a delay that doubles from one second, MaxCallAttempts times in all.
//
// Calls returns ErrClosed if the bus is closed while it runs.
func (b *Bus) Calls(ctx context.Context, workers int, handle func(context.Context, Call) error) error {
	p := puller{
		stream:     callStream,
		name:       callWorkers,
		batch:      1,
		backoff:    callBackoff,
		maxDeliver: MaxCallAttempts,
		timeout:    CallTimeout,
		handle: func(ctx context.Context, messages []jetstream.Msg) error {
			for _, m := range messages {
				var c Call
				if err := json.Unmarshal([]byte(m.Headers().Get(headerCall)), &c); err != nil {
					return fmt.Errorf("call of subject %s: %w", m.Subject(), err)
				}
				c.Body, c.Attempt = m.Data(), int(deliveries(m))
				if err := handle(ctx, c); err != nil {
					return err
				}
			}
			return nil
		},
	}
	group, ctx := errgroup.WithContext(ctx)
	for range max(workers, 1) {
		group.Go(func() error { return b.pull(ctx, p) })
	}
	return group.Wait()
}
