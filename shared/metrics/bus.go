package metrics

import (
	"sync"
	"time"
)

var (
	publishSeconds = newHistogram("castor_bus_publish_duration_seconds",
		"How long the bus took to store what was published at once; by outcome: ok, failed.", seconds, "outcome")
	publishOK     = publishSeconds.WithLabelValues("ok")
	publishFailed = publishSeconds.WithLabelValues("failed")
)

// Published counts one publication of events.
func Published(took time.Duration, failed bool) {
	if failed {
		publishFailed.Observe(took.Seconds())
	} else {
		publishOK.Observe(took.Seconds())
	}
}

// Of the process' connection to the bus. Filled by sources.
var (
	BusEvents = watched(Counter, "castor_bus_events_total",
		"Events by what became of them here: published, handled, failed (delivered again), dead (given up), gap (missed by a watcher, which read anew).", "outcome")
	BusPending = watched(Gauge, "castor_bus_pending_messages",
		"Events and queued calls that a consumer has not been handed yet.", "consumer")
	BusUnacknowledged = watched(Gauge, "castor_bus_unacknowledged_messages",
		"Events and queued calls that were handed to a consumer and are not handled yet.", "consumer")
	BusDead = watched(Gauge, "castor_bus_dead_letters",
		"Events and queued calls that were given up and are kept for people to look at.")
	BusStreamBytes = watched(Gauge, "castor_bus_stream_bytes",
		"Bytes that a stream holds.", "stream")
)

var (
	outboxDocuments = watched(Gauge, "castor_outbox_documents",
		"Documents with events that should have been published already, as the last sweep found (1,000 at most).", "function")
	outboxOldest = watched(Gauge, "castor_outbox_oldest_seconds",
		"How long the oldest of these events waits.", "function")

	outboxMu   sync.Mutex
	outboxSeen = map[string]outbox{}
)

type outbox struct {
	documents   int
	oldest, now time.Time
}

// outboxFor is how long a finding is believed: the next sweep may be another replica's.
const outboxFor = 2 * time.Minute

// Outbox tells what a sweep of a function found: how many documents hold events back, and since when the oldest does.
func Outbox(function string, documents int, oldest, now time.Time) {
	outboxMu.Lock()
	defer outboxMu.Unlock()
	outboxSeen[function] = outbox{documents, oldest, now}
}

var _ = Watch(func(s *Scrape) {
	outboxMu.Lock()
	defer outboxMu.Unlock()
	for function, o := range outboxSeen {
		documents, age := 0, time.Duration(0)
		if o.documents > 0 && time.Since(o.now) < outboxFor {
			documents, age = o.documents, max(time.Since(o.oldest), 0)
		}
		s.Set(outboxDocuments, float64(documents), function)
		s.Set(outboxOldest, age.Seconds(), function)
	}
})
