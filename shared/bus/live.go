package bus

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What is told live is kept in memory, for as long as a reader may be away without having to read everything anew.
const (
	liveStream  = "CASTOR_LIVE"
	liveSubject = "castor.live"
	wantSubject = "castor.live.wanted"
	liveBytes   = 64 << 20

	// LiveAge is how long it is kept.
	LiveAge = 2 * time.Minute

	// wantFor is how long one Want counts: who comes back with a place in the stream was there less than LiveAge ago, and
	// finds nothing missing.
	wantFor = LiveAge + 15*time.Second

	// MaxLive is how many bytes one Tell may have.
	MaxLive = 256 << 10
)

// wants is whether anybody follows, as far as this process has heard.
type wants struct {
	listen sync.Once
	heard  atomic.Int64 // unix milliseconds
}

// Want has every process tell what it tells live, for two minutes: who follows calls it again and again. It returns when the
// server has it.
func (b *Bus) Want(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	err := b.conn.Publish(wantSubject, nil)
	if err == nil {
		err = b.conn.FlushWithContext(ctx)
	}
	if err != nil {
		return fmt.Errorf("want live news: %w", b.cause(err))
	}
	return nil
}

// Wanted tells whether somebody wants what Tell tells; if not, it need not even be made. A process that has just begun to ask
// is told so, because it may have missed what others heard.
func (b *Bus) Wanted() bool {
	w := &b.wants
	w.listen.Do(func() {
		w.heard.Store(time.Now().UnixMilli())
		if _, err := b.conn.Subscribe(wantSubject, func(*nats.Msg) { w.heard.Store(time.Now().UnixMilli()) }); err != nil {
			w.heard.Store(math.MaxInt64) // never to be missed
		}
	})
	return time.Now().UnixMilli() <= w.heard.Load() || time.Since(time.UnixMilli(w.heard.Load())) < wantFor
}

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
