package drivers_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// Who owns a type hears that its devices' messages are parked because of its driver, and that this is over: by whatever ends it.
func TestAQuarantineIsTold(t *testing.T) {
	for name, ends := range map[string]func(w *world){
		"promoted again": func(w *world) { w.promote(w.press, "acme-th1", "1.1.0") },
		"rolled back": func(w *world) {
			_, err := w.press.WithdrawDriver(bg, "acme-th1", "", "")
			w.must(err)
		},
		"replaced": func(w *world) {
			w.publish(w.press, script("acme-th1", "1.2.0", 0))
			w.promote(w.press, "acme-th1", "1.2.0")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := failing(t)
			w.typeOf("th-outside", "press", twin.Model{Driver: "acme-th1"})
			w.typeOf("other", "press", twin.Model{Driver: "another"})
			said := w.alarms()
			w.fails(100, 12, 12, "th-1", "th-2", "th-3", "th-4")
			functiontest.Eventually(t, "it is told", func() bool { return len(said()) == 2 })
			want := []string{"th critical driver acme-th1 1.1.0 is in quarantine: messages of its devices are parked",
				"th-outside critical driver acme-th1 1.1.0 is in quarantine: messages of its devices are parked"}
			if got := said(); !slices.Equal(got, want) {
				t.Errorf("told %q", got)
			}
			ends(w)
			functiontest.Eventually(t, "its end is told", func() bool { return len(said()) == 0 })
		})
	}
}

// Who owns a twin hears that its messages alone are parked. It is read again once the version is promoted again, or a newer one is.
func TestABlockIsTold(t *testing.T) {
	for name, number := range map[string]string{"promoted again": "1.1.0", "replaced": "1.2.0"} {
		t.Run(name, func(t *testing.T) {
			w := failing(t)
			said := w.alarms()
			w.fails(500, 12, 12, "th-2")
			functiontest.Eventually(t, "it is told", func() bool { return len(said()) == 1 })
			if got := said(); got[0] != "th-2 warning driver acme-th1 1.1.0 fails gravely with its messages alone: they are parked" {
				t.Errorf("told %q", got)
			}
			if number != "1.1.0" {
				w.publish(w.press, script("acme-th1", number, 0))
			}
			w.promote(w.press, "acme-th1", number)
			functiontest.Eventually(t, "its end is told", func() bool { return len(said()) == 0 })
			if got := w.reads("th-2"); got != number {
				t.Errorf("it is read by %s", got)
			}
		})
	}
}

// How many failures led to it is said as long as it lasts.
func TestTheFailuresThatLedToItStay(t *testing.T) {
	w := failing(t)
	w.fails(500, 0, 12, "th-2")
	if v := w.state("1.1.0"); len(v.Blocked) != 1 || v.Failures != 12 {
		t.Errorf("blocked: %+v", v)
	}
	w.fails(500, 0, 11, "th-1", "th-3", "th-4")
	w.SetTime(w.Now().Add(20 * time.Minute))
	if v := w.state("1.1.0"); v.State != api.DriverQuarantined || v.Failures != 11 {
		t.Errorf("in quarantine: %+v", v)
	}
	w.promote(w.press, "acme-th1", "1.1.0")
	if v := w.state("1.1.0"); v.Failures != 0 {
		t.Errorf("promoted again: %+v", v)
	}
}

// alarms are those that stand, by what they are about.
func (w *world) alarms() func() []string {
	begun, over := w.Collect(event.AlarmRaised), w.Collect(event.AlarmCleared)
	return func() (out []string) {
		stand := map[string]string{}
		for _, e := range begun() {
			var a monitor.Transition
			w.must(e.Decode(&a))
			stand[a.Alarm] = fmt.Sprint(a.Twin, " ", a.Severity, " ", a.Title)
		}
		for _, e := range over() {
			var a monitor.Transition
			w.must(e.Decode(&a))
			if _, ok := stand[a.Alarm]; !ok {
				w.t.Errorf("%s ends and never began", a.Alarm)
			}
			delete(stand, a.Alarm)
		}
		for _, s := range stand {
			out = append(out, s)
		}
		slices.Sort(out)
		return out
	}
}

// A driver stays while a type names it that whoever deletes it can see: its devices' messages would be parked.
func TestADriverThatTypesNameStays(t *testing.T) {
	w := newWorld(t)
	w.publish(w.press, script("acme-th1", "1.0.0", 0))
	w.publish(w.press, script("acme-th1", "1.1.0", 0))
	for _, id := range []twin.ID{"t-1", "t-2", "t-3", "t-4"} {
		w.typeOf(id, "press", twin.Model{Driver: "acme-th1"})
	}
	w.must(w.press.DeleteDriverVersion(bg, "acme-th1", "1.1.0"))
	err := w.press.DeleteDriverVersion(bg, "acme-th1", "1.0.0")
	if !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "which types name: t-1, t-2, t-3 and 1 more; have them name another driver") {
		t.Errorf("deleted: %v", err)
	}
	w.publish(w.press, script("acme-th2", "1.0.0", 0))
	w.typeOf("t-5", "paint", twin.Model{Driver: "acme-th2"}) // which cannot use it
	w.must(w.press.DeleteDriverVersion(bg, "acme-th2", "1.0.0"))
}
