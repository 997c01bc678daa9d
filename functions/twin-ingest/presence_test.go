package twiningest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// connection is a connector's message that a session began or ended, s seconds after noon.
func connection(id twin.ID, s int, session string, connected bool) telemetry.Message {
	return telemetry.Message{Twin: id, Generation: 1, Kind: telemetry.Presence, Received: noon.Add(time.Duration(s) * time.Second), Session: session,
		Order: twin.Order{Epoch: 9, Seq: int64(s), Assigned: true}, Samples: []telemetry.Sample{{Property: "connected", Value: connected}}}
}

func TestSessions(t *testing.T) {
	on, off := true, false
	w, n := newWorld(t, twin.Model{}), 0
	type step struct {
		session   string
		connected bool
	}
	for name, c := range map[string]struct {
		steps   []step
		want    bool
		session string
	}{
		"connected":          {[]step{{"s1", on}}, on, "s1"},
		"connected and gone": {[]step{{"s1", on}, {"s1", off}}, off, "s1"},
		"a late disconnect of the session before":  {[]step{{"s1", on}, {"s2", on}, {"s1", off}}, on, "s2"},
		"a connect older than the one held":        {[]step{{"s2", on}, {"s1", on}, {"s2", off}}, off, "s2"},
		"a session that ended does not come back":  {[]step{{"s1", on}, {"s1", off}, {"s1", on}}, off, "s1"},
		"an end whose beginning was lost":          {[]step{{"s1", on}, {"s2", off}}, off, "s2"},
		"an end that overtook its beginning":       {[]step{{"s1", off}, {"s1", on}}, off, "s1"},
		"back after an end":                        {[]step{{"s1", on}, {"s1", off}, {"s2", on}}, on, "s2"},
		"the old one's end after the new one's":    {[]step{{"s1", on}, {"s2", on}, {"s2", off}, {"s1", off}}, off, "s2"},
		"the same beginning twice":                 {[]step{{"s1", on}, {"s1", on}}, on, "s1"},
		"the end of a session nobody has heard of": {[]step{{"s1", off}}, off, "s1"},
	} {
		for _, together := range []bool{true, false} {
			n++
			id := twin.ID(fmt.Sprint("pump-", n))
			w.add(id)
			var all []telemetry.Message
			for i, s := range c.steps {
				all = append(all, connection(id, i, s.session, s.connected))
			}
			if together {
				w.stored(all...)
			} else {
				for _, m := range all {
					w.stored(m)
				}
			}
			if p := w.twin(id).Live.Presence; p.Connected != c.want || p.Session != c.session {
				t.Errorf("%s, in one batch %t: presence is %+v, want connected %t in session %s", name, together, p, c.want, c.session)
			}
		}
	}
}

func TestSilenceBecomesOfflineAndContactEndsIt(t *testing.T) {
	w := newWorld(t, twin.Model{OfflineAfter: twin.Duration(time.Minute), OfflineSeverity: "critical"}, "pump-1")
	events := w.Collect(event.AlarmRaised, event.AlarmCleared)
	w.stored(connection("pump-1", 0, "s1", true), measured("pump-1", 1, "rpm", 1))
	if got := w.twin("pump-1").Live.Due; !got.Equal(noon.Add(61 * time.Second)) {
		t.Errorf("due is %s, want a minute after the last contact", got)
	}
	w.SetTime(noon.Add(60 * time.Second))
	w.tick("pump-1")
	if w.twin("pump-1").Live.Presence.Offline {
		t.Error("offline too early")
	}
	w.SetTime(noon.Add(65 * time.Second))
	w.tick("pump-1")
	w.tick("pump-1", "pump-1")
	live := w.twin("pump-1").Live
	if !live.Presence.Offline || !live.Due.IsZero() {
		t.Errorf("presence %+v, due %s; want offline and nothing due", live.Presence, live.Due)
	}
	w.SetTime(noon.Add(100 * time.Second))
	w.stored(measured("pump-1", 99, "rpm", 2))
	if w.twin("pump-1").Live.Presence.Offline {
		t.Error("still offline after contact")
	}
	functiontest.Eventually(t, "raised and cleared once", func() bool { return len(events()) == 2 })
	var raised, cleared monitor.Transition
	must(t, events()[0].Decode(&raised))
	must(t, events()[1].Decode(&cleared))
	if raised.Alarm != cleared.Alarm || !raised.Raised || cleared.Raised || raised.Rule != monitor.Offline || raised.Severity != monitor.Critical ||
		!raised.At.Equal(noon.Add(61*time.Second)) || raised.Location == nil || raised.Location.Site != "hall 3" || len(raised.Before) != 2 {
		t.Errorf("raised %+v\ncleared %+v", raised, cleared)
	}
	// The second silence is another alarm.
	w.SetTime(noon.Add(200 * time.Second))
	w.tick("pump-1")
	functiontest.Eventually(t, "raised again", func() bool { return len(events()) == 3 })
	must(t, events()[2].Decode(&cleared))
	if cleared.Alarm == raised.Alarm {
		t.Error("the second alarm has the id of the first")
	}
}

func TestALostConnectionIsOfflineWhereSilenceIsAllowed(t *testing.T) {
	w := newWorld(t, twin.Model{OfflineSeverity: "warning"}, "pump-1")
	events := w.Collect(event.AlarmRaised, event.AlarmCleared)
	w.stored(connection("pump-1", 0, "s1", true), measured("pump-1", 1, "rpm", 1))
	w.SetTime(noon.Add(time.Hour))
	w.tick("pump-1")
	if w.twin("pump-1").Live.Presence.Offline {
		t.Error("silence alone made it offline")
	}
	w.stored(connection("pump-1", 3600, "s1", false))
	if !w.twin("pump-1").Live.Presence.Offline {
		t.Error("a lost connection did not make it offline")
	}
	// A connection that is taken over within a batch is no outage.
	w.SetTime(noon.Add(2 * time.Hour))
	w.stored(connection("pump-1", 7200, "s2", true))
	w.stored(connection("pump-1", 7201, "s2", false), connection("pump-1", 7202, "s3", true))
	functiontest.Eventually(t, "one alarm", func() bool { return len(events()) >= 2 })
	if got := events(); len(got) != 2 || got[0].Topic != event.AlarmRaised || got[1].Topic != event.AlarmCleared {
		t.Errorf("events are %+v", got)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
