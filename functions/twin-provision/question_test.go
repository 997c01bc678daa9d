package twinprovision_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	handler "github.com/openfaas/templates-sdk/go-http"

	"github.com/castor-iot/castor/functions/credentials"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// twoQuestions is a model that asks group security, then group quality.
var twoQuestions = provision.Model{ID: "two-questions", Start: "claim", States: []provision.State{
	{Name: "claim", Do: provision.CheckClaim, Then: "one"},
	{Name: "one", Do: provision.Ask, With: map[string]string{"question": "Is {serial} known to security?", "by": "group:security"}, Await: provision.Approved, Then: "two", Limit: twin.Duration(time.Hour)},
	{Name: "two", Do: provision.Ask, With: map[string]string{"question": "Is {serial} good?", "by": "group:quality"}, Await: provision.Approved, Then: "in", Limit: twin.Duration(time.Hour)},
	{Name: "in", Do: provision.CheckIdentity, Then: "make"},
	{Name: "make", Do: provision.CreateTwin, Then: "sign"},
	{Name: "sign", Do: provision.IssueCredential, Then: "place"},
	{Name: "place", Do: provision.RegisterGateway, Await: provision.GatewayReady, Limit: twin.Duration(time.Hour), Then: "hand"},
	{Name: "hand", Do: provision.Deliver, Await: provision.DeviceConfirm, Limit: twin.Duration(time.Hour), Then: "live"},
	{Name: "live", Do: provision.Activate, End: provision.Completed}}}

// Who may decide about the question that was asked when they came decides about no other one, which others are asked, though the run
// goes on while their decision is looked at.
func TestADecisionIsAboutTheQuestionThatItsMakerMayDecide(t *testing.T) {
	w := start(t)
	_, err := w.admin.PutModel(w.ctx, twoQuestions)
	w.must(err)
	w.newType("boat", twin.Model{Provisioning: "two-questions"})
	w.identity("B-1")
	sam := w.User("sam", []access.Role{access.Owner}, "security")
	id := w.asks(w.request(w.claim(api.NewClaim{Type: "boat"}), "B-1", func(r *api.ProvisionRequest) { r.Type = "boat" }))
	yes := api.Decide{Trigger: provision.Approved, Reason: "seen"}
	var between atomic.Bool
	w.Add("credentials", func(p *platform.Platform) faas.Func {
		f := credentials.New(p)
		return func(r handler.Request) (handler.Response, error) {
			if r.Method == "GET" && strings.Contains(r.Header.Get(faas.HeaderPath), "/claims/") && between.CompareAndSwap(false, true) { // it is looked at
				if _, err := w.admin.DecideRun(w.ctx, id, yes); err != nil {
					t.Error(err)
				}
			}
			return f(r)
		}
	})
	if _, err := sam.DecideRun(w.ctx, id, yes); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "gone on to two") {
		t.Errorf("security decides about what quality is asked: %v", err)
	}
	if r := w.run(id); r.State != "two" || r.Asks == nil || r.Decision == nil || r.Decision.By != "user:admin" {
		t.Errorf("the run is %s, decided by %+v", r.State, r.Decision)
	}
}
