package metrics

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// seconds are the buckets of what people and other parts wait for.
var seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

var (
	requests = newCounter("castor_function_requests_total",
		"Calls of functions that were answered, by the status' class.", "function", "operation", "status")
	requestSeconds = newHistogram("castor_function_request_duration_seconds",
		"How long functions took to answer.", seconds, "function", "operation")
	requestsRunning = newGauge("castor_function_requests_in_flight",
		"Calls that are being answered now.", "function")

	invocations = newCounter("castor_gateway_requests_total",
		"Calls that the user gateway passed to functions, by the status' class.", "function", "status")
	invocationSeconds = newHistogram("castor_gateway_request_duration_seconds",
		"How long calls took as the user gateway sees it.", seconds, "function")
	invocationsRunning = newGauge("castor_gateway_requests_in_flight",
		"Calls that the user gateway waits for now.", "function")
)

// A Calls counts the calls of one thing: an operation of a function, or a function as the user gateway sees it.
type Calls struct {
	running prometheus.Gauge
	took    func() prometheus.Observer // made when first met, like the counters: many operations are seldom called
	count   func(class string) prometheus.Counter
	status  [6]atomic.Pointer[prometheus.Counter] // by class, made when first met; 0 is for what is no status
}

var classes = [6]string{"other", "1xx", "2xx", "3xx", "4xx", "5xx"}

// Operation counts the calls of an operation: its pattern as the routes declare it, such as "GET /twins/{id}"; "" for calls
// that no operation was found for.
func Operation(function, operation string) *Calls {
	return &Calls{running: requestsRunning.WithLabelValues(function), took: sync.OnceValue(func() prometheus.Observer { return requestSeconds.WithLabelValues(function, operation) }),
		count: func(class string) prometheus.Counter { return requests.WithLabelValues(function, operation, class) }}
}

// Invocation counts the calls of a function that the user gateway passes on. The function must be one that exists.
func Invocation(function string) *Calls {
	return &Calls{running: invocationsRunning.WithLabelValues(function), took: sync.OnceValue(func() prometheus.Observer { return invocationSeconds.WithLabelValues(function) }),
		count: func(class string) prometheus.Counter { return invocations.WithLabelValues(function, class) }}
}

// Begin counts a call as under way. Each Begin needs one End.
func (c *Calls) Begin() { c.running.Inc() }

// End counts a call as under way no more.
func (c *Calls) End() { c.running.Dec() }

// Count counts a call that was answered with an HTTP status.
func (c *Calls) Count(status int, took time.Duration) {
	c.took().Observe(took.Seconds())
	class := status / 100
	if class < 1 || class > 5 {
		class = 0
	}
	counter := c.status[class].Load()
	if counter == nil {
		made := c.count(classes[class])
		counter = &made
		c.status[class].Store(counter)
	}
	(*counter).Inc()
}
