package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var storeSeconds = newHistogram("castor_store_duration_seconds",
	"How long the store took for an operation: get, write, apply, walk or count; by outcome: ok, or failed for what the database could not do.",
	[]float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}, "collection", "operation", "outcome")

// Store counts the time of one kind of operation on one collection.
type Store struct {
	ok     func() prometheus.Observer
	failed func() prometheus.Observer
}

// NewStore returns the counter for an operation on a collection.
func NewStore(collection, operation string) *Store {
	made := func(outcome string) func() prometheus.Observer {
		return sync.OnceValue(func() prometheus.Observer { return storeSeconds.WithLabelValues(collection, operation, outcome) })
	}
	return &Store{ok: made("ok"), failed: made("failed")}
}

// Took counts an operation. failed tells that the database did not do it, as when it is away; what it answers, such as "no such
// document" or a conflict, is no failure.
func (s *Store) Took(d time.Duration, failed bool) {
	if failed {
		s.failed().Observe(d.Seconds())
	} else {
		s.ok().Observe(d.Seconds())
	}
}
