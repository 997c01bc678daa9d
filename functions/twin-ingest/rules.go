package twiningest

import (
	"time"

	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/twin"
)

// reconcile brings the twin's memory of rules in line with the rules there are: one that is gone, disabled or changed ends
// its alarm, a new one looks at what is reported already.
func (s *subject) reconcile() {
	live := &s.doc.Value.Live
	var gone map[string]bool
	for i := range live.Rules {
		st := &live.Rules[i]
		if st.Rule == monitor.Offline {
			continue
		}
		r := s.rule(st.Rule)
		if r != nil && r.Version <= st.Version { // an older version is one that the cache still holds
			continue
		}
		s.alarm(monitor.Drop(st), st, r, nil, s.now)
		s.changed = true
		if r == nil {
			if gone == nil {
				gone = map[string]bool{}
			}
			gone[st.Rule] = true
		}
	}
	if gone != nil {
		live.Forget(func(st *twin.RuleState) bool { return gone[st.Rule] })
	}
	for _, e := range s.watch {
		for _, r := range e.rules {
			if !s.remembers(r) {
				s.begin(r)
			}
		}
	}
}

func (s *subject) rule(id string) *monitor.Rule {
	for _, e := range s.watch {
		for _, r := range e.rules {
			if r.ID == id {
				return r
			}
		}
	}
	return nil
}

func (s *subject) remembers(r *monitor.Rule) bool {
	for i := range s.doc.Value.Live.Rules {
		if st := &s.doc.Value.Live.Rules[i]; st.Rule == r.ID {
			return st.Version >= r.Version
		}
	}
	return false
}

// begin lets a new rule look at what is reported; what was so before it counts from now.
func (s *subject) begin(r *monitor.Rule) {
	live := &s.doc.Value.Live
	live.Rule(r.ID, r.Version)
	s.changed = true
	if held, ok := live.Reading(r.Condition.Property); ok {
		s.observe(r, held.Value, s.now, s.now)
	}
}

// observe tells a rule the new value of its property; nil: it is reported no more.
func (s *subject) observe(r *monitor.Rule, value any, at, received time.Time) {
	st := s.doc.Value.Live.Rule(r.ID, r.Version)
	if st.Version != r.Version {
		return // decided by a newer version, which the cache does not hold yet
	}
	if value == nil {
		s.alarm(monitor.Drop(st), st, r, nil, at)
	} else if v, ok := number(value); ok {
		s.alarm(r.Observe(st, v, at, received), st, r, value, at)
	}
}

// elapse looks at what the passing of time alone decides: durations that are over, and silence.
func (s *subject) elapse() {
	live := &s.doc.Value.Live
	for i := range live.Rules {
		st := &live.Rules[i]
		r := s.rule(st.Rule)
		if r == nil || r.Version != st.Version {
			continue
		}
		due := st.Due
		if c := r.Tick(st, s.now); c != monitor.None {
			held, _ := live.Reading(r.Condition.Property)
			s.alarm(c, st, r, held.Value, due)
		}
	}
	s.silence()
}

// alarm notes that an alarm begins or ends, and leaves the event of it to be published. r is nil if the rule is gone.
func (s *subject) alarm(c monitor.Change, st *twin.RuleState, r *monitor.Rule, value any, at time.Time) {
	if c == monitor.None {
		return
	}
	t := &s.doc.Value
	tr := monitor.NewTransition(t, st, c == monitor.Raise, at)
	if r != nil {
		tr.Title, tr.Severity, tr.Property = r.Title(), r.Severity, r.Condition.Property
	}
	tr.Value = value
	if st.Title = ""; c == monitor.Raise {
		st.Title = tr.Title
	}
	s.tell(c, tr)
}

func (s *subject) tell(c monitor.Change, tr monitor.Transition) {
	t := &s.doc.Value
	t.Outbox.Add(string(t.ID), topicOf(c), string(t.ID), s.now, tr)
	what := "alarm cleared: "
	if c == monitor.Raise {
		what = "alarm raised: "
	}
	s.happened(tr.At, what+tr.Title)
}
