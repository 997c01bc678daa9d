package twinprovision_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// Who begins a run by hand where another group's has ended reads nothing of that one.
func TestARunByHandOfAnotherGroupBeginsAnew(t *testing.T) {
	w, ada, bob, _ := twoGroups(t)
	first, err := ada.StartRun(w.ctx, api.NewRun{Type: "hand", Owner: "press", Serial: "P-3", Reason: "secret of press", PublicKey: mustKey(w)})
	w.must(err)
	_, err = ada.ResetRun(w.ctx, first.ID, "secret of press")
	w.must(err)
	second, err := bob.StartRun(w.ctx, api.NewRun{Type: "hand", Owner: "paint", Serial: "P-3", PublicKey: mustKey(w)})
	if err != nil || second.ID != first.ID {
		t.Fatalf("run %s after %s, %v", second.ID, first.ID, err)
	}
	if r, err := bob.GetRun(w.ctx, second.ID); err != nil || strings.Contains(log(r)+r.Reason, "secret of press") {
		t.Errorf("paint reads: %v\n%s", err, log(r))
	}
}

// People make the twin after a run has noted that it is about to, and before it has: then it is theirs, the run knows that, and a run
// that is undone leaves it.
func TestATwinThatPeopleMadeFasterIsTheirs(t *testing.T) {
	w := start(t)
	w.identity("P-1")
	r := w.request(w.claim(api.NewClaim{}), "P-1")
	crash := w.Crash(0, functiontest.Published)
	crash.Run(w.World, "twins", twins.New)
	_, _ = w.prov.RequestProvisioning(w.ctx, r)
	crash.Over()
	page, err := w.admin.ListRuns(w.ctx, api.RunQuery{})
	if w.must(err); len(page.Items) != 1 || !w.run(page.Items[0].ID).Results.TwinMade {
		t.Fatalf("%d runs, none is about to make its twin", len(page.Items))
	}
	if _, err := w.admin.GetTwin(w.ctx, "p-1"); !errors.Is(err, api.ErrNotFound) {
		t.Fatalf("there is a twin already: %v", err)
	}
	_, err = w.admin.CreateTwin(w.ctx, api.NewTwin{ID: "p-1", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "press"}})
	w.must(err)
	w.must(w.later(16 * time.Second))
	run, _ := w.provision(r)
	if run.Outcome != provision.Completed || run.Results.TwinMade {
		t.Fatalf("it says that it has made the twin: %v\n%s", run.Results.TwinMade, log(run))
	}
	_, err = w.admin.ResetRun(w.ctx, run.ID, "")
	w.must(err)
	if _, err := w.admin.GetTwin(w.ctx, "p-1"); err != nil {
		t.Errorf("the twin that people made: %v", err)
	}
}
