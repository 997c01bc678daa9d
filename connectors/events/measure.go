package events

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/pause"
)

// loadEvery is between two looks at what waits on the bus.
const loadEvery = 15 * time.Second

// measure tells Prometheus what the connector counts, and how far consumers are behind, until ctx ends.
func (c *Connector) measure(ctx context.Context) {
	var load atomic.Pointer[bus.Load]
	defer metrics.Watch(func(s *metrics.Scrape) {
		n := c.Stats()
		s.Set(metrics.EventsDelivered, float64(n.Events), "delivered")
		s.Set(metrics.EventsDelivered, float64(n.EventsFailed), "failed")
		s.Set(metrics.Ticks, float64(n.Ticks), "delivered")
		s.Set(metrics.Ticks, float64(n.TicksFailed), "failed")
		s.Set(metrics.QueuedCalls, float64(n.Calls), "done")
		s.Set(metrics.QueuedCalls, float64(n.CallsRetried), "retried")
		s.Set(metrics.QueuedCalls, float64(n.CallsFailed), "failed")
		s.Set(metrics.Callbacks, float64(n.Callbacks), "delivered")
		s.Set(metrics.Callbacks, float64(n.CallbacksFailed), "failed")
		s.Set(metrics.EventFunctions, float64(n.Functions))
		if l := load.Load(); l != nil {
			tell(s, *l)
		}
	})()
	for ctx.Err() == nil {
		asked, cancel := context.WithTimeout(ctx, loadEvery)
		if l, err := c.Bus.Load(asked); err == nil {
			load.Store(&l)
		} else {
			load.Store(nil) // better no figure than an old one
		}
		cancel()
		pause.For(ctx, loadEvery)
	}
}

func tell(s *metrics.Scrape, l bus.Load) {
	for _, x := range l.Streams {
		s.Set(metrics.BusStreamBytes, float64(x.Bytes), x.Name)
	}
	for _, x := range l.Consumers {
		s.Set(metrics.BusPending, float64(x.Pending), x.Name)
		s.Set(metrics.BusUnacknowledged, float64(x.Unacknowledged), x.Name)
	}
	s.Set(metrics.BusDead, float64(l.Dead))
}
