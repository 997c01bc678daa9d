package drivers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/twin"
)

// What is said in a twin's log.
const (
	sayEvery    = time.Minute // the same of one twin
	maxSaidOf   = 20_000
	maxLine     = 1000 // bytes
	endWithin   = 5 * time.Second
	maxLinesOut = 500 // of one call with events
)

// A versionKey is a version of a driver.
type versionKey struct{ name, version string }

// A tally counts what came of a version's calls in a round.
type tally struct {
	api.DriverFailures
	grave []twin.ID
}

// count counts the outcome of a call.
func (b *round) count(u *api.UsedDriver, o metrics.Reaction, reason string) {
	metrics.Reacts(o)
	b.mu.Lock()
	defer b.mu.Unlock()
	key := versionKey{u.Name, u.Version}
	t := b.tallies[key]
	if t == nil {
		t = &tally{DriverFailures: api.DriverFailures{Name: u.Name, Version: u.Version}}
		b.tallies[key] = t
	}
	switch o {
	case metrics.ReactGrave:
		t.Grave++
		t.grave = suspected(t.grave, u.Twin)
	case metrics.ReactFailed:
		t.Failed++
		t.Twins = suspected(t.Twins, u.Twin)
	default:
		t.OK++
		return
	}
	t.Reason = strings.ToValidUTF8(reason[:min(len(reason), maxSaid)], "")
}

func suspected(ids []twin.ID, id twin.ID) []twin.ID {
	if len(ids) < maxReported && !slices.Contains(ids, id) {
		return append(ids, id)
	}
	return ids
}

var errGrave = errors.New("the driver has cost workers with what other twins have said, so what it has to react to waits")

// misconducts tells whether a version has cost so many workers in this round that it is not called any more, so that one that hangs holds up
// the others for a bounded time; here tells that messages of this twin were among those that did it.
func (b *round) misconducts(u *api.UsedDriver) (so, here bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tallies[versionKey{u.Name, u.Version}]
	if t == nil || t.Grave < maxGraves {
		return false, false
	}
	return true, slices.Contains(t.grave, u.Twin)
}

// fail notes that on_event did not answer.
func (d *deed) fail(why string) {
	d.failure = why
	d.notes = append(d.notes, note{"failed", "error", why})
}

// A note is a line for the twin's log, unless one about the same was written within a minute.
type note struct{ about, level, text string }

// tell takes on the notes of what is stored.
func (b *round) tell(u *api.UsedDriver, d *deed) {
	if d.took > 0 {
		metrics.ReactTook(d.took)
	}
	if !d.called && d.failure == "" {
		metrics.Reacts(metrics.ReactPassed)
	}
	for _, n := range d.notes {
		b.say(u.Twin, n.about, n.level, n.text)
	}
}

// say leaves a line to be written when the round ends.
func (b *round) say(id twin.ID, about, level, text string) {
	now := b.r.f.p.Time()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lines) >= maxLinesOut || !b.r.said.may(string(id)+" "+about, now) {
		return
	}
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + "…"
	}
	b.lines = append(b.lines, api.LogLine{Twin: id, At: now, App: "driver", Level: level, Text: strings.ToValidUTF8(text, "\uFFFD")})
}

// end writes the lines, and has failures judged as those are that connectors tell of.
func (b *round) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer cancel()
	for _, t := range b.tallies {
		if t.Failed+t.Grave == 0 {
			continue
		}
		if t.Grave > 0 {
			t.Twins = t.grave
		}
		if err := b.r.f.tally(ctx, &t.DriverFailures); err != nil {
			b.r.f.p.Log.WarnContext(ctx, "failures of a driver were not counted", "function", b.r.f.p.Part, "driver", t.Name, "version", t.Version, "error", err)
		}
	}
	b.r.write(ctx, b.lines)
}

// write writes lines; that it does not succeed is no reason to do anything again.
func (r *reactor) write(ctx context.Context, lines []api.LogLine) {
	if len(lines) == 0 {
		return
	}
	if err := r.f.p.API.WriteLog(ctx, api.LogLines{Lines: lines}); err != nil {
		r.f.p.Log.WarnContext(ctx, "lines for twins' logs are lost", "function", r.f.p.Part, "lines", len(lines), "error", err)
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
	if at, ok := s.last[what]; ok && now.Sub(at).Abs() < sayEvery {
		return false
	}
	if s.last == nil || len(s.last) >= maxSaidOf {
		s.last = map[string]time.Time{}
	}
	s.last[what] = now
	return true
}
