// Package metrics is what a process tells Prometheus: one registry, the families of the platform, and the small server that
// every process shows them on. It decides nothing and knows no other room; parts count by calling it.
//
// Labels are bounded: a function, an operation's pattern, a collection, a gateway, an outcome. Never the id of a twin, a device
// or a person, and nothing a caller can choose. What is counted costs some nanoseconds; what a part counts for itself already
// is read when somebody scrapes (see Watch), and costs nothing until then.
package metrics

import (
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var registry = func() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &sources)
	return r
}()

// scrapes at a time: one takes some milliseconds of a processor, and nobody needs more.
const scrapes = 4

// Handler answers with the metrics of this process, in the format that Prometheus asks for.
func Handler() http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: scrapes, ErrorHandling: promhttp.ContinueOnError})
}

// A Kind is what Prometheus takes a family for.
type Kind string

// The kinds there are.
const (
	Counter   Kind = "counter"   // only grows
	Gauge     Kind = "gauge"     // a state
	Histogram Kind = "histogram" // a distribution: _bucket, _sum, _count
)

// A Family is one metric of the platform, with its labels.
type Family struct {
	Name   string
	Help   string
	Kind   Kind
	Labels []string

	desc *prometheus.Desc // of a family that sources fill
}

var families []*Family

// Families returns all families of the platform by name; those of the Go runtime and of the process are not among them.
func Families() []Family {
	all := make([]Family, len(families))
	for i, f := range families {
		all[i] = *f
	}
	slices.SortFunc(all, func(a, b Family) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func family(kind Kind, name, help string, labels []string) *Family {
	f := &Family{Name: name, Help: help, Kind: kind, Labels: labels}
	families = append(families, f)
	return f
}

func newCounter(name, help string, labels ...string) *prometheus.CounterVec {
	family(Counter, name, help, labels)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	registry.MustRegister(v)
	return v
}

func newGauge(name, help string, labels ...string) *prometheus.GaugeVec {
	family(Gauge, name, help, labels)
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	registry.MustRegister(v)
	return v
}

func newHistogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	family(Histogram, name, help, labels)
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	registry.MustRegister(v)
	return v
}
