package http

import (
	"context"
	"sync"
)

// shares bound how much is under way of each: to each host, whoever has named it, or for each owner's devices.
type shares struct {
	each int
	mu   sync.Mutex
	by   map[string]*share
}

type share struct {
	name   string
	places chan struct{}
	users  int
}

func newShares(each int) shares { return shares{each: each, by: map[string]*share{}} }

// join returns the places of one; leave gives up what was joined.
func (s *shares) join(name string) *share {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.by[name]
	if !ok {
		one = &share{name: name, places: make(chan struct{}, s.each)}
		s.by[name] = one
	}
	one.users++
	return one
}

func (s *shares) leave(one *share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(s.by, one.name)
	}
}

// take takes a place everywhere, or none if ctx ends, and returns what gives them up. Who waits for one has none of the others meanwhile: a
// host that is silent would else hold up what its callers share with those of other hosts.
func take(ctx context.Context, everywhere []chan struct{}) (leave func()) {
	for next := 0; next >= 0; next = others(everywhere, next) {
		select {
		case everywhere[next] <- struct{}{}:
		case <-ctx.Done():
			return func() {}
		}
	}
	return func() {
		for _, places := range everywhere {
			<-places
		}
	}
}

// others takes the places beside one that was taken; -1 = all. Where there is none it gives up all, and returns where that is.
func others(everywhere []chan struct{}, taken int) (full int) {
	for i, places := range everywhere {
		if i == taken {
			continue
		}
		select {
		case places <- struct{}{}:
		default:
			for k, places := range everywhere {
				if k < i || k == taken {
					<-places
				}
			}
			return i
		}
	}
	return -1
}
