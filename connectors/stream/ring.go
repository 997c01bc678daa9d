package stream

import (
	"sync"
	"time"
)

// Bounds of the ring: whatever is reached first.
const (
	maxEntries = 20_000
	maxBytes   = 32 << 20
	maxAge     = 2 * time.Minute
)

// A ring holds the newest entries, once for all readers. A reader is a place in it: who falls behind its tail has missed
// something and is told so.
type ring struct {
	now  func() time.Time // the bus's clock
	most int              // entries

	mu      sync.Mutex
	entries []*entry
	first   uint64 // place of entries[0]
	bytes   int
	covers  [sources]time.Time // everything that was stored since then is here
	heads   [sources]uint64    // newest number that was here
	filled  [sources]bool
	changed chan struct{} // closed at the next change
}

func newRing(now func() time.Time) *ring {
	return &ring{now: now, most: maxEntries, changed: make(chan struct{})}
}

// begin has the entries of a source come anew, because some may have been missed. No reader's place stays, also none at the end.
func (r *ring) begin(of source, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first += uint64(len(r.entries)) + 1
	var others []*entry
	for _, e := range r.entries {
		if e.source != of {
			others = append(others, e)
		} else {
			r.bytes -= e.size
		}
	}
	r.entries = others
	r.covers[of], r.heads[of], r.filled[of] = since, 0, false
	r.tell()
}

// fill tells that a source has caught up.
func (r *ring) fill(of source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.filled[of] = true
	r.tell()
}

// ready tells whether both sources have caught up.
func (r *ring) ready() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.isFilled()
}

func (r *ring) isFilled() bool { return r.filled[events] && r.filled[live] }

func (r *ring) append(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, e)
	r.bytes += e.size
	r.heads[e.source] = e.seq
	r.trim()
	r.tell()
}

// expire drops what is too old though nothing new comes.
func (r *ring) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trim()
}

func (r *ring) trim() {
	old := r.now().Add(-maxAge)
	n := 0
	for ; n < len(r.entries); n++ {
		e := r.entries[n]
		if len(r.entries)-n <= r.most && r.bytes <= maxBytes && !e.at.Before(old) {
			break
		}
		r.covers[e.source] = e.at
		r.bytes -= e.size
		r.entries[n] = nil
	}
	r.entries, r.first = r.entries[n:], r.first+uint64(n)
}

func (r *ring) tell() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// A place is where a reader is: the next entry, and the newest number of each source that it has been through. It takes the
// numbers along to another process, where the same entries may lie in another order.
type place struct {
	next uint64
	seen [sources]uint64
}

// end is the place behind the newest entry.
func (r *ring) end() place {
	r.mu.Lock()
	defer r.mu.Unlock()
	return place{r.first + uint64(len(r.entries)), r.heads}
}

// resume is the place to go on from after a cursor; false if the ring does not reach back that far. Who does not want
// readings does not mind that those are gone sooner.
func (r *ring) resume(c cursor, readings bool) (place, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := c.at.Add(-lag)
	if since.Before(r.covers[events]) || readings && since.Before(r.covers[live]) {
		return place{}, false
	}
	p := place{r.first, c.seen}
	for s := range p.seen {
		if p.seen[s] > r.heads[s] && r.heads[s] > 0 {
			p.seen[s] = 0 // of a stream that is no more; what is told twice does no harm
		}
	}
	return p, true
}

// lag is how far behind the bus a process may be when it issues a cursor, and how much clocks may differ.
const lag = 2 * time.Second

// read returns entries from a place on, at most most, and what to wait for when there are none; false if the place is gone.
func (r *ring) read(p place, most int) (some []*entry, changed <-chan struct{}, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch end := r.first + uint64(len(r.entries)); {
	case !r.isFilled():
		return nil, r.changed, true
	case p.next < r.first || p.next > end:
		return nil, r.changed, false
	default:
		from := int(p.next - r.first)
		return r.entries[from:min(from+most, len(r.entries))], r.changed, true
	}
}
