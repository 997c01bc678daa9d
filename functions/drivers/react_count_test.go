package drivers

import (
	"testing"
	"time"
)

// Replicas whose clocks differ send no more commands in a minute than one would, and a clock that was far ahead once is forgotten.
func TestCommandsInAMinute(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var d deed
	wanted := func(now time.Time, n int) (sent int) {
		for range n {
			if d.may(now) {
				sent++
			}
		}
		return sent
	}
	for _, step := range []struct {
		at   time.Duration
		want int
	}{
		{0, maxWanted},
		{59 * time.Second, 0},
		{2 * time.Minute, maxWanted}, // by another's clock
		{30 * time.Second, 0},
		{2*time.Minute + 30*time.Second, 0},
		{time.Minute, 0},
		{3 * time.Minute, maxWanted},
		{3*time.Minute - clockAhead, 0},
		{2*time.Minute - clockAhead, maxWanted}, // it was ahead for no good
		{2*time.Minute - clockAhead + time.Second, 0},
	} {
		if got := wanted(noon.Add(step.at), maxWanted+1); got != step.want {
			t.Errorf("at %s %d are sent, want %d", step.at, got, step.want)
		}
	}
}
