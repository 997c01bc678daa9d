package metrics

import (
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// A Scrape collects what sources tell. It is valid during the call of the source only.
type Scrape struct {
	values map[string]*reading
}

type reading struct {
	family *Family
	labels []string
	value  float64
}

// Set tells the value of a family for these label values, in the order of its Labels. What several sources tell of the same
// labels is added up.
func (s *Scrape) Set(f *Family, value float64, labels ...string) {
	key := f.Name + "\x00" + strings.Join(labels, "\x00")
	if r, ok := s.values[key]; ok {
		r.value += value
		return
	}
	s.values[key] = &reading{f, labels, value}
}

// Watch has source be asked at every scrape, for what a part counts anyway, until stop is called. It must answer from memory.
func Watch(source func(*Scrape)) (stop func()) {
	sources.mu.Lock()
	defer sources.mu.Unlock()
	sources.next++
	id := sources.next
	sources.all[id] = source
	return func() {
		sources.mu.Lock()
		defer sources.mu.Unlock()
		delete(sources.all, id)
	}
}

// watched declares a family that sources fill.
func watched(kind Kind, name, help string, labels ...string) *Family {
	f := family(kind, name, help, labels)
	f.desc = prometheus.NewDesc(name, help, labels, nil)
	return f
}

// sources are all that Watch was given, as one collector.
var sources = collector{all: map[int]func(*Scrape){}}

type collector struct {
	mu   sync.Mutex
	next int
	all  map[int]func(*Scrape)
}

// Describe sends nothing: which labels there are is known when the sources are asked.
func (*collector) Describe(chan<- *prometheus.Desc) {}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	s := &Scrape{values: map[string]*reading{}}
	c.mu.Lock()
	for _, source := range c.all {
		source(s)
	}
	c.mu.Unlock()
	for _, r := range s.values {
		kind := prometheus.GaugeValue
		if r.family.Kind == Counter {
			kind = prometheus.CounterValue
		}
		m, err := prometheus.NewConstMetric(r.family.desc, kind, r.value, r.labels...)
		if err != nil {
			m = prometheus.NewInvalidMetric(r.family.desc, err)
		}
		out <- m
	}
}
