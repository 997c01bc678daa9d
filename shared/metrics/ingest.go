package metrics

import (
	"time"
)

var (
	batchMessages = newHistogram("castor_ingest_batch_messages",
		"Messages per batch that twin-ingest was given.", []float64{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000}).WithLabelValues()
	batchSeconds = newHistogram("castor_ingest_batch_duration_seconds",
		"How long twin-ingest took for a batch.", seconds).WithLabelValues()
	ingested = newCounter("castor_ingest_messages_total",
		"Messages that twin-ingest decided about, by outcome: stored, parked, refused, retry.", "outcome")
	lag = newHistogram("castor_ingest_lag_seconds",
		"Time from a message's arrival at the gateway to its being stored.",
		[]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600}).WithLabelValues()
)

// Batch counts a batch of messages that twin-ingest has been through.
func Batch(messages int, took time.Duration) {
	batchMessages.Observe(float64(messages))
	batchSeconds.Observe(took.Seconds())
}

// Ingested counts messages with the same outcome: "stored", "parked", "refused" or "retry".
func Ingested(outcome string, n int) {
	if n > 0 {
		ingested.WithLabelValues(outcome).Add(float64(n))
	}
}

// Lag counts a message that is stored now, by how long ago its gateway received it. The two may have different clocks: what
// comes out negative counts as zero.
func Lag(d time.Duration) { lag.Observe(max(d, 0).Seconds()) }

// Of a connector's link to twin-ingest, by gateway. Filled by sources.
var (
	LinkBatches = watched(Counter, "castor_link_batches_total",
		"Batches that a connector brought to twin-ingest and had answered.", "gateway")
	LinkMessages = watched(Counter, "castor_link_messages_total",
		"Device messages by what became of them: stored, parked, refused, retry (sent again), lost (never acknowledged, the device still has them).",
		"gateway", "outcome")
	LinkWaiting = watched(Gauge, "castor_link_messages_waiting",
		"Device messages that are received and not settled.", "gateway")
)
