package twiningest

import (
	"time"

	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/telemetry"
)

// measure counts what became of a batch.
func (b *batch) measure(took time.Duration) {
	metrics.Batch(len(b.messages), took)
	counts := map[telemetry.Outcome]int{}
	now := b.f.p.Time()
	for i, o := range b.outcomes {
		counts[o]++
		if o == telemetry.Stored {
			metrics.Lag(now.Sub(b.messages[i].Received))
		}
	}
	for o, n := range counts {
		metrics.Ingested(string(o), n)
	}
}
