package drivers

import (
	"fmt"
	"sync"

	"github.com/castor-iot/castor/shared/api"
)

const (
	runsOfOne = 2 // of one caller at a time
	runsOfAll = 8
)

// A gate bounds how many runs go on at a time: of one caller, so that there is room for others, and of all.
type gate struct {
	mu  sync.Mutex
	of  map[string]int
	all int
}

// enter lets a caller's run begin, which ends with leave.
func (g *gate) enter(who string) (leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.of[who] >= runsOfOne:
		return nil, fmt.Errorf("%w: %d of your runs go on already; wait for one", api.ErrTooMany, runsOfOne)
	case g.all >= runsOfAll:
		return nil, fmt.Errorf("%w: the bench is busy; try again in a moment", api.ErrUnavailable)
	}
	if g.of == nil {
		g.of = map[string]int{}
	}
	g.of[who]++
	g.all++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.all--
		if g.of[who]--; g.of[who] == 0 {
			delete(g.of, who)
		}
	}, nil
}
