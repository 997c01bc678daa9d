package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

const peerSubject = "castor.peer." // + name

// Announce tells every peer of that name, the caller's own Peers too, without waiting. It is live: who does not listen
// now is not told, and nobody is while the bus is away.
func (b *Bus) Announce(name string, data []byte) error {
	if err := checkName("peers", name); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	if err := b.conn.Publish(peerSubject+name, data); err != nil {
		return fmt.Errorf("announce to %s: %w", name, b.cause(err))
	}
	return nil
}

// AskPeers returns the first answer to data. Errors: ErrNoListener when there is no peer of that name, ErrUnavailable, or the
// context's.
func (b *Bus) AskPeers(ctx context.Context, name string, data []byte) ([]byte, error) {
	if err := checkName("peers", name); err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	m, err := b.conn.RequestWithContext(ctx, peerSubject+name, data)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, fmt.Errorf("ask %s: %w", name, ErrNoListener)
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", name, b.cause(err))
	}
	return m.Data, nil
}

// Peers calls each with what is announced to that name, one after the other, until stop is called; what it returns answers
// those who asked. missed is called, from another goroutine, after announcements may have been missed: the connection was
// lost and is back.
func (b *Bus) Peers(name string, each func(data []byte) (answer []byte), missed func()) (stop func(), err error) {
	if err := checkName("peers", name); err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	sub, err := b.conn.Subscribe(peerSubject+name, func(m *nats.Msg) {
		answer := each(m.Data)
		if m.Reply == "" {
			return
		}
		if err := m.Respond(answer); err != nil {
			b.log.Warn("bus peer not answered", "peers", name, "error", err)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("peers %s: %w", name, b.cause(err))
	}
	if err := b.conn.Flush(); err != nil { // only then has the server taken the subscription
		_ = sub.Unsubscribe()
		return nil, fmt.Errorf("peers %s: %w", name, b.cause(err))
	}
	remove := b.onReconnected(missed)
	return func() { remove(); _ = sub.Unsubscribe() }, nil
}
