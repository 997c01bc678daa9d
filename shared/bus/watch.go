package bus

import (
	"fmt"
	"sync"

	"github.com/castor-iot/castor/shared/event"
	"github.com/nats-io/nats.go"
)

// Watch calls each with the events of the topics as they are published, for emptying caches. It is live: what was
// published before Watch returned is not seen, and an event may come before it is stored, or twice.
//
// gap is called when events may have been missed: after every reconnect, and when each was too slow for them. Calls of
// each and gap never overlap. After stop returns neither is called again; stop may not be called from within them.
func (b *Bus) Watch(topics []event.Topic, each func(event.Event), gap func()) (stop func(), err error) {
	subjects, err := topicSubjects(topics)
	if err != nil {
		return nil, fmt.Errorf("watch events: %w", err)
	}
	w := &watch{bus: b, each: each, gap: gap}
	w.remove = b.onReconnected(w.missed)
	for _, subject := range subjects {
		var dropped int
		sub, err := b.conn.Subscribe(subject, func(m *nats.Msg) {
			// A full queue drops what comes, so whatever was dropped has queued messages before it, and this sees them.
			if n, err := m.Sub.Dropped(); err == nil && n > dropped {
				dropped = n
				w.missed()
			}
			w.deliver(m)
		})
		if err != nil {
			w.stop()
			return nil, fmt.Errorf("watch events: %w", b.cause(err))
		}
		w.subs = append(w.subs, sub)
		if err := sub.SetPendingLimits(b.queue, -1); err != nil {
			w.stop()
			return nil, fmt.Errorf("watch events: %w", b.cause(err))
		}
	}
	if err := b.conn.Flush(); err != nil { // only then has the server taken the subscriptions
		w.stop()
		return nil, fmt.Errorf("watch events: %w", b.cause(err))
	}
	return w.stop, nil
}

type watch struct {
	bus    *Bus
	subs   []*nats.Subscription
	each   func(event.Event)
	gap    func()
	remove func()

	mu      sync.Mutex // held while each or gap runs
	stopped bool
}

func (w *watch) deliver(m *nats.Msg) {
	e, err := readEvent(m.Subject, m.Data)
	if err != nil {
		w.bus.log.Warn("bus event not readable", "subject", m.Subject, "error", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.each(e)
	}
}

func (w *watch) missed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.bus.count.gaps.Add(1)
		w.gap()
	}
}

func (w *watch) stop() {
	w.remove()
	for _, sub := range w.subs {
		_ = sub.Unsubscribe() // it is gone already when the connection is
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
}
