package stream

import "github.com/castor-iot/castor/shared/metrics"

func (c *Connector) measure(s *metrics.Scrape) {
	c.mu.Lock()
	open := c.all
	c.mu.Unlock()
	c.ring.mu.Lock()
	bytes := c.ring.bytes
	c.ring.mu.Unlock()
	s.Set(metrics.Streams, float64(open))
	s.Set(metrics.StreamFrames, float64(c.count.frames.Load()))
	s.Set(metrics.StreamReloads, float64(c.count.reloads.Load()))
	s.Set(metrics.StreamsRefused, float64(c.count.refused.Load()))
	s.Set(metrics.StreamBytes, float64(bytes))
}
