package drivers_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/twin"
)

// failing is a world with version 1.0.0 and, newer, 1.1.0 active, and four devices.
func failing(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.SetTime(time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC))
	w.typeOf("th", "press", twin.Model{Driver: "acme-th1"})
	w.devices("th", nil, "th-1", "th-2", "th-3", "th-4")
	for _, v := range []string{"1.0.0", "1.1.0"} {
		w.publish(w.press, script("acme-th1", v, 0))
		w.promote(w.press, "acme-th1", v)
	}
	return w
}

// fails reports failures of 1.1.0.
func (w *world) fails(ok, failed, grave int64, twins ...twin.ID) {
	w.t.Helper()
	w.must(w.connector("gw-1").ReportDriver(bg, api.DriverFailures{Gateway: "gw-1", Name: "acme-th1", Version: "1.1.0", OK: ok, Failed: failed, Grave: grave,
		Twins: twins, Reason: "it computed longer than 100 ms"}))
}

func (w *world) state(version string) api.DriverVersion {
	w.t.Helper()
	d, err := w.press.GetDriver(bg, "acme-th1")
	w.must(err)
	for _, v := range d.Versions {
		if v.Version == version {
			return v
		}
	}
	w.t.Fatalf("there is no version %s", version)
	return api.DriverVersion{}
}

// stopped is how many drivers were stopped so far, of which the metrics tell: "quarantined 1, blocked 0".
func stopped(t *testing.T, since string) string {
	t.Helper()
	scraped := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(scraped, httptest.NewRequest("GET", "/metrics", nil))
	var now, before [2]int
	for i, verdict := range []string{"quarantined", "blocked"} {
		_, line, ok := strings.Cut(scraped.Body.String(), `castor_driver_verdicts_total{verdict="`+verdict+`"} `)
		if _, err := fmt.Sscan(line, &now[i]); !ok || err != nil {
			t.Fatalf("the metrics tell nothing of what was %s", verdict)
		}
	}
	_, _ = fmt.Sscanf(since, "quarantined %d, blocked %d", &before[0], &before[1])
	return fmt.Sprintf("quarantined %d, blocked %d", now[0]-before[0], now[1]-before[1])
}

// A driver that costs workers with many twins' messages is put into quarantine; no older version reads what it does not know.
func TestQuarantine(t *testing.T) {
	w, before := failing(t), stopped(t, "")
	w.fails(1000, 9, 9, "th-1", "th-2", "th-3")
	if v := w.state("1.1.0"); v.State != api.DriverActive || v.Failures != 18 || v.Reason != "it computed longer than 100 ms" {
		t.Errorf("after nine: %+v", v)
	}
	w.SetTime(w.Now().Add(2 * time.Minute))
	w.fails(10, 1, 1, "th-4")
	v := w.state("1.1.0")
	if v.State != api.DriverQuarantined || v.Was != api.DriverActive || v.Reason != "10 grave failures within 10 minutes, with messages of 4 twins; the last: it computed longer than 100 ms" {
		t.Errorf("after ten: %+v", v)
	}
	w.fails(10, 1, 1, "th-4") // which is told of once
	if got := stopped(t, before); got != "quarantined 1, blocked 0" {
		t.Errorf("the metrics tell %s", got)
	}
	if got := w.reads("th-1"); got != "driver acme-th1 1.1.0 is in quarantine: 10 grave failures within 10 minutes, with messages of 4 twins" {
		t.Error(got)
	}
	// A rollback takes it away; a promotion begins anew.
	if _, err := w.press.WithdrawDriver(bg, "acme-th1", "", ""); err != nil {
		t.Fatal(err)
	}
	if got := w.reads("th-1"); got != "1.0.0" {
		t.Error(got)
	}
	w.promote(w.press, "acme-th1", "1.1.0")
	w.fails(10, 1, 1, "th-4")
	if v := w.state("1.1.0"); v.State != api.DriverActive || v.Was != "" || v.Failures != 2 {
		t.Errorf("what was before counts: %+v", v)
	}
}

// Failures count for ten minutes.
func TestFailuresAreForgotten(t *testing.T) {
	w := failing(t)
	for range 5 {
		w.fails(0, 9, 9, "th-1", "th-2", "th-3")
		w.SetTime(w.Now().Add(11 * time.Minute))
	}
	if v := w.state("1.1.0"); v.State != api.DriverActive || v.Failures != 0 {
		t.Errorf("%+v", v)
	}
}

// A driver that reads nothing at all is put into quarantine, too; one answer saves it.
func TestADriverThatReadsNothing(t *testing.T) {
	w := failing(t)
	w.fails(1, 200, 0, "th-1")
	if v := w.state("1.1.0"); v.State != api.DriverActive {
		t.Errorf("although it reads: %+v", v)
	}
	w.SetTime(w.Now().Add(11 * time.Minute))
	w.fails(0, 98, 0, "th-1", "th-2")
	w.fails(0, 2, 0, "th-3")
	if v := w.state("1.1.0"); v.State != api.DriverQuarantined || !strings.HasPrefix(v.Reason, "100 messages of 3 twins within 10 minutes and none could be read; the last: ") {
		t.Errorf("%+v", v)
	}
}

// What one device sends, or one gateway tells again and again before others told anything, ends nobody's use but its own.
func TestOneTwinEndsNothingForOthers(t *testing.T) {
	w := failing(t)
	for range 3 {
		w.fails(0, 200, 0, "th-1")
	}
	w.fails(0, 20, 20, "th-2")
	v := w.state("1.1.0")
	if v.State != api.DriverActive || fmt.Sprint(v.Blocked) != "[th-1 th-2]" {
		t.Fatalf("%+v", v)
	}
	if got := w.reads("th-3"); got != "1.1.0" {
		t.Error(got)
	}
	// Once all that use it fail, it is the driver that is at fault.
	w.fails(0, 20, 20, "th-3", "th-4")
	if v := w.state("1.1.0"); v.State != api.DriverQuarantined || !strings.HasPrefix(v.Reason, "20 grave failures within 10 minutes, with messages of 2 twins, and no other twin uses it; the last: ") {
		t.Errorf("%+v", v)
	}
	// The platform's drivers go on for those who come yet.
	w.typeOf("plug", "press", twin.Model{Driver: "tasmota"})
	w.devices("plug", nil, "plug-1", "plug-2")
	d, err := w.press.GetDriver(bg, "tasmota")
	w.must(err)
	number := d.Versions[0].Version
	w.must(w.connector("gw-1").ReportDriver(bg, api.DriverFailures{Gateway: "gw-1", Name: "tasmota", Version: number, Failed: 100, Twins: []twin.ID{"plug-1", "plug-2"}}))
	if d, err = w.press.GetDriver(bg, "tasmota"); err != nil || d.Versions[0].State != api.DriverActive || len(d.Versions[0].Blocked) != 2 {
		t.Errorf("%+v, %v", d, err)
	}
}

// A twin whose messages alone make a driver fail is parked, the others are read.
func TestOneTwinIsBlocked(t *testing.T) {
	w, before := failing(t), stopped(t, "")
	w.fails(500, 6, 6, "th-2")
	w.fails(500, 6, 6, "th-2")
	v := w.state("1.1.0")
	if v.State != api.DriverActive || len(v.Blocked) != 1 || v.Blocked[0] != "th-2" {
		t.Fatalf("%+v", v)
	}
	if got := stopped(t, before); got != "quarantined 0, blocked 1" {
		t.Errorf("the metrics tell %s", got)
	}
	if got := w.reads("th-1"); got != "1.1.0" {
		t.Error(got)
	}
	if got := w.reads("th-2"); got != "driver acme-th1 1.1.0 fails again and again with messages of this twin alone: promote it once more, or publish a newer version" {
		t.Error(got)
	}
	// What it did is settled: another twin has its own ten.
	w.fails(500, 9, 9, "th-3")
	if v := w.state("1.1.0"); v.State != api.DriverActive || len(v.Blocked) != 1 {
		t.Errorf("%+v", v)
	}
	w.fails(500, 1, 1, "th-3")
	if v := w.state("1.1.0"); v.State != api.DriverActive || len(v.Blocked) != 2 {
		t.Errorf("%+v", v)
	}
	w.fails(500, 10, 10, "th-4")
	if v := w.state("1.1.0"); v.State != api.DriverActive || len(v.Blocked) != 3 {
		t.Errorf("twins that were blocked before count again: %+v", v)
	}
	w.promote(w.press, "acme-th1", "1.1.0")
	if got := w.reads("th-2"); got != "1.1.0" {
		t.Errorf("after a promotion: %s", got)
	}
}

// A canary that misbehaves is over: its devices are read as the others are.
func TestACanaryIsOver(t *testing.T) {
	w := failing(t)
	if _, err := w.press.WithdrawDriver(bg, "acme-th1", "1.1.0", ""); err != nil {
		t.Fatal(err)
	}
	_, err := w.press.CanaryDriver(bg, "acme-th1", "1.1.0", api.Canary{Percent: 100})
	w.must(err)
	w.fails(0, 10, 10, "th-1", "th-2", "th-3")
	if v := w.state("1.1.0"); v.State != api.DriverQuarantined || v.Was != api.DriverCanary {
		t.Errorf("%+v", v)
	}
	if got := w.reads("th-1"); got != "1.0.0" {
		t.Error(got)
	}
	w.must(w.press.DeleteDriverVersion(bg, "acme-th1", "1.1.0"))
}

// A gateway says nothing of drivers that its own devices do not use, nor in another's name.
func TestReportsOfOthers(t *testing.T) {
	w := failing(t)
	report := api.DriverFailures{Gateway: "gw-2", Name: "acme-th1", Version: "1.1.0", Failed: 500, Grave: 500, Twins: []twin.ID{"th-1", "th-2", "th-3"}, Reason: "x"}
	w.must(w.connector("gw-2").ReportDriver(bg, report))
	if err := w.connector("gw-1").ReportDriver(bg, report); err == nil || !strings.Contains(err.Error(), `gateway "gw-2" must be the connector's own, gw-1`) {
		t.Errorf("in another's name: %v", err)
	}
	report.Gateway, report.Version = "gw-1", "1.0.0"
	w.must(w.connector("gw-1").ReportDriver(bg, report)) // which none of them uses now
	for _, number := range []string{"1.0.0", "1.1.0"} {
		if v := w.state(number); v.State != api.DriverActive || v.Failures != 0 {
			t.Errorf("%+v", v)
		}
	}
	all, err := w.connector("gw-2").ResolveDrivers(bg, []twin.ID{"th-1", "nobody"})
	if err != nil || len(all) != 0 {
		t.Errorf("another gateway is told %v, %v", all, err)
	}
}
