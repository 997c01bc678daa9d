package twinprovision_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// A claim that is revoked while its devices wait lets none of them in: who approves is told why not, who is reminded is not asked, and
// nothing is made for them. A device that has its credential already comes in by that.
func TestARevokedClaimEndsItsWaitingRuns(t *testing.T) {
	w, r, id := asking(t)
	reminded := w.asks(w.request(r.Claim, "B-2", func(r *api.ProvisionRequest) { r.Type = "boat" }))
	in := w.asks(w.request(r.Claim, "B-3", func(r *api.ProvisionRequest) { r.Type = "boat" }))
	yes := api.Decide{Trigger: provision.Approved, Reason: "ordered"}
	_, err := w.admin.DecideRun(w.ctx, in, yes)
	w.must(err)
	w.must(w.admin.RevokeClaim(w.ctx, r.Claim))

	if _, err := w.admin.DecideRun(w.ctx, id, yes); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), r.Claim+" was revoked") {
		t.Errorf("approved, it is %v", err)
	}
	run := w.run(id)
	if run.Outcome != provision.Rejected || !strings.Contains(run.Reason, "was revoked") || run.Results.DeviceRef != "" {
		t.Errorf("its run is\n%s", log(run))
	}
	if _, err := w.admin.GetTwin(w.ctx, "b-1"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("its twin: %v", err)
	}
	for range 3 {
		w.prov, w.op = w.Part("connector", "prov"), w.Part("connector", "op")
		w.must(w.later(10 * time.Hour))
	}
	w.admin = w.Admin()
	if run = w.run(reminded); run.Outcome != provision.Rejected || !strings.Contains(run.Reason, "was revoked") {
		t.Errorf("instead of a reminder, the run is\n%s", log(run))
	}
	if run = w.run(in); strings.Contains(log(run), "was revoked") {
		t.Errorf("with its credential, the run is\n%s", log(run))
	}
}

// Also a step that nobody decides about makes nothing of a claim that was revoked meanwhile.
func TestAStepLooksAtTheClaim(t *testing.T) {
	w := start(t)
	_, err := w.admin.PutModel(w.ctx, provision.Model{ID: "slow", Start: "claim", States: []provision.State{
		{Name: "claim", Do: provision.CheckClaim, Then: "known"},
		{Name: "known", Do: provision.RegisterIdentity, Then: "identity"},
		{Name: "identity", Do: provision.CheckIdentity, Then: "rest"},
		{Name: "rest", On: []provision.Transition{{When: provision.Timer, Then: "twin"}}, Limit: twin.Duration(time.Minute)},
		{Name: "twin", Do: provision.CreateTwin, Then: "sign", Else: "rest"},
		{Name: "sign", Do: provision.IssueCredential, Then: "place"},
		{Name: "place", Do: provision.RegisterGateway, Await: provision.GatewayReady, Limit: twin.Duration(time.Hour), Then: "hand"},
		{Name: "hand", Do: provision.Deliver, Await: provision.DeviceConfirm, Limit: twin.Duration(time.Hour), Then: "on"},
		{Name: "on", Do: provision.Activate, End: provision.Completed}}})
	w.must(err)
	w.newType("raft", twin.Model{Provisioning: "slow"})
	claim := w.claim(api.NewClaim{Type: "raft"})
	a := w.ask(w.request(claim, "R-1", func(r *api.ProvisionRequest) { r.Type = "raft" }))
	w.must(w.admin.RevokeClaim(w.ctx, claim))
	w.must(w.later(2 * time.Minute))
	if run := w.run(a.Run); run.Outcome != provision.Rejected || !strings.Contains(run.Reason, "was revoked") {
		t.Errorf("the run is\n%s", log(run))
	}
}
