package gateway

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// A hall has the places of those who are not authenticated. Who takes many and says nothing, or half of what is to be said,
// keeps nobody out: they give way to newcomers, those first of whom there are most. Those that have just come do not, or devices
// that all come at once, after an outage, would send each other away for ever; but one of a crowd gives way to one who comes alone.
type hall struct {
	most  int
	hurry time.Duration

	mu      sync.Mutex
	waiting *list.List                    // of waiter, the longest waiting first
	from    map[netip.Prefix]*list.List   // likewise, by where they come from
	crowds  map[int]map[netip.Prefix]bool // where as many come from
	biggest int
}

type waiter struct {
	sendAway func()
	since    time.Time
	from     netip.Prefix
	among    *list.Element // of those from there
}

func newHall(most int, hurry time.Duration) *hall {
	return &hall{most: most, hurry: hurry, waiting: list.New(), from: map[netip.Prefix]*list.List{}, crowds: map[int]map[netip.Prefix]bool{}}
}

// neighbours is the network whose addresses one subscriber easily has many of.
func neighbours(a netip.Addr) netip.Prefix {
	bits := 24
	if a = a.Unmap(); a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// enter takes a place until leave is called, which may be more than once. Where all places are taken, the longest waiting one is sent
// away for it, if it waits for longer than hurry; else one of the biggest crowd, if that would still be as big as the newcomer's own.
// Else the newcomer is refused.
func (h *hall) enter(from netip.Addr, sendAway func()) (leave func(), ok bool) {
	now, network := time.Now(), neighbours(from)
	var away func()
	h.mu.Lock()
	if h.waiting.Len() >= h.most {
		gives := h.givesWay(network, now)
		if gives == nil {
			h.mu.Unlock()
			return nil, false
		}
		away = gives.Value.(*waiter).sendAway
		h.remove(gives)
	}
	w := &waiter{sendAway: sendAway, since: now, from: network}
	place := h.waiting.PushBack(w)
	h.join(w, place)
	h.mu.Unlock()
	if away != nil {
		away() // a connection gets an error, and is told nothing
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.remove(place) // nothing if it has been sent away
	}, true
}

// givesWay is whose place a newcomer from a network gets; nil if nobody's.
func (h *hall) givesWay(network netip.Prefix, now time.Time) *list.Element {
	own := 0
	if l := h.from[network]; l != nil {
		own = l.Len()
	}
	for crowd := range h.crowds[h.biggest] {
		oldest := h.from[crowd].Front().Value.(*list.Element)
		if h.biggest > own+1 || now.Sub(oldest.Value.(*waiter).since) >= h.hurry && h.biggest > 1 {
			return oldest
		}
		break
	}
	if first := h.waiting.Front(); now.Sub(first.Value.(*waiter).since) >= h.hurry {
		return first
	}
	return nil
}

func (h *hall) join(w *waiter, place *list.Element) {
	l := h.from[w.from]
	if l == nil {
		l = list.New()
		h.from[w.from] = l
	}
	h.count(w.from, l.Len(), l.Len()+1)
	w.among = l.PushBack(place)
}

func (h *hall) remove(place *list.Element) {
	w := place.Value.(*waiter)
	if w.among == nil {
		return
	}
	l := h.from[w.from]
	l.Remove(w.among)
	w.among = nil
	h.waiting.Remove(place)
	h.count(w.from, l.Len()+1, l.Len())
	if l.Len() == 0 {
		delete(h.from, w.from)
	}
}

// count notes that n come from a network and no more before.
func (h *hall) count(network netip.Prefix, before, n int) {
	if delete(h.crowds[before], network); len(h.crowds[before]) == 0 {
		delete(h.crowds, before)
	}
	if n > 0 {
		if h.crowds[n] == nil {
			h.crowds[n] = map[netip.Prefix]bool{}
		}
		h.crowds[n][network] = true
	}
	if h.biggest = max(h.biggest, n); len(h.crowds[h.biggest]) == 0 {
		h.biggest = n // it changes by one at a time
	}
}

// clear sends away who has waited for longer than patience.
func (h *hall) clear(patience time.Duration) {
	now := time.Now()
	var away []func()
	h.mu.Lock()
	for first := h.waiting.Front(); first != nil && now.Sub(first.Value.(*waiter).since) >= patience; first = h.waiting.Front() {
		away = append(away, first.Value.(*waiter).sendAway)
		h.remove(first)
	}
	h.mu.Unlock()
	for _, sendAway := range away {
		sendAway()
	}
}
