package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Errors of this package, to be compared with errors.Is.
var (
	ErrNotFound    = errors.New("no such key")                   // of Bucket.Get
	ErrConflict    = errors.New("key has changed meanwhile")     // of Bucket.Create and Bucket.Update
	ErrHeld        = errors.New("lease is held")                 // of Bus.Lease: by somebody else, or by an earlier self
	ErrNoListener  = errors.New("no connector listens")          // of Bus.Send
	ErrInvalid     = errors.New("not valid on the bus")          // of a name, a topic, an event, a call
	ErrTooLarge    = errors.New("too large for the bus")         // the server's limit of a message
	ErrFull        = errors.New("bus is full")                   // of Bus.Enqueue: callers try later
	ErrUnavailable = errors.New("bus is not reachable")          // callers try later
	ErrClosed      = errors.New("bus is closed in this process") // by Bus.Close
)

// JetStream's numbers of errors that the client does not name.
const (
	codeNoRoom            jetstream.ErrorCode = 10047
	codeStoreFailed       jetstream.ErrorCode = 10077
	codeMessageTooLarge   jetstream.ErrorCode = 10054
	codeWrongLastSequence jetstream.ErrorCode = 10071
	codeWrongLastConstant jetstream.ErrorCode = 10164
)

// cause gives an error of the NATS client the name this package has for it.
func (b *Bus) cause(err error) error {
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	case errors.Is(err, nats.ErrInvalidConnection), errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrReconnectBufExceeded),
		errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, jetstream.ErrAsyncPublishTimeout), errors.Is(err, jetstream.ErrTooManyStalledMsgs):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case !errors.As(err, &api):
		return err
	case api.ErrorCode == codeWrongLastSequence, api.ErrorCode == codeWrongLastConstant:
		return fmt.Errorf("%w: %w", ErrConflict, err)
	case api.ErrorCode == codeMessageTooLarge:
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	case api.ErrorCode == codeStoreFailed && api.Description == "maximum bytes exceeded":
		return fmt.Errorf("%w: %w", ErrFull, err)
	case api.ErrorCode == codeNoRoom:
		return fmt.Errorf("%w: its disk has too little room for the streams, which need about 4 GiB free: %w", ErrFull, err)
	case api.Code >= 500:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
