package twinprovision_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/shared/twin"
)

// sees is what a caller has of a run: in the list, on the board, by its id, and among those of its twin.
func (w *world) sees(c *api.Client, id string, of twin.ID) string {
	w.t.Helper()
	var page, twins api.Page[provision.Run]
	w.must(c.Call(w.ctx, "GET", "twin-provision", "/runs", nil, &page))
	listed := 0
	for _, r := range page.Items {
		if r.ID == id {
			listed++
		}
	}
	b, err := c.RunBoard(w.ctx)
	w.must(err)
	_, err = c.GetRun(w.ctx, id)
	if err != nil && !errors.Is(err, api.ErrNotFound) {
		w.t.Fatal(err)
	}
	said := fmt.Sprintf("listed %d, states %d, found %v", listed, len(b.Items), err == nil)
	if of != "" {
		if twins, err = c.ListRuns(w.ctx, api.RunQuery{Twin: of}); err == nil {
			said += fmt.Sprint(", of the twin ", len(twins.Items))
		}
	}
	return said
}

// A configurator leads the device through a run that they have begun for another group, and sees nothing of it once it has come in.
func TestAConfiguratorSeesTheRunsTheyBegan(t *testing.T) {
	w := byHand(t)
	con := w.User("con", []access.Role{access.Configurator}, "foundry")
	other := w.User("cat", []access.Role{access.Configurator}, "foundry")
	was := w.User("was", []access.Role{access.Owner, access.Viewer}, "press")
	// Pump belongs to nobody: whoever brings device technologies in says by which model.
	public, _, err := seal.NewKey()
	w.must(err)
	r, err := con.StartRun(w.ctx, api.NewRun{Type: "pump", Owner: "press", Provisioning: "manual", Serial: "P-1", PublicKey: public})
	w.must(err)
	for who, tt := range map[string]struct {
		c    *api.Client
		want string
	}{"who began it": {con, "listed 1, states 1, found true"}, "another configurator": {other, "listed 0, states 0, found false"}, "its group": {was, "listed 1, states 1, found true"}} {
		if got := w.sees(tt.c, r.ID, ""); got != tt.want {
			t.Errorf("%s: %s", who, got)
		}
	}
	if _, err := other.DecideRun(w.ctx, r.ID, api.Decide{Trigger: provision.Confirmed}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("another configurator decides: %v", err)
	}
	w.confirms(con, r.ID, "place", api.Decide{})
	w.confirms(con, r.ID, "serial", api.Decide{Serial: "P-1"})
	w.must(w.apply(w.run(r.ID).Results.DeviceRef))
	bundle, err := con.RunBundle(w.ctx, r.ID)
	w.must(err)
	w.confirms(con, r.ID, "install", api.Decide{})
	w.must(w.op.ConfirmProvisioning(w.ctx, api.Confirmation{Gateway: "op", Ref: bundle.Ref, Twin: bundle.Twin}))
	if r = w.run(r.ID); r.Outcome != provision.Completed {
		t.Fatalf("\n%s", log(r))
	}
	if got := w.sees(con, r.ID, ""); got != "listed 0, states 0, found false" {
		t.Errorf("who began it, later: %s", got)
	}
}

// A run that was refused its twin is its own group's, not that of whom the twin belongs to.
func TestARejectedRunIsItsOwnGroups(t *testing.T) {
	w, ada, bob, paints := twoGroups(t)
	w.identity("P-1")
	_, err := w.admin.CreateTwin(w.ctx, api.NewTwin{ID: "p-1", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "press", Phase: twin.Onboarding}})
	w.must(err)
	f, err := w.admin.CreateClaim(w.ctx, api.NewClaim{Type: "pump", Owner: "paint"})
	w.must(err)
	foreign := paints("P-1")
	foreign.Type, foreign.Claim = "pump", f.Claim.ID
	a := w.ask(foreign)
	if a.Status != "rejected" || !strings.Contains(a.Reason, "another group") {
		t.Fatalf("it is told %+v", a)
	}
	if got := w.sees(bob, a.Run, ""); got != "listed 1, states 0, found true" {
		t.Errorf("whose claim it was: %s", got)
	}
	if got := w.sees(ada, a.Run, "p-1"); got != "listed 0, states 0, found false, of the twin 0" {
		t.Errorf("whose twin it is: %s", got)
	}
}

// Of installers who name one serial at the same moment, each in a run of their own, one is heard, and the others are told that it is taken.
func TestOneSerialIsNamedInManyRunsAtOnce(t *testing.T) {
	w := byHand(t)
	const most = 6
	for round := range 4 {
		serial := fmt.Sprint("P-", round)
		var runs [most]string
		for i := range runs {
			r, err := w.admin.StartRun(w.ctx, api.NewRun{Type: "hand", Owner: "press", PublicKey: mustKey(w)})
			w.must(err)
			w.confirms(w.admin, r.ID, "place", api.Decide{})
			runs[i] = r.ID
		}
		var errs [most]error
		begin := make(chan struct{})
		var all sync.WaitGroup
		for i, id := range runs {
			all.Go(func() {
				<-begin
				_, errs[i] = w.admin.DecideRun(w.ctx, id, api.Decide{Trigger: provision.Confirmed, State: "serial", Serial: serial})
			})
		}
		close(begin)
		all.Wait()
		heard := 0
		for i, err := range errs {
			r := w.run(runs[i])
			switch {
			case err == nil:
				heard++
			case !errors.Is(err, api.ErrConflict) || r.Request.Serial != "" || r.State != "serial":
				t.Errorf("one is told %v, and its run has serial %q in state %s", err, r.Request.Serial, r.State)
			}
		}
		if heard != 1 {
			t.Errorf("%d of %d are heard: %v", heard, most, errs)
		}
	}
}
