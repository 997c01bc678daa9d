package alerts_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// give gives a twin to another group, and returns the event that tells of it.
func (w *world) give(id twin.ID, owner string) event.Event {
	w.t.Helper()
	w.twin(id, owner)
	return event.New(fmt.Sprintf("moved:%s:%s", id, owner), event.TwinMoved, string(id), w.Now(), api.TwinChanged{Twin: id})
}

// seen tells how many alarms a caller lists, counts as raised, and counts as taken on.
func seen(t *testing.T, c *api.Client) string {
	t.Helper()
	n, err := c.CountAlarms(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(len(list(t, c, "")), n.Raised[monitor.Critical], n.Acknowledged[monitor.Critical])
}

// Alarms go with their twin, past ones too; who had taken them on, and their notes, stay behind. When the twin is deleted
// nothing of it goes back, in whatever order the events come.
func TestAlarmsGoWithTheirTwin(t *testing.T) {
	for name, late := range map[string]bool{"in order": false, "the move is heard of after the end": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.twin("pump-1", "press")
			ada, bob := w.User("ada", []access.Role{access.Owner}, "press"), w.User("bob", []access.Role{access.Owner}, "paint")
			w.hand(alarm("taken", true, start), alarm("open", true, start), alarm("over", true, start))
			for _, id := range []string{"taken", "over"} {
				if _, err := ada.AcknowledgeAlarm(ctx, id, "the key is under the mat"); err != nil {
					t.Fatal(err)
				}
			}
			w.hand(alarm("over", false, start.Add(time.Minute)))
			told := w.Collect(event.AlarmAcknowledged)
			moved := w.give("pump-1", "paint")
			if !late {
				w.hand(moved, moved)
				if got := seen(t, ada) + ", " + seen(t, bob); got != "0 0 0, 3 2 0" {
					t.Errorf("moved, the alarms seen are %s", got)
				}
				functiontest.Eventually(t, "the new group hears that nobody has taken it on", func() bool {
					for _, e := range told() {
						var d api.AlarmTaken
						if e.Decode(&d) == nil && d.Alarm == "taken" && !d.Acknowledged && d.Owner == "paint" {
							return true
						}
					}
					return false
				})
				if _, err := ada.ReleaseAlarm(ctx, "taken"); !errors.Is(err, api.ErrNotFound) {
					t.Errorf("the former owner lets go of it: %v", err)
				}
				if _, err := bob.AcknowledgeAlarm(ctx, "taken", "mine"); err != nil {
					t.Errorf("the new owner takes it on: %v", err)
				}
			}
			if err := w.twins.Delete(ctx, "pump-1"); err != nil {
				t.Fatal(err)
			}
			w.hand(event.New("gone", event.TwinDeleted, "pump-1", start.Add(time.Hour), api.TwinChanged{Twin: "pump-1", Before: &api.TwinScope{Owner: "paint", Type: "pump"}}))
			w.hand(moved)
			if got := seen(t, ada) + ", " + seen(t, bob); got != "0 0 0, 3 0 0" {
				t.Errorf("deleted, the alarms seen are %s", got)
			}
			for _, id := range []string{"taken", "open", "over"} {
				if _, err := ada.GetAlarm(ctx, id); !errors.Is(err, api.ErrNotFound) {
					t.Errorf("the former owner gets %s: %v", id, err)
				}
				a, err := bob.GetAlarm(ctx, id)
				if err != nil || a.State != monitor.Cleared || a.Owner != "paint" || a.AcknowledgedBy == "user:ada" || a.Note != "" && a.AcknowledgedBy != "user:bob" {
					t.Errorf("the new owner gets %s: %+v, %v", id, a, err)
				}
			}
		})
	}
}

// An alarm whose beginning is heard of after its twin has gone elsewhere is the new owner's.
func TestAlarmOfATwinThatHasMoved(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.User("ada", []access.Role{access.Owner}, "press"), w.User("bob", []access.Role{access.Owner}, "paint")
	w.hand(w.give("pump-1", "paint"), alarm("late", true, start))
	if got := seen(t, ada) + ", " + seen(t, bob); got != "0 0 0, 1 1 0" {
		t.Errorf("the alarms seen are %s", got)
	}
	// Before its event comes too, what the former group did does not hold up the new one.
	if _, err := bob.AcknowledgeAlarm(ctx, "late", "ours"); err != nil {
		t.Fatal(err)
	}
	w.give("pump-1", "press")
	if a, err := ada.AcknowledgeAlarm(ctx, "late", "back"); err != nil || a.AcknowledgedBy != "user:ada" || a.Owner != "press" {
		t.Errorf("given back, it is %+v, %v", a, err)
	}
}

// Nobody is held up by who cannot do anything about an alarm any more.
func TestLettingGoForSomebodyElse(t *testing.T) {
	w := newWorld(t)
	w.twin("pump-1", "press")
	w.hand(alarm("hot", true, start))
	ada, bob := w.User("ada", []access.Role{access.Owner}, "press"), w.User("bob", []access.Role{access.Owner}, "press")
	take := func() {
		t.Helper()
		if _, err := ada.AcknowledgeAlarm(ctx, "hot", "mine"); err != nil {
			t.Fatal(err)
		}
	}
	take()
	if _, err := bob.ReleaseAlarm(ctx, "hot"); !errors.Is(err, api.ErrConflict) {
		t.Errorf("of somebody who may write the twin: %v", err)
	}
	if a, err := w.Admin().ReleaseAlarm(ctx, "hot"); err != nil || a.State != monitor.Raised {
		t.Errorf("by a maintainer: %+v, %v", a, err)
	}
	take()
	if _, err := w.Admin().UpdateUser(ctx, "ada", api.UserChange{Groups: &[]string{}}); err != nil {
		t.Fatal(err)
	}
	if a, err := bob.ReleaseAlarm(ctx, "hot"); err != nil || a.State != monitor.Raised || a.AcknowledgedBy != "" || a.Note != "" {
		t.Errorf("of somebody who has left the group: %+v, %v", a, err)
	}
}
