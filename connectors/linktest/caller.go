package linktest

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A Caller is the part of a Device that is the same in protocols whose devices make one call after the other, and poll beside.
type Caller struct {
	Context context.Context // ends when the device has gone

	name     string
	linger   time.Duration
	cancel   context.CancelFunc
	order    chan struct{} // closed when the call before has been made
	messages chan Message
	gone     chan struct{}
	once     sync.Once
	calls    sync.RWMutex // read while one is under way
}

// parted is when each caller was cut: a device that comes back does so after its session has ended.
var parted sync.Map

// NewCaller makes the part of a device that is there by that name. linger is how long the gateway keeps a session of visits.
func NewCaller(name string, linger time.Duration) *Caller {
	if at, ok := parted.Load(name); ok {
		<-time.After(time.Until(at.(time.Time).Add(4 * linger)))
	}
	c := &Caller{name: name, linger: linger, order: make(chan struct{}), messages: make(chan Message, 10_000), gone: make(chan struct{})}
	close(c.order)
	c.Context, c.cancel = context.WithCancel(context.Background())
	return c
}

// Then makes a call when the one before has been made, and again until it is done or an error ends the device's stay.
func (c *Caller) Then(call func(ctx context.Context) (done bool, err error)) <-chan struct{} {
	done, before, after := make(chan struct{}), c.order, make(chan struct{})
	c.order = after
	go func() {
		defer close(after)
		select {
		case <-before:
		case <-c.Context.Done():
			return
		}
		for c.Context.Err() == nil {
			ok, err := c.call(call)
			if ok {
				close(done)
				return
			}
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					c.Leave()
				}
				return
			}
			<-time.After(50 * time.Millisecond)
		}
	}()
	return done
}

// Poll asks for what comes down until an error says that the device is sent away. A call that is under way then is heard out: its answer
// may come a moment later.
func (c *Caller) Poll(next func(ctx context.Context) error) {
	go func() {
		for next(c.Context) == nil {
		}
		c.calls.Lock()
		c.Leave()
		c.calls.Unlock()
	}()
}

// call makes a call, unless the device has left.
func (c *Caller) call(do func(ctx context.Context) (done bool, err error)) (done bool, err error) {
	c.calls.RLock()
	defer c.calls.RUnlock()
	if err := c.Context.Err(); err != nil {
		return false, err
	}
	return do(c.Context)
}

// Tell is for messages of the platform.
func (c *Caller) Tell(name string, payload []byte) {
	c.messages <- Message{Name: name, Payload: payload}
}

// Messages are what Tell was called with.
func (c *Caller) Messages() <-chan Message { return c.messages }

// Gone is closed when the device's stay has ended.
func (c *Caller) Gone() <-chan struct{} { return c.gone }

// Close is Cut: there is no other end.
func (c *Caller) Close() { c.Cut() }

// Cut has the device make no more calls.
func (c *Caller) Cut() {
	parted.Store(c.name, time.Now())
	c.Leave()
}

// Leave ends its stay.
func (c *Caller) Leave() {
	c.once.Do(func() {
		c.cancel()
		close(c.gone)
	})
}
