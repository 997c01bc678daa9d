package twiningest

import (
	"time"

	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// connected is what a presence message says.
func connected(m *telemetry.Message) (yes, ok bool) {
	for _, x := range m.Samples {
		if x.Property == "connected" {
			yes, ok = x.Value.(bool)
			return yes, ok
		}
	}
	return false, false
}

// presence applies the beginning or end of a connection. Session ids sort by their beginning: news of an older session than
// the one held says nothing, and a session that has ended does not begin again.
func (s *subject) presence(m *telemetry.Message) {
	if !s.present(m) {
		return
	}
	p := &s.doc.Value.Live.Presence
	on, _ := connected(m)
	at := m.When()
	was := p.Connected
	p.Session, p.Gateway, p.Connected, s.changed = m.Session, m.Gateway, on, true
	if was != on {
		p.Since = at
		s.happened(at, map[bool]string{true: "connected", false: "disconnected"}[on])
	}
	// That a connection is lost is found out long after the device was heard.
	if on && m.Received.After(p.LastSeen) {
		p.LastSeen = m.Received
	}
}

// present tells whether a presence message is news.
func (s *subject) present(m *telemetry.Message) bool {
	p := &s.doc.Value.Live.Presence
	on, _ := connected(m)
	return m.Session > p.Session || m.Session == p.Session && !on && p.Connected
}

// silentAt is when the twin counts as offline unless something comes; the zero time if never.
func (s *subject) silentAt() time.Time {
	t := &s.doc.Value
	p := &t.Live.Presence
	switch {
	case t.Definition.Phase != twin.Operational:
		return time.Time{}
	case s.model.OfflineAfter > 0 && !p.LastSeen.IsZero():
		return p.LastSeen.Add(s.model.OfflineAfter.D())
	case s.model.OfflineAfter == 0 && p.Session != "" && !p.Connected && !p.LastSeen.After(p.Since):
		return p.Since
	}
	return time.Time{}
}

// silence decides whether the twin is offline, and raises or ends the alarm of that.
func (s *subject) silence() {
	t := &s.doc.Value
	p := &t.Live.Presence
	at := s.silentAt()
	offline := !at.IsZero() && !s.now.Before(at)
	if offline != p.Offline {
		p.Offline = offline
		if offline {
			s.happened(at, "offline")
		} else if t.Definition.Phase == twin.Operational {
			s.happened(p.LastSeen, "online")
		} else {
			s.changed, s.news = true, true
		}
	}
	severity := monitor.Severity(s.model.OfflineSeverity)
	alarm := offline && severity != ""
	held := t.Live.Rule(monitor.Offline, 0)
	if alarm == held.Active {
		if !alarm && held.Episode == 0 {
			t.Live.Forget(func(st *twin.RuleState) bool { return st.Rule == monitor.Offline })
		}
		return
	}
	c := monitor.End
	if alarm {
		c = monitor.Raise
		held.Episode++
	} else if at = p.LastSeen; offline {
		at = s.now
	}
	held.Active = alarm
	tr := monitor.NewTransition(t, held, alarm, at)
	if tr.Title = "offline"; severity != "" {
		tr.Severity = severity
	}
	s.tell(c, tr)
}
