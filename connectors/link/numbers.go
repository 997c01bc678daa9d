package link

import (
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"time"
)

// Numbers gives sessions their numbers, for connectors whose gateway is not the platform's own and has none to give.
type Numbers struct{ last atomic.Int64 }

// Next is the next session's: Unix milliseconds, about, and never the same twice; and an id that sorts by it.
func (n *Numbers) Next(now time.Time) (id string, number int64) {
	for {
		last := n.last.Load()
		next := max(now.UnixMilli(), last+1)
		if n.last.CompareAndSwap(last, next) {
			return fmt.Sprintf("%012x-%s", next, rand.Text()[:16]), next
		}
	}
}
