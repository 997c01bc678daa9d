package http

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/castor-iot/castor/connectors/link"
)

// deviceState is what belongs to a device's session: the link's side of it, and what waits to go down.
type deviceState struct {
	link   *link.Session
	places chan struct{} // of requests under way
	serial chan struct{} // holds a place for the one that hands a message to the link
	since  time.Time

	mu        sync.Mutex
	downs     downs
	size      int
	came      chan struct{} // closed when something was put, and made anew
	listeners int           // requests whose answers can bring commands
	polling   chan struct{} // closed when a newer poll begins; nil while there is none
}

// downs is what an answer brings down.
type downs struct {
	Commands []command `json:"commands,omitempty"`
	Messages []message `json:"messages,omitempty"`
}

func (d downs) count() int { return len(d.Commands) + len(d.Messages) }

// A command is one as the device gets it.
type command struct {
	ID string `json:"id"`
	link.DeviceCommand
}

// A message is anything else that the platform has to say.
type message struct {
	Name string `json:"name"` // the topic without the device
	Body any    `json:"body,omitempty"`
	Raw  []byte `json:"raw,omitempty"` // instead, where it is not JSON
}

// Bounds of what waits for the next answer.
const (
	maxDowns    = 64
	maxDownSize = 1 << 20
)

func newDevice(l *link.Session, limits Limits) *deviceState {
	return &deviceState{link: l, places: make(chan struct{}, limits.Each), serial: make(chan struct{}, 1), since: time.Now(), came: make(chan struct{})}
}

// errDeaf tells that the device is here and does not listen.
var errDeaf = errors.New("the device does not poll now")

// errFull tells that too much waits for the device already.
var errFull = errors.New("too much waits for the device")

// put has something go down by the next answer. A command needs one that is being waited for; else it is not delivered.
func (d *deviceState) put(add func(*downs), size int, command bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case command && d.listeners == 0:
		return errDeaf
	case d.downs.count() >= maxDowns || d.size+size > maxDownSize:
		return errFull
	}
	add(&d.downs)
	d.size += size
	close(d.came)
	d.came = make(chan struct{})
	return nil
}

// listen waits for what comes down: until something is there, for patience at most. A poll ends an older one. Nothing is taken for
// who has gone: it waits for the next answer.
func (d *deviceState) listen(ctx context.Context, ended <-chan struct{}, patience time.Duration, poll bool) (out downs, replaced bool) {
	var newer chan struct{}
	d.mu.Lock()
	if poll {
		if d.polling != nil {
			close(d.polling)
		}
		newer = make(chan struct{})
		d.polling = newer
	}
	if d.listeners++; d.listeners == 1 {
		d.link.Listen()
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for waiting := true; waiting && d.downs.count() == 0; {
		came := d.came
		d.mu.Unlock()
		select {
		case <-came:
			pause(ctx, gather)
		case <-newer:
			waiting, replaced = false, true
		case <-timeout.C:
			waiting = false
		case <-ended:
			waiting = false
		case <-ctx.Done():
			waiting = false
		}
		d.mu.Lock()
	}
	defer d.mu.Unlock()
	if d.listeners--; d.listeners == 0 {
		d.link.Mute()
	}
	if d.polling == newer {
		d.polling = nil
	}
	if !replaced && ctx.Err() == nil {
		out, d.downs, d.size = d.downs, downs{}, 0
	}
	return out, replaced
}

// gather is how long an answer waits for more, once there is something: commands are handed over one by one.
const gather = 5 * time.Millisecond

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// left is how much was never taken.
func (d *deviceState) left() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.downs.count()
}
