package link

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/pause"
)

// A Mailbox has what waits to go down to who polls, for protocols in which the device, or its gateway, begins each call.
type Mailbox[T any] struct {
	since time.Time
	most  int // in it
	bytes int

	mu        sync.Mutex
	waiting   []T
	size      int
	came      chan struct{} // closed when something was put, and made anew
	listeners int           // calls whose answers can bring commands
	polling   chan struct{} // closed when a newer poll begins; nil while there is none
}

// A Poller is whom commands reach while a poll is open: a Session.
type Poller interface {
	Listen()
	Mute()
	Waiting() int // commands that wait
}

// Bounds of what waits for one device.
const (
	DeviceDowns     = 64
	DeviceDownBytes = 1 << 20
)

// NewMailbox is an empty one, of who has just come, that takes so much at the most.
func NewMailbox[T any](most, bytes int) *Mailbox[T] {
	return &Mailbox[T]{since: time.Now(), most: most, bytes: bytes, came: make(chan struct{})}
}

// Why a Mailbox does not take what is to go down.
var (
	ErrDeaf = errors.New("the device does not poll now")
	ErrFull = errors.New("too much waits for the device")
)

// Put has something of that many bytes go down by the next answer. A command needs one that is being waited for, else it is not delivered:
// ErrDeaf.
func (m *Mailbox[T]) Put(v T, size int, command bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case command && m.listeners == 0:
		return ErrDeaf
	case len(m.waiting) >= m.most || m.size+size > m.bytes:
		return ErrFull
	}
	m.waiting = append(m.waiting, v)
	m.size += size
	close(m.came)
	m.came = make(chan struct{})
	return nil
}

// Take waits for what comes down, with commands for s: until something is there, for patience at most, or a moment more where commands
// are known to wait. A poll ends an older one: replaced. Nothing is taken for who has gone: it waits for the next answer.
func (m *Mailbox[T]) Take(ctx context.Context, s Poller, ended <-chan struct{}, patience time.Duration, poll bool) (out []T, replaced bool) {
	patience = max(patience, m.moment(s))
	var newer chan struct{}
	m.mu.Lock()
	if poll {
		if m.polling != nil {
			close(m.polling)
		}
		newer = make(chan struct{})
		m.polling = newer
	}
	if m.listeners++; m.listeners == 1 {
		s.Listen()
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for waiting := true; waiting && len(m.waiting) == 0; {
		came := m.came
		m.mu.Unlock()
		select {
		case <-came:
			pause.For(ctx, gather)
		case <-newer:
			waiting, replaced = false, true
		case <-timeout.C:
			waiting = false
		case <-ended:
			waiting = false
		case <-ctx.Done():
			waiting = false
		}
		m.mu.Lock()
	}
	defer m.mu.Unlock()
	if m.listeners--; m.listeners == 0 {
		s.Mute()
	}
	if m.polling == newer {
		m.polling = nil
	}
	if !replaced && ctx.Err() == nil {
		out, m.waiting, m.size = m.waiting, nil, 0
	}
	return out, replaced
}

// gather is how long an answer waits for more, once there is something: commands are handed over one by one.
const gather = 5 * time.Millisecond

// moment is how long an answer waits for commands that are known to wait, but have to be fetched; or may be, because the device
// has just come.
func (m *Mailbox[T]) moment(s Poller) time.Duration {
	const moment = time.Second
	if s.Waiting() > 0 || time.Since(m.since) < moment {
		return moment
	}
	return 0
}

// Left is how much was never taken.
func (m *Mailbox[T]) Left() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.waiting)
}
