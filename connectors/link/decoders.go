package link

import (
	"sync"
	"sync/atomic"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	decodeCalls = 100       // of one batch
	warilyCalls = 10        // at first, and after a grave failure: the driver may be in quarantine before the next
	decodeBytes = 1 << 20   // of one batch, about
	decodeSize  = 512 << 10 // bytes waiting per decoder, about, before devices are held back
)

// An entry is what a decoder has of one device: a payload to be decoded, or items that only keep their place behind one.
type entry struct {
	session *Session
	in      Incoming
	mapping api.Mapping
	base    twin.Order // the first of the orders that are set aside for what comes of the payload; zero = none are yet
	ticket  *ticket
	items   []*item // nothing is to be decoded
}

func (e *entry) size() int {
	n := len(e.in.Payload) + itemCost
	for _, it := range e.items {
		n += it.size
	}
	return n
}

// decoders stand between the sessions and the lanes. There is one per version of a driver and lane, as long as something waits for
// it, so that a driver that is slow holds back the devices that use it, and nothing else. What a twin says goes by one decoder at a
// time, whatever it is, so that nothing overtakes.
type decoders struct {
	link    *Link
	running sync.WaitGroup
	inside  atomic.Int64 // entries

	mu   sync.Mutex
	all  map[decoderKey]*decoder
	busy map[twin.ID]*stay
}

type decoderKey struct {
	driver string
	lane   *lane
}

// A stay is what of a twin is in a decoder.
type stay struct {
	decoder *decoder
	entries int
}

// A decoder has what waits for one version of a driver.
type decoder struct {
	key   decoderKey
	queue []*entry
	size  int
	room  chan struct{} // closed when something has gone, and made anew
	calls int           // of the driver at once, at most
}

func newDecoders(l *Link) *decoders {
	return &decoders{link: l, all: make(map[decoderKey]*decoder), busy: make(map[twin.ID]*stay)}
}

// put adds an entry to the decoder in which its twin is, else to that of the driver; "" = to none. taken is false when there was
// none: nothing of the twin waits. It waits while the decoder is full, unless forced; ok is false when done was closed before.
func (d *decoders) put(e *entry, driver string, force bool, done <-chan struct{}) (taken, ok bool) {
	id := e.mapping.Twin
	if driver == "" && d.inside.Load() == 0 {
		return false, true
	}
	for {
		d.mu.Lock()
		c := d.place(id, driver)
		if c == nil {
			d.mu.Unlock()
			return false, true
		}
		if force || len(c.queue) == 0 || c.size+e.size() <= decodeSize {
			if d.busy[id] == nil {
				d.busy[id] = &stay{decoder: c}
			}
			d.busy[id].entries++
			d.inside.Add(1)
			c.queue = append(c.queue, e)
			c.size += e.size()
			d.mu.Unlock()
			return true, true
		}
		room := c.room
		d.mu.Unlock()
		select {
		case <-room:
		case <-done:
			return false, false
		case <-d.link.work.Done():
			return false, false
		}
	}
}

// place is the decoder for the next entry of a twin; nil if there is none and none is named. The caller holds the lock.
func (d *decoders) place(id twin.ID, driver string) *decoder {
	if s := d.busy[id]; s != nil {
		return s.decoder
	}
	if driver == "" {
		return nil
	}
	key := decoderKey{driver, d.link.laneOf(string(id))}
	c := d.all[key]
	if c == nil {
		c = &decoder{key: key, room: make(chan struct{}), calls: warilyCalls}
		d.all[key] = c
		d.running.Go(func() { d.run(c) })
	}
	return c
}

// run works until nothing waits for the decoder.
func (d *decoders) run(c *decoder) {
	for {
		batch := d.take(c)
		if batch == nil {
			return
		}
		d.bring(c, batch)
		d.left(c, batch)
	}
}

// take is what comes next; it stays in the queue until it has left. nil is the decoder's end.
func (d *decoders) take(c *decoder) (batch []*entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	size := 0
	for _, e := range c.queue {
		if size += e.size(); len(batch) == decodeCalls || len(batch) > 0 && size > decodeBytes {
			break
		}
		batch = append(batch, e)
	}
	if batch == nil {
		delete(d.all, c.key)
	}
	return batch
}

// left takes a batch out of its decoder: it is in the lane.
func (d *decoders) left(c *decoder, batch []*entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, e := range batch {
		c.size -= e.size()
		c.queue[i] = nil
		s := d.busy[e.mapping.Twin]
		if s.entries--; s.entries == 0 {
			delete(d.busy, e.mapping.Twin)
		}
	}
	c.queue = c.queue[len(batch):]
	d.inside.Add(-int64(len(batch)))
	close(c.room)
	c.room = make(chan struct{})
}
