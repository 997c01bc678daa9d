package drivers

import (
	"fmt"
	"sync"

	"github.com/castor-iot/castor/shared/api"
)

// A gate bounds how much of one kind goes on at a time: of one caller, so that there is room for others, and of all.
type gate struct {
	one, all int
	what     string // in the words of its refusals: "runs"

	mu    sync.Mutex
	of    map[string]int
	count int
}

// Those of this function. What is published is tried in the workers that redrives need, too.
func runsGate() *gate    { return &gate{one: 2, all: 8, what: "runs"} }
func publishGate() *gate { return &gate{one: 2, all: 6, what: "publications"} }

// enter lets something of a caller begin, which ends with leave.
func (g *gate) enter(who string) (leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.of[who] >= g.one:
		return nil, fmt.Errorf("%w: %d of your %s go on already; wait for one", api.ErrTooMany, g.one, g.what)
	case g.count >= g.all:
		return nil, fmt.Errorf("%w: %d %s go on already; try again in a moment", api.ErrUnavailable, g.all, g.what)
	}
	if g.of == nil {
		g.of = map[string]int{}
	}
	g.of[who]++
	g.count++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.count--
		if g.of[who]--; g.of[who] == 0 {
			delete(g.of, who)
		}
	}, nil
}
