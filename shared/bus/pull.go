package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/pause"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// ackWait is when a message is delivered to somebody else after its consumer has gone. Whoever is still working on
	// it says so three times in this span.
	ackWait = 3 * time.Second

	pollTime   = 20 * time.Second
	retryTime  = time.Second
	maxBackoff = 5 * time.Minute

	// together is how many deliveries a message has in company. Later ones it has alone.
	together = 3
)

// A puller takes messages of one stream by a durable consumer and settles each: acknowledged, delivered again, or dead.
type puller struct {
	stream, name string
	subjects     []string
	batch        int
	wait         time.Duration
	backoff      time.Duration
	maxDeliver   uint64
	timeout      time.Duration
	handle       func(context.Context, []jetstream.Msg) error
}

// pull runs p until ctx ends (nil) or nothing more can come of it.
func (b *Bus) pull(ctx context.Context, p puller) error {
	for {
		err := b.pullAll(ctx, p)
		var api *jetstream.APIError
		switch {
		case ctx.Err() != nil:
			return nil
		case b.conn.IsClosed():
			return fmt.Errorf("consumer %s: %w", p.name, ErrClosed)
		case errors.As(err, &api) && api.Code == 400:
			return fmt.Errorf("consumer %s: %w: %w", p.name, ErrInvalid, err)
		}
		b.log.Warn("bus consumer interrupted", "consumer", p.name, "error", err)
		pause.Unless(ctx, b.closed, retryTime)
	}
}

// pullAll makes the consumer and takes messages until an error.
func (b *Bus) pullAll(ctx context.Context, p puller) error {
	consumer, err := b.js.CreateOrUpdateConsumer(ctx, p.stream, jetstream.ConsumerConfig{
		Durable:        p.name,
		FilterSubjects: p.subjects,
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        ackWait,
		MaxDeliver:     -1, // we count ourselves, because a message given up by the server is not kept anywhere
		MaxAckPending:  10_000,
		// After this time every event it had not handled is gone anyway.
		InactiveThreshold: EventAge,
	})
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		messages, err := p.fetch(ctx, consumer)
		if err != nil {
			return err
		}
		var company []jetstream.Msg
		for _, m := range messages {
			if deliveries(m) <= together {
				company = append(company, m)
			}
		}
		if len(company) > 0 {
			b.settle(ctx, p, company)
		}
		for _, m := range messages {
			if deliveries(m) > together {
				b.settle(ctx, p, []jetstream.Msg{m})
			}
		}
	}
	return ctx.Err()
}

// fetch waits for a message and then a little for others. It asks for no more than it returns: a message that waited here
// while another batch is handled would be delivered twice.
func (p puller) fetch(ctx context.Context, consumer jetstream.Consumer) ([]jetstream.Msg, error) {
	waiting, cancel := context.WithTimeout(ctx, pollTime)
	defer cancel()
	first, err := consumer.Fetch(1, jetstream.FetchContext(waiting))
	if err != nil {
		return nil, err
	}
	messages := make([]jetstream.Msg, 0, p.batch)
	for m := range first.Messages() {
		messages = append(messages, m)
	}
	if len(messages) == 0 {
		if err := first.Error(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return nil, err
		}
		return nil, nil
	}
	if p.batch > 1 {
		// An error here comes again with the next first message; what has been fetched is handled now.
		if more, err := consumer.Fetch(p.batch-1, jetstream.FetchMaxWait(p.wait)); err == nil {
			for m := range more.Messages() {
				messages = append(messages, m)
			}
		}
	}
	return messages, nil
}

// settle handles messages as one and says to the server what became of them. A lost answer means another delivery.
func (b *Bus) settle(ctx context.Context, p puller, messages []jetstream.Msg) {
	if n := deliveries(messages[0]); len(messages) == 1 && n > p.maxDeliver {
		b.bury(ctx, p, messages[0], errors.New("the process ended in every delivery"))
		return
	}
	stop := keepAlive(messages)
	err := p.call(ctx, messages)
	stop()
	if err == nil {
		b.count.handled.Add(uint64(len(messages)))
		for _, m := range messages {
			_ = m.Ack()
		}
		return
	}
	b.count.failed.Add(uint64(len(messages)))
	if ctx.Err() != nil { // we are stopping: somebody else may have it at once
		for _, m := range messages {
			_ = m.Nak()
		}
		return
	}
	b.log.Warn("bus handler failed", "consumer", p.name, "messages", len(messages), "delivery", deliveries(messages[0]), "error", err)
	for _, m := range messages {
		if deliveries(m) >= p.maxDeliver {
			b.bury(ctx, p, m, err)
			continue
		}
		_ = m.NakWithDelay(p.delay(deliveries(m)))
	}
}

// call runs the handler within its time. A panic is an error like others: the same message would end the process again.
func (p puller) call(ctx context.Context, messages []jetstream.Msg) (err error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("handler panicked: %v", r)
		}
	}()
	return p.handle(ctx, messages)
}

func (p puller) delay(deliveries uint64) time.Duration {
	d := p.backoff
	for ; deliveries > 1 && d < maxBackoff; deliveries-- {
		d *= 2
	}
	return min(d, maxBackoff)
}

func keepAlive(messages []jetstream.Msg) (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(ackWait / 3)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				for _, m := range messages {
					_ = m.InProgress()
				}
			}
		}
	}()
	return func() { close(done) }
}

func deliveries(m jetstream.Msg) uint64 {
	meta, err := m.Metadata()
	if err != nil {
		return 1 // only a message that did not come from JetStream has none
	}
	return meta.NumDelivered
}
