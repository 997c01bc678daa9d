package link

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

// Bounds of what is told of drivers.
const (
	tellEvery  = time.Second // of one version
	maxTwins   = 20          // named in a report
	maxTallies = 2_000       // versions that are counted at a time
	sayEvery   = time.Minute // the same of one twin
	maxSaid    = 20_000
)

// failures counts what drivers do and tells the registry, which puts those into quarantine that fail too often.
type failures struct {
	link *Link
	wake chan struct{} // something has failed

	mu      sync.Mutex
	tallies map[versionKey]*tally
}

type versionKey struct{ name, version string }

type tally struct {
	api.DriverFailures
	grave []twin.ID // whose messages failed gravely
}

func newFailures(l *Link) *failures {
	return &failures{link: l, wake: make(chan struct{}, 1), tallies: make(map[versionKey]*tally)}
}

// note counts an outcome of a call.
func (f *failures) note(u *api.UsedDriver, id twin.ID, outcome metrics.Outcome, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := versionKey{u.Name, u.Version}
	t := f.tallies[key]
	if t == nil {
		if len(f.tallies) >= maxTallies {
			f.forget()
		}
		t = &tally{DriverFailures: api.DriverFailures{Gateway: f.link.config.Gateway.ID, Name: u.Name, Version: u.Version}}
		f.tallies[key] = t
	}
	switch outcome {
	case metrics.DecodeGrave:
		t.Grave++
		t.grave = named(t.grave, id)
	case metrics.DecodeFailed:
		t.Failed++
		t.Twins = named(t.Twins, id)
	default:
		t.OK++
		return
	}
	t.Reason = strings.ToValidUTF8(reason[:min(len(reason), 500)], "")
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func named(ids []twin.ID, id twin.ID) []twin.ID {
	if len(ids) < maxTwins && !slices.Contains(ids, id) {
		return append(ids, id)
	}
	return ids
}

// forget makes room: what has not failed has nothing to tell. The caller holds the lock.
func (f *failures) forget() {
	for key, t := range f.tallies {
		if t.Failed+t.Grave == 0 {
			delete(f.tallies, key)
		}
	}
}

// run tells until ctx ends: at once of what has failed, then not for a while.
func (f *failures) run(ctx context.Context) {
	for failing := 0; ; {
		select {
		case <-f.wake:
		case <-ctx.Done():
			return
		}
		for _, t := range f.take() {
			call, cancel := context.WithTimeout(trace.With(ctx, trace.New()), f.link.limits.Timeout)
			err := f.link.api.ReportDriver(call, t.DriverFailures)
			cancel()
			if err == nil {
				failing = 0
				continue
			}
			if failing++; failing == 1 || failing%60 == 0 {
				f.link.log.WarnContext(call, "the registry was not told that a driver fails", "driver", t.Name, "version", t.Version, "error", err)
			}
			if !unreadable(err) {
				f.back(t)
			}
		}
		pause.For(ctx, tellEvery)
	}
}

// take takes out the tallies of those that have failed.
func (f *failures) take() (out []*tally) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, t := range f.tallies {
		if t.Failed+t.Grave == 0 {
			continue
		}
		if t.Grave > 0 {
			t.Twins = t.grave
		}
		out = append(out, t)
		delete(f.tallies, key)
	}
	return out
}

// back puts back what could not be told.
func (f *failures) back(old *tally) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
	key := versionKey{old.Name, old.Version}
	t := f.tallies[key]
	if t == nil {
		f.tallies[key] = old
		return
	}
	t.OK, t.Failed, t.Grave = t.OK+old.OK, t.Failed+old.Failed, t.Grave+old.Grave
	for _, id := range old.Twins {
		t.Twins = named(t.Twins, id)
	}
	for _, id := range old.grave {
		t.grave = named(t.grave, id)
	}
	if t.Reason == "" {
		t.Reason = old.Reason
	}
}

// said bounds how often the same is written to a twin's log.
type said struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// may tells whether something may be said now.
func (s *said) may(what string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.last[what]; ok && now.Sub(at) < sayEvery {
		return false
	}
	if s.last == nil || len(s.last) >= maxSaid {
		s.last = make(map[string]time.Time)
	}
	s.last[what] = now
	return true
}
