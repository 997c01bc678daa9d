package twins_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/functions/users"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// fleet makes n twins of type pump and group plant, quickly.
func (w *world) fleet(n int) {
	w.t.Helper()
	all := make([]twin.Twin, n)
	for i := range all {
		all[i] = twin.Twin{ID: twin.ID(fmt.Sprintf("p-%04d", i)), Kind: twin.Instance, Created: w.Now().UTC().Truncate(time.Millisecond),
			Definition: twin.Definition{Version: 1, Type: "pump", Owner: "plant", Phase: twin.Operational, Tags: []string{"old"}}}
	}
	must(w.t, w.twins.PutMany(ctx, all))
}

// work fires the schedule until the job has ended, or has been fired 50 times.
func (w *world) work(c *api.Client, id string) (j api.Job) {
	w.t.Helper()
	for range 50 {
		must(w.t, w.Tick("twins", w.Now()))
		var err error
		if j, err = c.GetJob(ctx, id); err == nil && j.State.Ended() {
			return j
		}
		w.SetTime(w.Now().Add(10 * time.Second))
	}
	w.t.Fatalf("the job is %+v", j)
	return j
}

func mergeOf(filter api.JobFilter, patch string) api.NewJob {
	return api.NewJob{Action: api.JobMerge, Filter: filter, Patch: json.RawMessage(patch)}
}

func TestAJobChangesManyTwins(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "valve")
	w.fleet(250)
	w.make("v-1 valve plant")
	ada := w.User("ada", []access.Role{access.Owner}, "plant")
	j, err := ada.CreateJob(ctx, mergeOf(api.JobFilter{Type: "pump"}, `{"tags":["new"]}`))
	must(t, err)
	if j.State != api.JobQueued || j.By != "user:ada" || !strings.HasPrefix(j.ID, "job-") {
		t.Errorf("asked for: %+v", j)
	}
	j = w.work(ada, j.ID)
	if j.State != api.JobDone || j.Total != 250 || j.Done != 250 || j.Failed != 0 || j.Progress != 1 || j.Started.IsZero() || j.Finished.IsZero() {
		t.Errorf("at its end: %+v", j)
	}
	if n, err := w.twins.Count(ctx, store.Eq("definition.tags", "new"), "by-tag"); err != nil || n != 250 {
		t.Errorf("%d twins are changed, %v", n, err)
	}
	if v, err := ada.GetTwin(ctx, "v-1"); err != nil || v.Definition.Version != 1 {
		t.Errorf("the valve is changed too: %+v %v", v.Definition, err)
	}
	list, err := ada.ListJobs(ctx, "")
	if err != nil || len(list.Items) != 1 || list.Items[0].ID != j.ID {
		t.Errorf("the list is %+v, %v", list, err)
	}
}

// What a filter selects by is just what the job changes: all the same each twin is come to once.
func TestAJobMayChangeWhatItsFilterSelectsBy(t *testing.T) {
	w := newWorld(t)
	w.make("pump")
	w.fleet(150)
	j, err := w.admin.CreateJob(ctx, mergeOf(api.JobFilter{Tag: "old"}, `{"tags":null}`))
	must(t, err)
	if j = w.work(w.admin, j.ID); j.Done != 150 || j.Failed != 0 {
		t.Errorf("%+v", j)
	}
	j, err = w.admin.CreateJob(ctx, api.NewJob{Action: api.JobPhase, Phase: twin.Suspended, Filter: api.JobFilter{Phase: twin.Operational}})
	must(t, err)
	if j = w.work(w.admin, j.ID); j.Done != 150 || j.Failed != 0 {
		t.Errorf("%+v", j)
	}
	if p, err := w.admin.GetTwin(ctx, "p-0007"); err != nil || p.Definition.Phase != twin.Suspended || len(p.Definition.Tags) != 0 {
		t.Errorf("%+v %v", p.Definition, err)
	}
}

// A job acts with the rights that who asked has while it runs.
func TestAJobHasTheRightsOfWhoAsked(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "p-1 pump plant", "p-2 pump shop", "p-3 pump mill")
	eve := w.User("eve", []access.Role{access.Owner}, "plant")
	w.grant("user:eve", "twin:p-2", access.Read)
	j, err := eve.CreateJob(ctx, mergeOf(api.JobFilter{Kind: twin.Instance}, `{"name":"mine"}`))
	must(t, err)
	j = w.work(eve, j.ID)
	if j.State != api.JobDone || j.Done != 1 || j.Failed != 1 {
		t.Errorf("%+v", j)
	}
	results, err := eve.JobResults(ctx, j.ID, "")
	must(t, err)
	if len(results.Items) != 1 || results.Items[0].Twin != "p-2" || results.Items[0].Status != 403 || !strings.Contains(results.Items[0].Reason, "not change it") {
		t.Errorf("results: %+v", results.Items)
	}
	j, err = eve.CreateJob(ctx, mergeOf(api.JobFilter{IDs: []twin.ID{"p-3", "p-1", "nothing"}}, `{"name":"yours"}`))
	must(t, err)
	j = w.work(eve, j.ID)
	results, err = eve.JobResults(ctx, j.ID, "")
	must(t, err)
	if j.Done != 1 || j.Failed != 2 || len(results.Items) != 2 || results.Items[0].Reason != `there is no twin "nothing"` || results.Items[1].Reason != `there is no twin "p-3"` {
		t.Errorf("%+v %+v", j, results.Items)
	}
	mallory := w.User("mallory", []access.Role{access.Owner}, "mill")
	for what, err := range map[string]error{
		"reads it":     second(mallory.GetJob(ctx, j.ID)),
		"reads what":   second(mallory.JobResults(ctx, j.ID, "")),
		"cancels it":   second(mallory.CancelJob(ctx, j.ID)),
		"reads no job": second(mallory.GetJob(ctx, "nothing")),
	} {
		if !errors.Is(err, api.ErrNotFound) {
			t.Errorf("a stranger %s: %v", what, err)
		}
	}
	if list, err := mallory.ListJobs(ctx, ""); err != nil || len(list.Items) != 0 {
		t.Errorf("a stranger lists %+v %v", list, err)
	}

	// Who may not sign in any more changes nothing any more.
	j, err = eve.CreateJob(ctx, mergeOf(api.JobFilter{Kind: twin.Instance}, `{"name":"evil"}`))
	must(t, err)
	yes := true
	_, err = w.admin.UpdateUser(ctx, "eve", api.UserChange{Disabled: &yes})
	must(t, err)
	if j = w.work(w.admin, j.ID); j.State != api.JobFailed || j.Done != 0 || !strings.Contains(j.Reason, "may not sign in") {
		t.Errorf("%+v", j)
	}
}

// A job that does not come to what it counted says so, and why.
func TestAJobWhoseTwinsGoOutOfReach(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(w *world)
		state     api.JobState
		reason    string
	}{
		"who asked sees fewer": {func(w *world) {
			none := []string{}
			must(w.t, second(w.admin.UpdateUser(ctx, "ada", api.UserChange{Groups: &none})))
		}, api.JobFailed, "250 of 250 twins were not in reach any more"},
		"the twins are deleted": {func(w *world) {
			for _, id := range []string{"p-0003", "p-0249"} {
				must(w.t, w.twins.Delete(ctx, id))
			}
		}, api.JobDone, "2 of 250 twins were deleted meanwhile"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.make("pump")
			w.fleet(250)
			ada := w.User("ada", []access.Role{access.Owner}, "plant")
			j, err := ada.CreateJob(ctx, mergeOf(api.JobFilter{Type: "pump"}, `{"tags":["new"]}`))
			must(t, err)
			w.Crash(2, functiontest.Before).Run(w.World, "twins", twins.New) // it is taken on and counted, and no more
			_ = w.Tick("twins", w.Now())
			w.Add("twins", twins.New)
			if j, err = ada.GetJob(ctx, j.ID); err != nil || j.Total != 250 || j.Done != 0 {
				t.Fatalf("counted: %+v %v", j, err)
			}
			test.meanwhile(w)
			w.SetTime(w.Now().Add(2 * time.Minute))
			if j = w.work(w.admin, j.ID); j.State != test.state || !strings.HasPrefix(j.Reason, test.reason) || j.Total != 250 {
				t.Errorf("%+v", j)
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

func TestWhatNoJobCanDo(t *testing.T) {
	w := newWorld(t)
	w.make("pump")
	dev := w.User("dev", []access.Role{access.Developer})
	for name, body := range map[string]string{
		"nothing":                 `{}`,
		"no filter":               `{"action":"delete"}`,
		"an empty filter":         `{"action":"delete","filter":{}}`,
		"a filter of no word":     `{"action":"delete","filter":{"colour":"red"}}`,
		"a phase there is not":    `{"action":"delete","filter":{"phase":"moon"}}`,
		"an id of path tricks":    `{"action":"delete","filter":{"ids":["../x"]}}`,
		"a job id of path tricks": `{"id":"../x","action":"delete","filter":{"tag":"a"}}`,
		"an action there is not":  `{"action":"explode","filter":{"tag":"a"}}`,
		"a merge without patch":   `{"action":"merge","filter":{"tag":"a"}}`,
		"a patch of nothing":      `{"action":"merge","filter":{"tag":"a"},"patch":{}}`,
		"a patch that is null":    `{"action":"merge","filter":{"tag":"a"},"patch":null}`,
		"a patch of the phase":    `{"action":"merge","filter":{"tag":"a"},"patch":{"phase":"retired"}}`,
		"a patch of a wrong type": `{"action":"merge","filter":{"tag":"a"},"patch":{"tags":7}}`,
		"a patch of no field":     `{"action":"merge","filter":{"tag":"a"},"patch":{"colour":"red"}}`,
		"a patch for a deletion":  `{"action":"delete","filter":{"tag":"a"},"patch":{"name":"x"}}`,
		"a phase people set not":  `{"action":"phase","filter":{"tag":"a"},"phase":"provisioning"}`,
		"data of no word":         `{"action":"delete","filter":{"tag":"a"},"data":"burn"}`,
		"1,001 ids":               `{"action":"delete","filter":{"ids":["x"` + strings.Repeat(`,"x"`, 1000) + `]}}`,
		"a huge patch":            `{"action":"merge","filter":{"tag":"a"},"patch":{"name":"` + strings.Repeat("x", 70_000) + `"}}`,
	} {
		err := w.admin.Call(ctx, "POST", "twins", "/jobs", json.RawMessage(body), nil)
		if !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	if _, err := dev.CreateJob(ctx, api.NewJob{Action: api.JobDelete, Filter: api.JobFilter{Tag: "a"}}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a developer deletes: %v", err)
	}
	one := mergeOf(api.JobFilter{Tag: "a"}, `{"name":"x"}`)
	one.ID = "nightly-1"
	for range 2 {
		if j, err := w.admin.CreateJob(ctx, one); err != nil || j.ID != "nightly-1" {
			t.Errorf("the same request: %+v %v", j, err)
		}
	}
	one.Patch = json.RawMessage(`{"name":"y"}`)
	if _, err := w.admin.CreateJob(ctx, one); !errors.Is(err, api.ErrExists) {
		t.Errorf("another request with the same id: %v", err)
	}
	one.ID = ""
	for range 19 {
		_, err := w.admin.CreateJob(ctx, one)
		must(t, err)
	}
	if _, err := w.admin.CreateJob(ctx, one); !errors.Is(err, api.ErrTooMany) {
		t.Errorf("a 21st job: %v", err)
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "p-1 pump plant", "p-2 pump plant")
	j, err := w.admin.CreateJob(ctx, api.NewJob{Action: api.JobDelete, Filter: api.JobFilter{Prefix: "p"}, DryRun: true})
	must(t, err)
	j = w.work(w.admin, j.ID)
	results, err := w.admin.JobResults(ctx, j.ID, "")
	must(t, err)
	if j.Done != 2 || j.Failed != 1 || len(results.Items) != 1 || results.Items[0].Twin != "pump" {
		t.Errorf("%+v %+v", j, results.Items)
	}
	if n, err := w.twins.Count(ctx, store.Filter{}, ""); err != nil || n != 3 {
		t.Errorf("%d twins, %v", n, err)
	}
	if p, err := w.admin.GetTwin(ctx, "p-1"); err != nil || p.Definition.Version != 1 {
		t.Errorf("%+v %v", p, err)
	}
}

func TestCancellingAJob(t *testing.T) {
	w := newWorld(t)
	w.make("pump")
	w.fleet(10)
	j, err := w.admin.CreateJob(ctx, mergeOf(api.JobFilter{Type: "pump"}, `{"name":"x"}`))
	must(t, err)
	if j, err = w.admin.CancelJob(ctx, j.ID); err != nil || j.State != api.JobCancelled || j.Done != 0 {
		t.Errorf("before it began: %+v %v", j, err)
	}
	must(t, w.Tick("twins", w.Now()))
	if n, err := w.twins.Count(ctx, store.Eq("definition.version", 1), ""); err != nil || n != 11 {
		t.Errorf("%d twins are as they were, %v", n, err)
	}
	// One that a dead instance has planned twins of is brought to a truthful end.
	w.fleet(250)
	j, err = w.admin.CreateJob(ctx, mergeOf(api.JobFilter{Type: "pump"}, `{"name":"x"}`))
	must(t, err)
	w.Crash(3, functiontest.Unsaid).Run(w.World, "twins", twins.New)
	_ = w.Tick("twins", w.Now())
	w.Add("twins", twins.New)
	now, err := w.admin.CancelJob(ctx, j.ID)
	must(t, err)
	if now.State != api.JobRunning || !now.Cancelling {
		t.Errorf("cancelled while it is held: %+v", now)
	}
	w.SetTime(w.Now().Add(2 * time.Minute))
	j = w.work(w.admin, j.ID)
	n, err := w.twins.Count(ctx, store.Eq("definition.version", 2), "")
	if must(t, err); j.State != api.JobCancelled || j.Done != n || n > 100 || j.Progress >= 1 {
		t.Errorf("%d twins are changed, the job says %+v", n, j)
	}
}

// Whatever write an instance dies at, the next one goes on: each twin is changed once, and counted once.
func TestAJobGoesOnAfterACrashAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.make("pump")
	end := false
	for n := 0; !end; n += max(1, n/2) {
		for _, how := range functiontest.Ways {
			w.fleet(130)
			must(t, w.twins.PutMany(ctx, []twin.Twin{{ID: "p-0060x", Kind: twin.Instance, Definition: twin.Definition{Version: 1, Type: "pump", Owner: "plant",
				Phase: twin.Retired}}}))
			admin := w.Admin() // its token ends as the world's clock goes on
			j, err := admin.CreateJob(ctx, api.NewJob{Action: api.JobPhase, Phase: twin.Suspended, Filter: api.JobFilter{Type: "pump"}})
			must(t, err)
			crash := w.Crash(n, how)
			crash.Run(w.World, "twins", twins.New)
			_ = w.Tick("twins", w.Now())
			end = !crash.Came()
			w.Add("twins", twins.New)
			w.SetTime(w.Now().Add(2 * time.Minute))
			j = w.work(admin, j.ID)
			if j.State != api.JobDone || j.Total != 131 || j.Done != 130 || j.Failed != 1 {
				t.Fatalf("crash at write %d (%v): %+v", n, how, j)
			}
			results, err := admin.JobResults(ctx, j.ID, "")
			if must(t, err); len(results.Items) != 1 || results.Items[0].Twin != "p-0060x" {
				t.Errorf("crash at write %d (%v): results %+v", n, how, results.Items)
			}
			phases, err := w.twins.GroupCount(ctx, store.Eq("definition.type", "pump"), "by-type", "definition.phase")
			if must(t, err); phases["suspended"] != 130 {
				t.Errorf("crash at write %d (%v): %v", n, how, phases)
			}
			if c, err := w.twins.Count(ctx, store.Gt("definition.version", 2), ""); err != nil || c != 0 {
				t.Errorf("crash at write %d (%v): %d twins are changed twice", n, how, c)
			}
		}
	}
}

// A deletion that is repeated after a crash counts what is gone already as done, not as failed.
func TestAJobDeletes(t *testing.T) {
	w := newWorld(t)
	w.make("pump")
	for _, n := range []int{0, 4, 9, 25, 47} {
		w.fleet(20)
		admin := w.Admin()
		j, err := admin.CreateJob(ctx, api.NewJob{Action: api.JobDelete, Data: "erase", Filter: api.JobFilter{Type: "pump"}})
		must(t, err)
		w.Crash(n, functiontest.Unsaid).Run(w.World, "twins", twins.New)
		_ = w.Tick("twins", w.Now())
		w.Add("twins", twins.New)
		w.SetTime(w.Now().Add(2 * time.Minute))
		w.sweep()
		if j = w.work(admin, j.ID); j.State != api.JobDone || j.Done != 20 || j.Failed != 0 {
			t.Fatalf("crash at write %d: %+v", n, j)
		}
		w.SetTime(w.Now().Add(time.Minute))
		w.sweep()
		if n, err := w.twins.Count(ctx, store.Filter{}, ""); err != nil || n != 1 {
			t.Fatalf("%d twins are left, %v", n, err)
		}
	}
}

// sweep has the function swept as often as it takes to publish what was held back and then remove it.
func (w *world) sweep() {
	w.t.Helper()
	for range 2 {
		_, err := w.Part("twin-watchdog", "").Sweep(ctx, "twins")
		must(w.t, err)
	}
}

// While something that it needs is away a job waits, says for what, and goes on.
func TestAJobWaitsForWhatIsAway(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "p-1 pump plant")
	j, err := w.admin.CreateJob(ctx, mergeOf(api.JobFilter{Type: "pump"}, `{"name":"x"}`))
	must(t, err)
	w.Add("users", func(p *platform.Platform) faas.Func {
		well := users.New(p)
		return func(r handler.Request) (handler.Response, error) {
			if strings.HasPrefix(r.Header.Get(faas.HeaderPath), "/users/") {
				return handler.Response{StatusCode: 503, Header: http.Header{"Content-Type": {"text/plain"}}}, nil
			}
			return well(r)
		}
	})
	must(t, w.Tick("twins", w.Now()))
	if j, err = w.admin.GetJob(ctx, j.ID); err != nil || j.State != api.JobRunning || !strings.HasPrefix(j.Reason, "waits: ") {
		t.Errorf("while users is away: %+v %v", j, err)
	}
	w.Add("users", users.New)
	w.SetTime(w.Now().Add(time.Minute))
	if j = w.work(w.admin, j.ID); j.State != api.JobDone || j.Done != 1 || j.Reason != "" {
		t.Errorf("when it is back: %+v", j)
	}
}

func TestJobsAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "p-1 pump plant")
	j, err := w.admin.CreateJob(ctx, mergeOf(api.JobFilter{IDs: []twin.ID{"p-1", "p-2"}}, `{"name":"x"}`))
	must(t, err)
	w.work(w.admin, j.ID)
	w.SetTime(w.Now().Add(29 * 24 * time.Hour))
	must(t, w.Tick("twins", w.Now()))
	w.admin = w.Admin()
	if _, err := w.admin.GetJob(ctx, j.ID); err != nil {
		t.Errorf("after 29 days: %v", err)
	}
	w.SetTime(w.Now().Add(2 * 24 * time.Hour))
	must(t, w.Tick("twins", w.Now()))
	if _, err := w.Admin().GetJob(ctx, j.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("after 31 days: %v", err)
	}
	left, err := store.Open[api.JobResult](ctx, w.Base.DB, store.Spec{Name: "jobresults", Schema: 1})
	must(t, err)
	if n, err := left.Count(ctx, store.Filter{}, ""); err != nil || n != 0 {
		t.Errorf("%d results are left, %v", n, err)
	}
}
