package link

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// A lane brings the messages of some twins to twin-ingest, one batch at a time, so that no two batches of a twin overtake
// each other. While a call is under way the next batch gathers; a message that comes alone goes at once.
type lane struct {
	link *Link
	wake chan struct{} // something was put in, or the lane drains

	mu       sync.Mutex
	queue    []*item // in order; a batch under way stays in front until it is settled
	size     int     // bytes, about
	room     chan struct{}
	draining bool
	ended    bool // nothing is taken any more
}

// An item is one message on its way.
type item struct {
	message telemetry.Message
	payload []byte // as received, in case twin-ingest cannot read the message
	topic   string // with payload
	port    int
	driver  string // that read it; "" = none
	news    bool   // another driver may be for the twin once it is stored
	ticket  *ticket
	size    int    // bytes, about
	trace   string // of the call that first had it
}

// itemCost is what a message costs beside its payload, in bytes, about.
const itemCost = 512

func newLane(l *Link) *lane {
	return &lane{link: l, wake: make(chan struct{}, 1), room: make(chan struct{})}
}

// laneOf is the lane of a twin, or of a device that has none.
func (l *Link) laneOf(key string) *lane {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return l.lanes[h.Sum32()%uint32(len(l.lanes))]
}

// put adds an item. It waits while the lane is full, unless forced, and gives up when done is closed.
func (a *lane) put(i *item, force bool, done <-chan struct{}) bool {
	for {
		a.mu.Lock()
		if a.ended {
			a.mu.Unlock()
			return false
		}
		if force || len(a.queue) == 0 || a.size+i.size <= a.link.limits.LaneSize {
			a.queue = append(a.queue, i)
			a.size += i.size
			a.mu.Unlock()
			a.signal()
			return true
		}
		room := a.room
		a.mu.Unlock()
		select {
		case <-room:
		case <-done:
			return false
		}
	}
}

func (a *lane) signal() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *lane) drain() {
	a.mu.Lock()
	a.draining = true
	a.mu.Unlock()
	a.signal()
}

func (a *lane) waiting() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.queue)
}

// take returns what the next batch holds, at most limit items; nil when the lane is at its end.
func (a *lane) take(ctx context.Context, limit int) []*item {
	for {
		a.mu.Lock()
		n, size := 0, 0
		for n < min(len(a.queue), limit) && (n == 0 || size+a.queue[n].size <= a.link.limits.BatchSize) {
			size += a.queue[n].size
			n++
		}
		batch, draining := slices.Clone(a.queue[:n]), a.draining
		a.mu.Unlock()
		if n > 0 && ctx.Err() == nil {
			return batch
		}
		if n == 0 && draining {
			return nil
		}
		select {
		case <-a.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// run works until ctx ends, or the lane drains and is empty.
func (a *lane) run(ctx context.Context) {
	defer a.abandon()
	limit, tries := a.link.limits.Batch, 0
	for {
		batch := a.take(ctx, limit)
		if batch == nil {
			return
		}
		longest := a.link.limits.Backoff
		ctx := traced(ctx, batch)
		outcomes, err := a.call(ctx, batch)
		switch {
		case err == nil:
			if a.settle(batch, outcomes) {
				limit, tries = min(2*limit, a.link.limits.Batch), 0
				continue
			}
			tries++ // everything is to be sent again; twin-ingest is there, and means soon
			longest = min(time.Second, longest)
		case unreadable(err) && len(batch) > 1:
			limit = len(batch) / 2 // until the message is found that twin-ingest will not read
			continue
		case unreadable(err):
			a.park(ctx, batch[0], err)
			continue
		default:
			tries++
			if tries == 1 || tries%10 == 0 {
				a.link.log.WarnContext(ctx, "messages wait, twin-ingest does not take them", "waiting", a.waiting(), "tries", tries,
					"devices", devices(batch), "error", err)
			}
		}
		pause.For(ctx, backoff(tries, longest))
	}
}

// replace puts again in the place of batch, which is in front of the queue.
func (a *lane) replace(batch, again []*item) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, it := range batch {
		a.size -= it.size
	}
	for _, it := range again {
		a.size += it.size
	}
	rest := a.queue[len(batch)-len(again):]
	copy(rest, again)
	clear(a.queue[:len(batch)-len(again)]) // for the collector
	a.queue = rest
	close(a.room)
	a.room = make(chan struct{})
}

// abandon gives up what is left when the link stops.
func (a *lane) abandon() {
	a.mu.Lock()
	left := a.queue
	a.queue, a.size, a.ended = nil, 0, true
	close(a.room)
	a.room = make(chan struct{})
	a.mu.Unlock()
	a.link.count.lost.Add(uint64(len(left)))
	for _, it := range left {
		it.ticket.finish(false)
	}
}

// unreadable tells whether the same call can never succeed.
func unreadable(err error) bool {
	return errors.Is(err, twin.ErrInvalid) || errors.Is(err, api.ErrTooLarge)
}

// backoff is how long to wait before try n+1: it doubles from 50 ms, and is spread so that lanes do not come together.
func backoff(n int, longest time.Duration) time.Duration {
	d := min(50*time.Millisecond<<min(n-1, 20), longest)
	return d/2 + rand.N(d/2+1)
}
