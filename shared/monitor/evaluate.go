package monitor

import (
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// Change is what a step of a rule brought about.
type Change int

// The changes.
const (
	None Change = iota
	Raise
	End
)

// Observe tells rule r, with its memory s, that the property has a new value: at is when it was measured, received when it
// arrived. It returns what that brings about and changes s accordingly.
func (r *Rule) Observe(s *twin.RuleState, value float64, at, received time.Time) Change {
	if !r.Condition.Breached(value, s.Active) {
		s.Breached, s.Since, s.SinceReceived, s.Due = false, time.Time{}, time.Time{}, time.Time{}
		if s.Active {
			s.Active = false
			return End
		}
		return None
	}
	if !s.Breached {
		s.Breached, s.Since, s.SinceReceived = true, at, received
		s.Due = received.Add(r.Condition.For.D())
	}
	if s.Active {
		return None
	}
	// The device's clock and ours each may show that it has held long enough: a backlog is judged by the device's, silence by ours.
	if at.Sub(s.Since) >= r.Condition.For.D() || !received.Before(s.Due) {
		return r.raise(s)
	}
	return None
}

// Tick tells rule r that it is now; a condition that has held long enough raises the alarm without a further message.
func (r *Rule) Tick(s *twin.RuleState, now time.Time) Change {
	if !s.Breached || s.Active || now.Before(s.Due) {
		return None
	}
	return r.raise(s)
}

func (r *Rule) raise(s *twin.RuleState) Change {
	s.Active, s.Due = true, time.Time{}
	s.Episode++
	return Raise
}

// Drop ends what is left of a rule that watches the twin no longer: End if its alarm was raised.
func Drop(s *twin.RuleState) Change {
	active := s.Active
	s.Breached, s.Active, s.Since, s.SinceReceived, s.Due = false, false, time.Time{}, time.Time{}, time.Time{}
	if active {
		return End
	}
	return None
}
