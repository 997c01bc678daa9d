package http

import "sync"

// hosts bounds how much is under way to each host, whoever has named it.
type hosts struct {
	mu sync.Mutex
	by map[string]*hostPlaces
}

type hostPlaces struct {
	name   string
	places chan struct{}
	users  int
}

// join returns the places of a host; leave gives up what was joined.
func (h *hosts) join(name string) *hostPlaces {
	h.mu.Lock()
	defer h.mu.Unlock()
	one, ok := h.by[name]
	if !ok {
		one = &hostPlaces{name: name, places: make(chan struct{}, pushOfHost)}
		h.by[name] = one
	}
	one.users++
	return one
}

func (h *hosts) leave(one *hostPlaces) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(h.by, one.name)
	}
}
