package gateway

import "github.com/castor-iot/castor/shared/metrics"

// measure tells Prometheus what the gateway counts anyway.
func (g *Gateway) measure(s *metrics.Scrape) {
	n, id := g.Stats(), g.config.ID
	s.Set(metrics.DeviceSessions, float64(n.Sessions), id)
	s.Set(metrics.DeviceAdmissions, float64(g.admitted.number()), id)
	s.Set(metrics.DeviceRefused, float64(n.Refused), id, "refused")
	s.Set(metrics.DeviceRefused, float64(n.Throttled), id, "throttled")
	s.Set(metrics.DeviceRefused, float64(n.Foreign), id, "topic")
	s.Set(metrics.DeviceRefused, float64(n.Cut), id, "cut")
	s.Set(metrics.DeviceMessages, float64(n.Received), id, "received")
	s.Set(metrics.DeviceMessages, float64(n.Acknowledged), id, "acknowledged")
	s.Set(metrics.DeviceMessages, float64(n.Dropped), id, "dropped")
}

// number is how many clients are let in.
func (a *admissions) number() int {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return len(a.known)
}
