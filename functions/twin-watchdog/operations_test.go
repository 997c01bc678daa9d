package twinwatchdog_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	twinmonitor "github.com/castor-iot/castor/functions/twin-monitor"
	twinwatchdog "github.com/castor-iot/castor/functions/twin-watchdog"
	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/functions/users"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// A jobs world has function twins, which owns jobs, and can lose the part of users that jobs need.
type jobs struct {
	*world
	away atomic.Bool
}

func newJobs(t *testing.T) *jobs {
	w := &jobs{world: newWorld(t)}
	w.Add("twins", twins.New)
	w.Add("users", func(p *platform.Platform) faas.Func {
		well := users.New(p)
		return func(r handler.Request) (handler.Response, error) {
			if w.away.Load() && strings.HasPrefix(r.Header.Get(faas.HeaderPath), "/users/") {
				return handler.Response{StatusCode: 503, Header: http.Header{"Content-Type": {"text/plain"}}}, nil
			}
			return well(r)
		}
	})
	if _, err := w.Part("twins", "").Register(ctx, api.Advertisement{ID: "twins", Kind: "function", Name: "twins", Capabilities: []string{"operations"}, TTL: 3600}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Admin().CreateTwin(ctx, api.NewTwin{ID: "pump", Kind: twin.Type}); err != nil {
		t.Fatal(err)
	}
	return w
}

// begin asks for a job that nobody works on, because the schedule is not fired.
func (w *jobs) begin() string {
	w.t.Helper()
	j, err := w.Admin().CreateJob(ctx, api.NewJob{Action: api.JobMerge, Filter: api.JobFilter{Kind: twin.Type}, Patch: json.RawMessage(`{"name":"x"}`)})
	if err != nil {
		w.t.Fatal(err)
	}
	return j.ID
}

func (w *jobs) job(id string) api.Job {
	w.t.Helper()
	j, err := w.Admin().GetJob(ctx, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

func (w *jobs) overdue() []api.WatchedOperation {
	w.t.Helper()
	page, err := w.Admin().Watched(ctx, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Items
}

// What its owner has forgotten is gone on with.
func TestAnOverdueOperationIsTriedAgain(t *testing.T) {
	w := newJobs(t)
	id := w.begin()
	w.run(10 * time.Second)
	if got := w.overdue(); len(got) != 0 {
		t.Errorf("after 10 s overdue is %+v", got)
	}
	w.run(3 * time.Minute)
	if j := w.job(id); j.State != api.JobDone || j.Done != 1 {
		t.Errorf("the job is %+v", j)
	}
	if got := w.overdue(); len(got) != 0 {
		t.Errorf("when it is done overdue is %+v", got)
	}
	beat, err := w.Admin().WatchdogHeartbeat(ctx)
	if err != nil || !beat.At.Equal(w.Now()) || beat.Overdue["job"] != 0 {
		t.Errorf("heartbeat %+v, %v", beat, err)
	}
}

// What does not go on, however often it is tried, is told of once, and its end too, whichever instance is at work.
func TestAnOperationThatDoesNotGoOnRaisesAnAlarm(t *testing.T) {
	w := newJobs(t)
	raised, cleared := w.Collect(event.AlarmRaised), w.Collect(event.AlarmCleared)
	w.away.Store(true)
	id := w.begin()
	w.run(3 * time.Minute)
	for n := 1; n < 8; n++ {
		got := w.overdue()
		if len(got) != 1 || got[0].Retries != n || got[0].Kind != "job" || got[0].ID != id || got[0].Function != "twins" || (got[0].Alarm != "") != (n > 3) {
			t.Fatalf("after %d retries: %+v", n, got)
		}
		// Another instance goes on, a run that is fired again counts nothing, and one that comes soon waits.
		w.Add("twin-watchdog", twinwatchdog.New)
		if err := w.Tick("twin-watchdog", w.Now()); err != nil {
			t.Fatal(err)
		}
		w.run(time.Second)
		w.run(11 * time.Minute)
	}
	functiontest.Eventually(t, "the alarm", func() bool { return len(raised()) > 0 })
	w.away.Store(false)
	for range 3 {
		w.run(11 * time.Minute)
	}
	if j := w.job(id); j.State != api.JobDone {
		t.Errorf("the job is %+v", j)
	}
	functiontest.Eventually(t, "its end", func() bool { return len(cleared()) > 0 })
	if len(raised()) != 1 || len(cleared()) != 1 || len(w.overdue()) != 0 {
		t.Fatalf("raised %d, cleared %d, overdue %+v", len(raised()), len(cleared()), w.overdue())
	}
	var up, down monitor.Transition
	if err := errors.Join(raised()[0].Decode(&up), cleared()[0].Decode(&down)); err != nil {
		t.Fatal(err)
	}
	if up.Alarm != down.Alarm || !up.Raised || down.Raised || up.Severity != monitor.Warning || up.Rule != "operation.job" {
		t.Errorf("raised %+v, cleared %+v", up, down)
	}
}

func TestOnlyTheWatchdogAsksForWhatIsOverdue(t *testing.T) {
	w := newJobs(t)
	for name, c := range map[string]*api.Client{"a maintainer": w.Admin(), "another part": w.Part("alerts", "")} {
		if _, err := c.Overdue(ctx, "twins", ""); !errors.Is(err, access.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dog := w.Part("twin-watchdog", "")
	for _, cursor := range []string{"nonsense", "job:nonsense", "job:" + strings.Repeat("x", 2000)} {
		if _, err := dog.Overdue(ctx, "twins", cursor); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("cursor %.40q: %v", cursor, err)
		}
	}
	if _, err := dog.RetryOperation(ctx, "twins", api.RetryOverdue{Kind: "magic", ID: "x"}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a kind there is not: %v", err)
	}
	if r, err := dog.RetryOperation(ctx, "twins", api.RetryOverdue{Kind: "job", ID: "../x\x00"}); err != nil || r.Overdue {
		t.Errorf("a job there is not: %+v %v", r, err)
	}
}

// The watchdog is watched: a minute of silence is told of, once, and so is its return.
func TestTheWatchdogIsWatched(t *testing.T) {
	w := newWorld(t)
	raised, cleared := w.Collect(event.AlarmRaised), w.Collect(event.AlarmCleared)
	tick := func(d time.Duration) {
		t.Helper()
		w.SetTime(w.Now().Add(d))
		if err := w.Tick("twin-monitor", w.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for range 12 {
		w.run(5 * time.Second)
		tick(5 * time.Second)
	}
	for range 8 { // it stands still
		tick(5 * time.Second)
	}
	if len(raised()) != 0 {
		t.Fatalf("after 40 s of silence: %+v", raised())
	}
	for range 8 {
		w.Add("twin-monitor", twinmonitor.New)
		tick(5 * time.Second)
	}
	functiontest.Eventually(t, "the alarm", func() bool { return len(raised()) == 1 })
	w.run(5 * time.Second)
	tick(time.Second)
	functiontest.Eventually(t, "its end", func() bool { return len(cleared()) == 1 })
	// Where the whole platform stood still nobody was silent.
	w.SetTime(w.Now().Add(time.Hour))
	tick(0)
	if len(raised()) != 1 {
		t.Errorf("after the platform stood still: %+v", raised())
	}
}
