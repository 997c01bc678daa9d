package drivers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// Of a driver that many groups' devices use, nobody learns which of others' devices fail, nor what they sent.
func TestWhatOthersLearnOfFailures(t *testing.T) {
	w := newWorld(t)
	w.typeOf("plug", "paint", twin.Model{Driver: "tasmota"})
	w.devices("plug", nil, "q-1", "q-2")
	d, err := w.paint.GetDriver(bg, "tasmota")
	w.must(err)
	number := d.Versions[0].Version
	fails := func(id ...twin.ID) {
		t.Helper()
		w.must(w.connector("gw-1").ReportDriver(bg, api.DriverFailures{Gateway: "gw-1", Name: "tasmota", Version: number, OK: 5, Grave: 10, Twins: id, Reason: "value 4711 of q-1"}))
	}
	fails("q-1")
	stranger := w.checked(w.User("sam", []access.Role{access.Viewer}, "elsewhere"))
	for what, tt := range map[string]struct {
		as      *api.Client
		blocked string
		told    bool
	}{"a stranger": {stranger, "[]", false}, "whose twin it is": {w.paint, "[q-1]", false}, "a maintainer": {w.admin, "[q-1]", true}} {
		d, err := tt.as.GetDriver(bg, "tasmota")
		w.must(err)
		if v := d.Versions[0]; fmt.Sprint(v.Blocked) != tt.blocked || strings.Contains(v.Reason, "4711") != tt.told || v.Reason == "" {
			t.Errorf("%s sees that %v are blocked: %s", what, v.Blocked, v.Reason)
		}
		page, err := tt.as.ListDrivers(bg, "")
		w.must(err)
		for _, d := range page.Items {
			if v := d.Versions[0]; d.Name == "tasmota" && fmt.Sprint(v.Blocked) != tt.blocked {
				t.Errorf("%s is listed that %v are blocked", what, v.Blocked)
			}
		}
	}
	if got := w.reads("q-1"); strings.Contains(got, "4711") {
		t.Errorf("why it is parked: %s", got)
	}
	w.devices("plug", nil, "q-3", "q-4", "q-5")
	fails("q-3", "q-4", "q-5")
	if got := w.reads("q-2"); !strings.Contains(got, "is in quarantine") || strings.Contains(got, "4711") {
		t.Errorf("why another one is parked: %s", got)
	}
}
