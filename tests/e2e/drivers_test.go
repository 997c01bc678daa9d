package e2e

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// The payload of device th1 is three bytes: a number, and a temperature in tenths. Its first driver never returns from number 13.
const (
	firstDriver = `function decodeUplink(i) {
  if (i.bytes[0] === 13) for (;;) {}
  return {data: {rpm: i.bytes[0], temperature: (i.bytes[1] << 8 | i.bytes[2]) / 10}};
}`
	fixedDriver = `function decodeUplink(i) {
  return {data: {rpm: i.bytes[0], temperature: (i.bytes[1] << 8 | i.bytes[2]) / 10}};
}`
)

func (w *World) publishDriver(name, version, code string) {
	w.Helper()
	_, err := w.Admin.PublishDriver(w.Context(), api.PublishDriver{Driver: driver.Driver{
		Name: name, Version: version, Kind: driver.JavaScript, Code: []byte(code),
		Tests: []driver.Test{{Name: "a frame", Call: driver.Call{Op: driver.DecodeUplink, Bytes: []byte{7, 0, 215}, Port: 1},
			Want: driver.Want{Data: map[string]any{"rpm": 7.0, "temperature": 21.5}}}},
	}})
	w.must(err, "publish "+name+" "+version)
}

// A maker's driver reads what devices send in bytes. One that hangs at some of them costs those, has people told, and comes into
// quarantine when that goes on; nothing is lost: what was parked becomes history when a better version is there.
func TestDrivers(t *testing.T) {
	both(t, func(t *testing.T, stage Option) { driversStory(t, NewWorld(t, stage)) })
}

func driversStory(t *testing.T, w *World) {
	w.publishDriver("th1", "1.0.0", firstDriver)
	_, err := w.Admin.PromoteDriver(w.Context(), "th1", "1.0.0")
	w.must(err, "promote")
	w.Type("th1", func(m *twin.Model) { m.Driver = "th1" })
	w.Type("pump")
	type unit struct {
		*made
		proof
		twin twin.ID
	}
	enters := func(kind twin.TypeID, serial string) unit {
		w.Identity(serial)
		m, p := w.comesIn("mqtt", serial, "certificate", w.Claim(kind, "plant"))
		return unit{m, p, m.bundle.Twin}
	}
	var units []unit
	for i := range 4 { // of which three will send what it cannot read
		units = append(units, enters("th1", fmt.Sprintf("TH-%d", i)))
	}
	pump := enters("pump", "P-1")
	say := func(u unit, payload []byte) {
		t.Helper()
		ctx, cancel := context.WithTimeout(w.Context(), 60*time.Second)
		defer cancel()
		w.must(wires["mqtt"].report(ctx, u.operational(), u.proof, u.ref, payload), "report")
	}
	frame := func(n byte) []byte { return []byte{n, 0, 200 + n} }

	for n := range byte(3) {
		say(units[0], frame(n))
	}
	if v := w.Reported(units[0].twin, "temperature"); v != 20.2 {
		t.Errorf("its temperature is %v", v)
	}

	// One frame that the driver hangs at: it is parked, and both the twin's log and the metrics tell.
	say(units[0], frame(13))
	say(units[0], frame(4))
	parked := func(u unit) []api.ParkedMessage {
		t.Helper()
		page, err := w.Admin.ListParked(w.Context(), u.twin, "")
		w.must(err, "parked")
		return page.Items
	}
	if p := parked(units[0]); len(p) != 1 || p[0].Driver != "th1@1.0.0" || !strings.Contains(p[0].Reason, "timeout") || string(p[0].Raw) != string(frame(13)) {
		t.Errorf("parked: %+v", p)
	}
	if v := w.Reported(units[0].twin, "rpm"); v != 4.0 {
		t.Errorf("after the frame that hangs it reports %v", v)
	}
	page, err := w.Admin.History(w.Context(), api.HistoryQuery{Twin: units[0].twin, Kind: string(telemetry.Log)})
	w.must(err, "log")
	if len(page.Items) != 1 || !strings.Contains(fmt.Sprint(page.Items[0].Samples), "th1@1.0.0: timeout") {
		t.Errorf("its log: %+v", page.Items)
	}
	if w.Cluster == nil { // the gateway is in this process, and so are its metrics
		scraped := httptest.NewRecorder()
		metrics.Handler().ServeHTTP(scraped, httptest.NewRequest("GET", "/metrics", nil))
		if line := `castor_driver_decodes_total{driver="th1@1.0.0",outcome="grave"} `; !strings.Contains(scraped.Body.String(), line) {
			t.Errorf("the metrics do not have %s", line)
		}
	}

	// It goes on, with all but one device: the version comes into quarantine, and all of it is parked, unread.
	for range 4 {
		for _, u := range units[:3] {
			say(u, frame(13))
		}
	}
	w.Eventually("the version is in quarantine", func() bool {
		d, err := w.Admin.GetDriver(w.Context(), "th1")
		w.must(err, "driver")
		return d.Versions[0].State == api.DriverQuarantined
	})
	w.Eventually("what comes now is parked unread", func() bool {
		say(units[3], frame(5))
		return len(parked(units[3])) > 0
	})
	say(pump, []byte(`{"rpm":7}`))
	if v := w.Reported(pump.twin, "rpm"); v != 7.0 {
		t.Errorf("the other type's device reports %v", v)
	}

	// The maker mends it.
	w.publishDriver("th1", "1.0.1", fixedDriver)
	_, err = w.Admin.PromoteDriver(w.Context(), "th1", "1.0.1")
	w.must(err, "promote")
	w.Eventually("the new version reads", func() bool {
		say(units[3], frame(6))
		return w.Reported(units[3].twin, "rpm") == 6.0
	})
	r, err := w.Admin.Redrive(w.Context(), api.NewRedrive{Driver: "th1"})
	w.must(err, "redrive")
	r, err = w.Admin.WaitRedrive(w.Context(), r.ID, nil)
	w.must(err, "redrive")
	if r.Left != 0 || r.Stored < 14 {
		t.Errorf("read again: %+v", r)
	}
	for i, u := range units {
		if p := parked(u); len(p) != 0 {
			t.Errorf("device %d still has %d parked messages, the first: %+v", i, len(p), p[0])
		}
	}
	if v := w.Reported(units[0].twin, "rpm"); v != 13.0 {
		t.Errorf("the newest of the messages that were read again is %v", v)
	}
}
