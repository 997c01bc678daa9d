package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Publish returns when the server has stored every event. After an error some may be stored and some not: the caller
// publishes all of them again, and the server drops those it has had in the last two minutes, by their id. Events without a
// trace get that of ctx.
//
// Errors: ErrInvalid for an event without id or with a malformed topic, ErrTooLarge, ErrUnavailable, or the context's.
func (b *Bus) Publish(ctx context.Context, events ...event.Event) error {
	messages := make([]*nats.Msg, len(events))
	for i, e := range events {
		if e.Trace == "" {
			e.Trace = trace.Of(ctx)
		}
		m, err := eventMessage(e)
		if err != nil {
			return fmt.Errorf("publish event %q: %w", e.ID, err)
		}
		messages[i] = m
	}
	for start := 0; start < len(messages); start += publishChunk {
		began := time.Now()
		err := b.publishAll(ctx, messages[start:min(start+publishChunk, len(messages))])
		metrics.Published(time.Since(began), err != nil)
		if err != nil {
			return fmt.Errorf("publish events: %w", b.cause(err))
		}
	}
	b.count.published.Add(uint64(len(events)))
	return nil
}

func eventMessage(e event.Event) (*nats.Msg, error) {
	if e.ID == "" || len(e.ID) > 512 || strings.ContainsFunc(e.ID, unicode.IsControl) { // it travels in a header
		return nil, fmt.Errorf("%w: id must have 1 to 512 bytes without control characters", ErrInvalid)
	}
	subject, err := topicSubject(e.Topic)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	m := nats.NewMsg(subject)
	m.Data = data
	m.Header.Set(jetstream.MsgIDHeader, e.ID)
	return m, nil
}

// publishAll sends the messages without waiting in between, then waits for all acknowledgements.
func (b *Bus) publishAll(ctx context.Context, messages []*nats.Msg) error {
	if err := b.window.Acquire(ctx, int64(len(messages))); err != nil {
		return err
	}
	defer b.window.Release(int64(len(messages)))
	acks := make([]jetstream.PubAckFuture, 0, len(messages))
	for _, m := range messages {
		ack, err := b.js.PublishMsgAsync(m)
		if err != nil {
			return err
		}
		acks = append(acks, ack)
	}
	for _, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// A Consumer says which events Consume takes and how.
type Consumer struct {
	// Name is the durable name: what was handled under it is not delivered again, also after a restart. Replicas of one
	// consumer use the same name and share the events. A name that is not used for longer than EventAge is forgotten.
	Name string

	// Topics are the exact topics to take. A new name starts with the oldest event that is kept.
	Topics []event.Topic

	// Batch is how many events are handled at once at most; 100 if zero.
	Batch int

	// Wait is how long a batch waits to be filled after its first event; 50 ms if zero.
	Wait time.Duration

	// Backoff is the delay before the first redelivery; it doubles up to five minutes. 500 ms if zero.
	Backoff time.Duration

	// MaxDeliver is how often an event is delivered before it is given up and kept as a dead letter; 20 if zero, which
	// with the default backoff is about 50 minutes.
	MaxDeliver int

	// Timeout bounds the context of one call of the handler; one minute if zero.
	Timeout time.Duration
}

// Consume calls handle with events, in batches, one batch at a time, until ctx ends; then it returns nil. Events are
// handled once at least and not always in the order they were published.
//
// An error of handle (or a panic) means that nothing of the batch was handled: it is delivered again after a delay. From
// the fourth delivery on an event comes alone, so that one that cannot be handled does not take others with it. What is no event, or
// says another topic than it was published under, is passed over: logged, and counted as given up.
//
// Consume returns ErrInvalid for a malformed consumer, and ErrClosed if the bus is closed while it runs. All other
// trouble is logged and tried again.
func (b *Bus) Consume(ctx context.Context, c Consumer, handle func(context.Context, []event.Event) error) error {
	if err := checkName("consumer", c.Name); err != nil {
		return err
	}
	subjects, err := topicSubjects(c.Topics)
	if err != nil {
		return fmt.Errorf("consumer %s: %w", c.Name, err)
	}
	return b.pull(ctx, puller{
		stream:     eventStream,
		name:       c.Name,
		subjects:   subjects,
		batch:      positive(c.Batch, 100),
		wait:       positive(c.Wait, 50*time.Millisecond),
		backoff:    positive(c.Backoff, 500*time.Millisecond),
		maxDeliver: uint64(positive(c.MaxDeliver, 20)),
		timeout:    positive(c.Timeout, time.Minute),
		handle: func(ctx context.Context, messages []jetstream.Msg) error {
			events := make([]event.Event, 0, len(messages))
			for _, m := range messages {
				e, err := readEvent(m.Subject(), m.Data())
				if err != nil { // it would not be one the next time either
					b.count.dead.Add(1)
					b.log.Error("bus message is no event", "consumer", c.Name, "subject", m.Subject(), "error", err)
					continue
				}
				events = append(events, e)
			}
			if len(events) == 0 {
				return nil
			}
			return handle(trace.With(ctx, event.Trace(events)), events)
		},
	})
}

// readEvent reads an event, whose topic is the one that it was published under: who may publish some topics only cannot speak under others.
func readEvent(subject string, data []byte) (e event.Event, err error) {
	if err = json.Unmarshal(data, &e); err == nil && eventSubject+string(e.Topic) != subject {
		err = fmt.Errorf("%w: it says topic %.64q", ErrInvalid, e.Topic)
	}
	return e, err
}

func positive[T int | time.Duration](n, otherwise T) T {
	if n > 0 {
		return n
	}
	return otherwise
}
