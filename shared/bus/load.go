package bus

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// A StreamLoad is how full a stream is.
type StreamLoad struct {
	Name     string `json:"name"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	MaxBytes int64  `json:"maxBytes"` // 0 = no bound
}

// A ConsumerLoad is how far a consumer is behind.
type ConsumerLoad struct {
	Name           string `json:"name"`
	Stream         string `json:"stream"`
	Pending        uint64 `json:"pending"`        // messages that it was not handed yet
	Unacknowledged int    `json:"unacknowledged"` // messages that it was handed and has not settled
	Redelivered    int    `json:"redelivered"`    // of those, messages handed out before
}

// A Load tells what waits on the bus.
type Load struct {
	Streams   []StreamLoad   `json:"streams"`
	Consumers []ConsumerLoad `json:"consumers"` // by name
	Dead      uint64         `json:"dead"`      // dead letters that are kept
}

// Load asks the server what waits. It costs a call per stream and some per hundred consumers.
func (b *Bus) Load(ctx context.Context) (Load, error) {
	var l Load
	for _, config := range streams {
		s, err := b.js.Stream(ctx, config.Name)
		if err != nil {
			return Load{}, fmt.Errorf("load of bus: %w", b.cause(err))
		}
		state := s.CachedInfo().State
		l.Streams = append(l.Streams, StreamLoad{Name: config.Name, Messages: state.Msgs, Bytes: state.Bytes, MaxBytes: max(s.CachedInfo().Config.MaxBytes, 0)})
		if config.Name == deadStream {
			l.Dead = state.Msgs
			continue
		}
		consumers := s.ListConsumers(ctx)
		for c := range consumers.Info() {
			l.Consumers = append(l.Consumers, loadOf(c))
		}
		if err := consumers.Err(); err != nil {
			return Load{}, fmt.Errorf("load of bus: %w", b.cause(err))
		}
	}
	slices.SortFunc(l.Consumers, func(a, b ConsumerLoad) int { return strings.Compare(a.Name, b.Name) })
	return l, nil
}

func loadOf(c *jetstream.ConsumerInfo) ConsumerLoad {
	return ConsumerLoad{Name: c.Name, Stream: c.Stream, Pending: c.NumPending, Unacknowledged: c.NumAckPending, Redelivered: c.NumRedelivered}
}
