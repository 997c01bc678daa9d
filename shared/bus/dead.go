package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers of a dead letter, beside those the message had.
const (
	headerConsumer   = "Castor-Consumer"
	headerSubject    = "Castor-Subject"
	headerReason     = "Castor-Reason"
	headerDeliveries = "Castor-Deliveries"
)

// A DeadLetter is an event or a call that was given up.
type DeadLetter struct {
	Consumer   string // the consumer that gave it up
	Subject    string // where it was published: "castor.event.alarm.raised", "castor.call.twins"
	Reason     string // the last error, cut to 500 bytes
	Deliveries int
	At         time.Time // when it was given up
	Data       []byte    // an event as JSON, or the body of a call
}

// bury keeps m as a dead letter and takes it out of its stream's way.
func (b *Bus) bury(ctx context.Context, p puller, m jetstream.Msg, cause error) {
	reason := strconv.QuoteToGraphic(cause.Error()) // a header is one line
	dead := nats.NewMsg(deadSubject + p.stream + "." + p.name)
	dead.Data = m.Data()
	for key, values := range m.Headers() {
		dead.Header[key] = values
	}
	dead.Header.Set(headerConsumer, p.name)
	dead.Header.Set(headerSubject, m.Subject())
	dead.Header.Set(headerReason, reason[1:min(len(reason)-1, 500)])
	dead.Header.Set(headerDeliveries, strconv.FormatUint(deliveries(m), 10))
	if meta, err := m.Metadata(); err == nil {
		dead.Header.Set(jetstream.MsgIDHeader, fmt.Sprintf("%s/%s/%d", p.stream, p.name, meta.Sequence.Stream))
	}
	if _, err := b.js.PublishMsg(ctx, dead); err != nil {
		b.log.Warn("dead letter not kept, delivering again", "consumer", p.name, "error", err)
		_ = m.NakWithDelay(maxBackoff)
		return
	}
	_ = m.Term()
	b.count.dead.Add(1)
	b.log.Error("bus message given up", "consumer", p.name, "subject", m.Subject(), "deliveries", deliveries(m), "error", cause)
}

// DeadLetters returns the oldest dead letters, at most limit.
func (b *Bus) DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error) {
	stream, err := b.js.Stream(ctx, deadStream)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", b.cause(err))
	}
	var letters []DeadLetter
	for next := uint64(1); len(letters) < limit; {
		m, err := stream.GetMsg(ctx, next, jetstream.WithGetMsgSubject(deadSubject+">"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("dead letters: %w", b.cause(err))
		}
		n, _ := strconv.Atoi(m.Header.Get(headerDeliveries))
		letters = append(letters, DeadLetter{
			Consumer:   m.Header.Get(headerConsumer),
			Subject:    m.Header.Get(headerSubject),
			Reason:     m.Header.Get(headerReason),
			Deliveries: n,
			At:         m.Time.UTC(),
			Data:       m.Data,
		})
		next = m.Sequence + 1
	}
	return letters, nil
}
