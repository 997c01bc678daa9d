package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// What is told live is kept in memory, for as long as a reader may be away without having to read everything anew.
const (
	liveStream  = "CASTOR_LIVE"
	liveSubject = "castor.live"
	liveBytes   = 64 << 20

	// LiveAge is how long it is kept.
	LiveAge = 2 * time.Minute

	// MaxLive is how many bytes one Tell may have.
	MaxLive = 256 << 10
)

// Tell publishes data to whoever follows what is told live (see Follow). It waits for nobody and promises nothing: for news
// that the next news replaces. It may block while the connection is stuck, so it is not for a caller's own way. Where nobody
// follows, the server drops it.
//
// Errors: ErrTooLarge for more than MaxLive, ErrUnavailable while the bus is away, ErrClosed.
func (b *Bus) Tell(data []byte) error {
	if len(data) > MaxLive {
		return fmt.Errorf("tell: %w: %d bytes, at most %d are taken", ErrTooLarge, len(data), MaxLive)
	}
	if err := b.conn.Publish(liveSubject, data); err != nil {
		return fmt.Errorf("tell: %w", b.cause(err))
	}
	return nil
}

// Connected tells whether the bus is reached now.
func (b *Bus) Connected() bool { return b.conn.IsConnected() }

// openLive makes the stream, unless it is there. Only who follows needs it. It is on one server, in memory: what is lost with
// it is told of as a gap.
func (b *Bus) openLive(ctx context.Context) error {
	_, err := b.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        liveStream,
		Description: "news of twins, for who looks at them now",
		Subjects:    []string{liveSubject},
		Storage:     jetstream.MemoryStorage,
		Discard:     jetstream.DiscardOld,
		NoAck:       true,
		Replicas:    1,
		MaxAge:      LiveAge,
		MaxBytes:    liveBytes,
		MaxMsgSize:  MaxLive + 1024,
	})
	return err
}
