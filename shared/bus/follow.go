package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/nats-io/nats.go/jetstream"
)

// A Follow says what to follow: events of topics, or what Tell tells.
type Follow struct {
	Topics []event.Topic
	Live   bool // what Tell tells, in place of events

	// Back is how far back it begins.
	Back time.Duration

	// Begin is called before the first message, and again whenever some may have been missed. Everything that was published
	// since then (ever, if zero) follows, in order and once; so some of it may come a second time. Filled is called after it, when what was
	// stored at the beginning has come.
	Begin  func(since time.Time)
	Filled func()

	// Each takes a message.
	Each func(Followed)
}

// Followed is one message, as it was stored.
type Followed struct {
	Seq  uint64 // grows
	At   time.Time
	Data []byte // an event as JSON, or what was told
}

// Follow calls f's functions, one at a time, until ctx ends; then it returns nil. Several who follow hear everything each; none
// of them keeps the others or a publisher waiting. Trouble is logged and tried again: it goes on behind the last message
// where that is possible.
//
// Errors: ErrInvalid for malformed topics, ErrClosed when the bus is closed while it runs.
func (b *Bus) Follow(ctx context.Context, f Follow) error {
	w := following{Follow: f, bus: b, stream: liveStream, subjects: []string{liveSubject}}
	if !f.Live {
		subjects, err := topicSubjects(f.Topics)
		if err != nil {
			return fmt.Errorf("follow: %w", err)
		}
		w.stream, w.subjects = eventStream, subjects
	}
	for {
		err := w.run(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case b.conn.IsClosed():
			return fmt.Errorf("follow %s: %w", w.stream, ErrClosed)
		}
		b.log.Info("bus followed anew", "stream", w.stream, "error", err)
		pause.Unless(ctx, b.closed, retryTime/4)
	}
}

// following is where one Follow has come to.
type following struct {
	Follow
	bus      *Bus
	stream   string
	subjects []string

	begun   bool
	created time.Time // of the stream: another one has numbers of its own
	last    uint64
}

// run follows until an error, or until the connection has been lost and is there again: the stream may be another then.
func (w *following) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer w.bus.onReconnected(cancel)()
	if w.Live {
		if err := w.bus.openLive(ctx); err != nil {
			return err
		}
	}
	consumer, err := w.open(ctx)
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullExpiry(20*time.Second), jetstream.PullHeartbeat(5*time.Second))
	if err != nil {
		return err
	}
	defer messages.Stop()
	info, err := consumer.Info(ctx)
	if err != nil {
		return err
	}
	// What is pending or under way was there at the beginning, or came since; both have an end.
	filled := info.NumPending == 0 && info.Delivered.Consumer == 0
	if filled {
		w.begun = true
		w.Filled()
	}
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		w.Each(Followed{Seq: meta.Sequence.Stream, At: meta.Timestamp, Data: m.Data()})
		w.last = meta.Sequence.Stream
		if !filled && meta.NumPending == 0 {
			filled, w.begun = true, true
			w.Filled()
		}
	}
}

// open makes a consumer that goes on behind the last message, or one that begins anew.
func (w *following) open(ctx context.Context) (jetstream.Consumer, error) {
	stream, err := w.bus.js.Stream(ctx, w.stream)
	if err != nil {
		return nil, err
	}
	info := stream.CachedInfo()
	config := jetstream.OrderedConsumerConfig{FilterSubjects: w.subjects, MaxResetAttempts: 3, InactiveThreshold: time.Minute}
	if w.begun && info.Created.Equal(w.created) && info.State.FirstSeq <= w.last+1 && info.State.LastSeq >= w.last {
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, w.last+1
		return stream.OrderedConsumer(ctx, config)
	}
	since := time.Now().Add(-w.Back)
	config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	w.begun, w.created, w.last = false, info.Created, info.State.LastSeq
	switch {
	case since.After(info.Created):
	case w.Live:
		since = info.Created // one before it may have been lost with its server
	default:
		since = time.Time{} // there was none before it
	}
	w.Begin(since)
	return stream.OrderedConsumer(ctx, config)
}
