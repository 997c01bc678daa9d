package gateway

import (
	"container/list"
	"sync"
	"time"
)

// A hall has the places of those who are not authenticated. Who takes many and says nothing, or half of what is to be said,
// keeps nobody out: they give way to newcomers. Those that have just come do not, or devices that all come at once, after an
// outage, would send each other away for ever.
type hall struct {
	most  int
	hurry time.Duration

	mu      sync.Mutex
	waiting *list.List // of waiter, the longest waiting first
}

type waiter struct {
	sendAway func()
	since    time.Time
}

func newHall(most int, hurry time.Duration) *hall {
	return &hall{most: most, hurry: hurry, waiting: list.New()}
}

// enter takes a place until leave is called, which may be more than once. It is refused if all places are taken by those that
// have come just now; else the longest waiting one may be sent away for it.
func (h *hall) enter(sendAway func()) (leave func(), ok bool) {
	now := time.Now()
	var oldest func()
	h.mu.Lock()
	if h.waiting.Len() >= h.most {
		first := h.waiting.Front()
		w := first.Value.(waiter)
		if now.Sub(w.since) < h.hurry {
			h.mu.Unlock()
			return nil, false
		}
		oldest = w.sendAway
		h.waiting.Remove(first)
	}
	place := h.waiting.PushBack(waiter{sendAway, now})
	h.mu.Unlock()
	if oldest != nil {
		oldest() // a connection gets an error, and is told nothing
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.waiting.Remove(place) // nothing if it has been sent away
	}, true
}

// clear sends away who has waited for longer than patience.
func (h *hall) clear(patience time.Duration) {
	now := time.Now()
	var away []func()
	h.mu.Lock()
	for first := h.waiting.Front(); first != nil && now.Sub(first.Value.(waiter).since) >= patience; first = h.waiting.Front() {
		away = append(away, first.Value.(waiter).sendAway)
		h.waiting.Remove(first)
	}
	h.mu.Unlock()
	for _, sendAway := range away {
		sendAway()
	}
}
