package twinmonitor

import (
	"context"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	watchdog   = "twin-watchdog"
	silentFor  = time.Minute      // how long the watchdog may be silent
	absentFor  = 30 * time.Second // without a check, after which nothing is known of the time before
	hearingFor = 3 * time.Second  // one question
)

// A guard is what is known of the one that watches all others.
type guard struct {
	ID      string       `bson:"_id"`
	Heard   time.Time    `bson:"heard"`   // its newest sign of life
	Checked time.Time    `bson:"checked"` // when it was looked for last
	Alarm   string       `bson:"alarm,omitempty"`
	Outbox  event.Outbox `bson:"outbox"`
}

func openGuards(ctx context.Context, p *platform.Platform) (*store.Collection[guard], platform.Outbox[guard], error) {
	c, err := store.Open[guard](ctx, p.DB, store.Spec{Name: "guards", Schema: 1, Indexes: []store.Index{{Name: "by-outbox", Fields: []string{"outbox.since"}}}})
	return c, platform.Outbox[guard]{P: p, C: c, Index: "by-outbox", Field: "outbox.since",
		Of: func(g *guard) (string, *event.Outbox) { return g.ID, &g.Outbox }}, err
}

// guardWatchdog looks for a sign of life of the watchdog, and raises an alarm when there was none for a minute.
func (f *function) guardWatchdog(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, hearingFor)
	defer cancel()
	beat, silence := f.p.API.WatchdogHeartbeat(asking)
	g, err := f.guards.Upsert(ctx, watchdog, func(g *guard, exists bool) error {
		now := f.p.Time()
		if !exists || now.Sub(g.Checked) > absentFor {
			g.Heard = now // while nobody looked, it may have been silent together with us
		}
		if silence == nil && beat.At.After(g.Heard) && !beat.At.After(now.Add(time.Minute)) {
			g.Heard = beat.At
		}
		g.Checked = now
		g.judge(now, silence)
		return nil
	})
	if err != nil {
		return err
	}
	return f.told.Flush(ctx, g)
}

// judge raises or ends the alarm. It is about no twin, so only maintainers see it.
func (g *guard) judge(now time.Time, silence error) {
	if g.Outbox.Next == 0 {
		g.Outbox.Next = now.UnixMilli()
	}
	silent := now.Sub(g.Heard) > silentFor
	if silent == (g.Alarm != "") || g.Outbox.Full() {
		return
	}
	t := monitor.Transition{Alarm: g.Alarm, Raised: silent, Name: "function " + watchdog, Rule: "watchdog.silent", Severity: monitor.Critical, At: now,
		Title: "nobody watches over what crashes and outages leave"}
	if !silent {
		g.Alarm = ""
		g.Outbox.Add("guard:"+g.ID, event.AlarmCleared, "", now, t)
		return
	}
	g.Alarm = monitor.AlarmID("", t.Rule, now.UnixMilli())
	t.Alarm = g.Alarm
	what := "its last sign of life"
	if silence != nil {
		what = fmt.Sprintf("%s; asked, it says: %.200s", what, silence)
	}
	t.Before = []twin.Occurrence{{At: g.Heard, What: what}}
	g.Outbox.Add("guard:"+g.ID, event.AlarmRaised, "", now, t)
}
