package gateway

import (
	"container/list"
	"net"
	"sync"
	"time"
)

// A hall has the places of connections that are not authenticated yet. Who opens many and says nothing, or half of what is to
// be said, keeps nobody out: they give way to newcomers. Those that have just come do not, or devices that all come at once,
// after an outage, would send each other away for ever.
type hall struct {
	most  int
	hurry time.Duration

	mu      sync.Mutex
	waiting *list.List // of waiter, the longest waiting first
}

type waiter struct {
	conn  net.Conn
	since time.Time
}

// enter takes a place until leave is called, which may be more than once. It is refused if all places are taken by connections
// that have come just now; else the longest waiting one may be closed for it.
func (h *hall) enter(c net.Conn) (leave func(), ok bool) {
	now := time.Now()
	var oldest net.Conn
	h.mu.Lock()
	if h.waiting.Len() >= h.most {
		first := h.waiting.Front()
		w := first.Value.(waiter)
		if now.Sub(w.since) < h.hurry {
			h.mu.Unlock()
			return nil, false
		}
		oldest = w.conn
		h.waiting.Remove(first)
	}
	place := h.waiting.PushBack(waiter{c, now})
	h.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close() // what waits for it gets an error, and is told nothing
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.waiting.Remove(place) // nothing if it has been sent away
	}, true
}
