package gateway

import (
	"sync/atomic"

	"github.com/castor-iot/castor/shared/metrics"
)

// measure tells Prometheus what the gateway counts anyway.
func (d *Door) measure(s *metrics.Scrape) {
	n, id, protocol := d.Stats(), d.config.ID, d.config.Protocol
	s.Set(metrics.DeviceSessions, float64(n.Sessions), id, protocol)
	s.Set(metrics.DeviceAdmissions, float64(d.admitted.Number()), id, protocol)
	s.Set(metrics.DeviceRefused, float64(n.Refused), id, protocol, "refused")
	s.Set(metrics.DeviceRefused, float64(n.Throttled), id, protocol, "throttled")
	s.Set(metrics.DeviceRefused, float64(n.Foreign), id, protocol, "topic")
	s.Set(metrics.DeviceRefused, float64(n.Cut), id, protocol, "cut")
	s.Set(metrics.DeviceRefused, float64(n.Knocks), id, protocol, "knock")
	s.Set(metrics.DeviceMessages, float64(n.Received), id, protocol, "received")
	s.Set(metrics.DeviceMessages, float64(n.Acknowledged), id, protocol, "acknowledged")
	s.Set(metrics.DeviceMessages, float64(n.Dropped), id, protocol, "dropped")
}

type counters struct {
	received, acknowledged, refused, foreign, throttled, dropped, cut atomic.Uint64
}

// Stats are counts since NewDoor.
type Stats struct {
	Sessions     int    // now
	Received     uint64 // messages taken
	Acknowledged uint64 // messages that are stored
	Refused      uint64 // clients that did not authenticate
	Throttled    uint64 // connections and clients turned away unheard
	Knocks       uint64 // knocks turned away unheard
	Foreign      uint64 // what was asked for without the right to it
	Dropped      uint64 // messages to devices that were too slow, or gone before they had acknowledged
	Cut          uint64 // sessions ended because their admission changed or ended
}

// Stats returns the counts so far.
func (d *Door) Stats() Stats {
	s := Stats{
		Sessions:     len(d.sessions.all()),
		Received:     d.count.received.Load(),
		Acknowledged: d.count.acknowledged.Load(),
		Refused:      d.count.refused.Load(),
		Throttled:    d.count.throttled.Load(),
		Knocks:       d.knocks.throttled.Load(),
		Foreign:      d.count.foreign.Load(),
		Dropped:      d.count.dropped.Load(),
		Cut:          d.count.cut.Load(),
	}
	if d.config.Lost != nil {
		s.Dropped += d.config.Lost()
	}
	return s
}
