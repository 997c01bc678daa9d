package bus

import (
	"sync/atomic"

	"github.com/castor-iot/castor/shared/metrics"
)

type counters struct {
	published, handled, failed, dead, gaps atomic.Uint64
}

// Stats are counts since Connect.
type Stats struct {
	Published uint64 // events stored
	Handled   uint64 // events and calls handled without error
	Failed    uint64 // deliveries whose handler returned an error
	Dead      uint64 // events and calls given up
	Gaps      uint64 // times that watchers were told of a gap
}

// Stats returns the counts so far.
func (b *Bus) Stats() Stats {
	return Stats{
		Published: b.count.published.Load(),
		Handled:   b.count.handled.Load(),
		Failed:    b.count.failed.Load(),
		Dead:      b.count.dead.Load(),
		Gaps:      b.count.gaps.Load(),
	}
}

func (b *Bus) measure(s *metrics.Scrape) {
	n := b.Stats()
	for outcome, v := range map[string]uint64{"published": n.Published, "handled": n.Handled, "failed": n.Failed, "dead": n.Dead, "gap": n.Gaps} {
		s.Set(metrics.BusEvents, float64(v), outcome)
	}
}
