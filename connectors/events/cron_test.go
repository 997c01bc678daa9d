package events

import (
	"testing"
	"time"
)

func TestSchedules(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 30, 500, time.UTC)
	day := func(s string) time.Time {
		d, err := time.Parse("2006-01-02 15:04:05", s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for name, test := range map[string]struct{ spec, next, latest string }{
		"every few seconds":       {"@every 5s", "2026-03-01 12:00:35", "2026-03-01 12:00:30"},
		"six fields":              {"*/10 * * * * *", "2026-03-01 12:00:40", "2026-03-01 12:00:30"},
		"five fields":             {"*/7 * * * *", "2026-03-01 12:07:00", "2026-03-01 12:00:00"},
		"a name":                  {"@daily", "2026-03-02 00:00:00", "2026-03-01 00:00:00"},
		"once a year":             {"0 0 29 2 *", "2028-02-29 00:00:00", "2024-02-29 00:00:00"},
		"every hour, counted":     {"@every 1h", "2026-03-01 13:00:00", "2026-03-01 12:00:00"},
		"another day of the week": {"0 30 6 * * MON", "2026-03-02 06:30:00", "2026-02-23 06:30:00"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := parseSchedule(test.spec)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.next(now); !got.Equal(day(test.next)) {
				t.Errorf("next is %s, want %s", got, test.next)
			}
			if got, ok := s.latest(now.AddDate(-10, 0, 0), now); !ok || !got.Equal(day(test.latest)) {
				t.Errorf("latest is %s, want %s", got, test.latest)
			}
			if got, ok := s.latest(day(test.latest), now); ok {
				t.Errorf("after the latest there is %s", got)
			}
		})
	}
	for _, spec := range []string{"", "x", "* * *", "@every", "@every -1s", "@every 500ms", "0 0 31 2 *", "99 * * * *"} {
		if _, err := parseSchedule(spec); err == nil {
			t.Errorf("schedule %q was accepted", spec)
		}
	}
}
