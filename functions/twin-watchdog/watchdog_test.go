package twinwatchdog_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/alerts"
	"github.com/castor-iot/castor/functions/directory"
	twinmonitor "github.com/castor-iot/castor/functions/twin-monitor"
	twinwatchdog "github.com/castor-iot/castor/functions/twin-watchdog"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/tests/functiontest"
	handler "github.com/openfaas/templates-sdk/go-http"
)

var ctx = context.Background()

type world struct {
	*functiontest.World
	t *testing.T
}

func newWorld(t *testing.T) *world {
	w := &world{functiontest.New(t, functiontest.Functions{"directory": directory.New, "twin-watchdog": twinwatchdog.New,
		"twin-monitor": twinmonitor.New, "alerts": alerts.New}), t}
	w.SetTime(time.Date(2026, 3, 21, 10, 0, 0, 0, time.UTC))
	w.advertise("twin-monitor", "alerts")
	return w
}

// advertise lets functions say for an hour that they can sweep.
func (w *world) advertise(names ...string) {
	w.t.Helper()
	for _, name := range names {
		if _, err := w.Part(name, "").Register(ctx, api.Advertisement{ID: name, Kind: "function", Name: name, URL: "/function/" + name, Capabilities: []string{"sweep"}, TTL: 3600}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// run lets d pass and fires the schedule.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	w.SetTime(w.Now().Add(d))
	if err := w.Tick("twin-watchdog", w.Now()); err != nil {
		w.t.Fatal(err)
	}
}

// status is what the watchdog says of each function.
func (w *world) status() map[string]api.SweepStatus {
	w.t.Helper()
	page, err := w.Admin().WatchdogStatus(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]api.SweepStatus{}
	for _, s := range page.Items {
		out[s.Function] = s
	}
	return out
}

// answering is a function in the place of another, which answers all calls with a status and counts them.
func answering(status int, body string, calls *atomic.Int64) func(*platform.Platform) faas.Func {
	return func(*platform.Platform) faas.Func {
		return func(handler.Request) (handler.Response, error) {
			calls.Add(1)
			return handler.Response{StatusCode: status, Body: []byte(body), Header: http.Header{"Content-Type": {"application/json"}}}, nil
		}
	}
}

// A rule whose event was kept but never published, because its instance died in between, is told of after a sweep.
func TestSweepPublishesWhatACrashLeft(t *testing.T) {
	w := newWorld(t)
	changes := w.Collect(event.RuleChanged)
	type rule struct {
		ID     string       `bson:"_id"`
		Target string       `bson:"target"`
		Outbox event.Outbox `bson:"outbox"`
	}
	c, err := store.Open[rule](ctx, w.Base.DB, store.Spec{Name: "rules"})
	if err != nil {
		t.Fatal(err)
	}
	left := rule{ID: "hot", Target: "pump"}
	left.Outbox.Add("rule:hot", event.RuleChanged, "pump", w.Now(), api.RuleChanged{Rule: "hot", Target: "pump"})
	if err := c.Insert(ctx, left); err != nil {
		t.Fatal(err)
	}
	w.run(10 * time.Second)
	functiontest.Eventually(t, "the change is told", func() bool { return len(changes()) == 1 })
	s := w.status()["twin-monitor"]
	if s.Outcome != "ok" || s.Repaired != 1 || s.Total != 1 || !s.Planned.Equal(w.Now()) {
		t.Errorf("the status is %+v", s)
	}
	w.run(10 * time.Second)
	if s := w.status()["twin-monitor"]; s.Repaired != 0 || s.Total != 1 {
		t.Errorf("after the next run the status is %+v", s)
	}
	if s := w.status()["alerts"]; s.Outcome != "ok" {
		t.Errorf("the status of alerts is %+v", s)
	}
}

// A tick that is fired twice, also by two connectors at once, sweeps once.
func TestATickFiredTwiceSweepsOnce(t *testing.T) {
	w := newWorld(t)
	var calls atomic.Int64
	w.Add("twin-monitor", answering(http.StatusOK, `{"repaired":2}`, &calls))
	var g sync.WaitGroup
	for range 6 {
		g.Go(func() {
			if err := w.Tick("twin-watchdog", w.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	if n, s := calls.Load(), w.status()["twin-monitor"]; n != 1 || s.Total != 2 {
		t.Errorf("the function was swept %d times, and repaired %d; want 1 and 2", n, s.Total)
	}
}

// A function whose sweep fails for longer than a minute raises one alarm, which ends when it works again, also if it has
// stopped to advertise itself meanwhile.
func TestAlarmAboutAFunctionThatFails(t *testing.T) {
	w := newWorld(t)
	var calls atomic.Int64
	raised, cleared := w.Collect(event.AlarmRaised), w.Collect(event.AlarmCleared)
	w.Add("twin-monitor", answering(http.StatusInternalServerError, "", &calls))
	for range 6 {
		w.run(10 * time.Second)
	}
	if s := w.status()["twin-monitor"]; len(raised()) > 0 || s.Alarm != "" || s.Outcome != "failed" || s.Failing.IsZero() || s.Reason == "" {
		t.Errorf("after less than a minute there are %d alarms and the status is %+v", len(raised()), s)
	}
	if err := w.Part("twin-monitor", "").Deregister(ctx, "twin-monitor"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.run(10 * time.Second)
	}
	functiontest.Eventually(t, "an alarm is raised", func() bool { return len(raised()) > 0 })
	var tr monitor.Transition
	if err := raised()[0].Decode(&tr); err != nil {
		t.Fatal(err)
	}
	if tr.Twin != "" || tr.Name != "function twin-monitor" || tr.Severity != monitor.Critical || len(tr.Before) != 1 || tr.Alarm != w.status()["twin-monitor"].Alarm {
		t.Errorf("the alarm is %+v", tr)
	}
	if err := w.Event("alerts", raised()...); err != nil {
		t.Fatal(err)
	}
	if a, err := w.Admin().GetAlarm(ctx, tr.Alarm); err != nil || a.State != monitor.Raised {
		t.Errorf("function alerts keeps the alarm as %+v, %v", a, err)
	}
	w.Add("twin-monitor", twinmonitor.New)
	w.run(10 * time.Second)
	functiontest.Eventually(t, "the alarm ends", func() bool { return len(cleared()) == 1 })
	if err := w.Event("alerts", cleared()...); err != nil {
		t.Fatal(err)
	}
	if a, err := w.Admin().GetAlarm(ctx, tr.Alarm); err != nil || a.State != monitor.Cleared {
		t.Errorf("function alerts keeps the alarm as %+v, %v", a, err)
	}
	if s := w.status()["twin-monitor"]; len(raised()) != 1 || s.Alarm != "" || !s.Failing.IsZero() || s.Outcome != "ok" {
		t.Errorf("in the end %d alarms were raised and the status is %+v", len(raised()), s)
	}
}

// While the directory is away the known functions are swept; one that is not there is no failure.
func TestDirectoryIsAway(t *testing.T) {
	w := newWorld(t)
	var calls atomic.Int64
	w.Add("directory", answering(http.StatusBadGateway, "", &calls))
	w.run(10 * time.Second)
	status := w.status()
	if status["twin-monitor"].Outcome != "ok" || status["alerts"].Outcome != "ok" {
		t.Errorf("the known functions were not swept: %+v", status)
	}
	for name, s := range status {
		if s.Outcome != "ok" && s.Outcome != "absent" {
			t.Errorf("function %s, which is not there, counts as failed: %s", name, s.Reason)
		}
	}
	if calls.Load() == 0 {
		t.Error("the directory was not asked")
	}
}

func TestStatusIsForMaintainers(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		as   *api.Client
		want error
	}{
		"an owner":        {w.User("ada", []access.Role{access.Owner, access.Configurator, access.Developer, access.Viewer}, "press"), access.ErrDenied},
		"nobody":          {w.Nobody(), access.ErrUnauthenticated},
		"another part":    {w.Part("twin-monitor", ""), access.ErrDenied},
		"a maintainer":    {w.Admin(), nil},
		"a maintainer II": {w.User("max", []access.Role{access.Maintainer}), nil},
	} {
		if _, err := c.as.WatchdogStatus(ctx); !errors.Is(err, c.want) {
			t.Errorf("%s asks: %v, want %v", name, err, c.want)
		}
	}
	for _, path := range []string{"/status?limit=x", "/status?cursor=x", "/status/..%2f", "/nothing"} {
		err := w.Admin().Call(ctx, "GET", "twin-watchdog", path, nil, nil)
		var p *api.Problem
		if !errors.As(err, &p) || p.Status < 400 || p.Status > 499 || strings.Contains(p.Detail, "panic") {
			t.Errorf("GET %s: %v, want a problem of the caller's", path, err)
		}
	}
}
