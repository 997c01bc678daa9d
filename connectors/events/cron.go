package events

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

var parser = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// A schedule knows planned times. They depend on nothing but the schedule, so that replicas agree on them.
type schedule struct {
	cron  cron.Schedule
	every time.Duration // of "@every"; 0 for others
}

// parseSchedule reads five cron fields, six with seconds, "@hourly" and its like, or "@every 5s". Times are UTC.
func parseSchedule(spec string) (schedule, error) {
	parsed, err := parser.Parse(spec)
	if err != nil {
		return schedule{}, err
	}
	if every, ok := parsed.(cron.ConstantDelaySchedule); ok {
		// The parser would make one second of anything shorter.
		if asked, err := time.ParseDuration(strings.TrimSpace(strings.TrimPrefix(spec, "@every"))); err != nil || asked < time.Second {
			return schedule{}, fmt.Errorf("%q must be one second at least", spec)
		}
		return schedule{every: every.Delay}, nil
	}
	if parsed.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return schedule{}, fmt.Errorf("%q never comes", spec)
	}
	return schedule{cron: parsed}, nil
}

// next is the first planned time after t.
func (s schedule) next(t time.Time) time.Time {
	t = t.UTC()
	if s.every > 0 {
		return t.Truncate(s.every).Add(s.every) // counted from the year 1, not from when we started
	}
	return s.cron.Next(t)
}

// latest is the last planned time that is after from and not after now; false if there is none. It looks back in growing
// steps, so that a long time away with many ticks missed costs little.
func (s schedule) latest(from, now time.Time) (time.Time, bool) {
	for _, back := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 32 * 24 * time.Hour, now.Sub(from)} {
		start := now.Add(-back)
		if start.Before(from) {
			start = from
		}
		var last time.Time
		for t := s.next(start); !t.IsZero() && !t.After(now); t = s.next(t) {
			last = t
		}
		if !last.IsZero() {
			return last, true
		}
		if start.Equal(from) {
			break
		}
	}
	return time.Time{}, false
}
