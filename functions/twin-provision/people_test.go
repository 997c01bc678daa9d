package twinprovision_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/alerts"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// asking is a world in which a device of group press waits for approval.
func asking(t *testing.T) (w *world, r api.ProvisionRequest, run string) {
	t.Helper()
	w = start(t)
	w.newType("boat", twin.Model{Provisioning: "semi-automatic"})
	r = w.request(w.claim(api.NewClaim{Type: "boat", MaxUses: 1000}), "B-1", func(r *api.ProvisionRequest) { r.Type = "boat" })
	return w, r, w.asks(r)
}

// asks has a device ask until its run asks people, and returns the run.
func (w *world) asks(r api.ProvisionRequest) string {
	w.t.Helper()
	a := w.ask(r)
	run := w.run(a.Run)
	if a.Status != "pending" || run.Asks == nil || !strings.Contains(run.Asks.Text, r.Serial) {
		w.t.Fatalf("it is told %+v; the run asks %+v\n%s", a, run.Asks, log(run))
	}
	return run.ID
}

func TestWhoMayDecide(t *testing.T) {
	w, _, id := asking(t)
	yes := api.Decide{Trigger: provision.Approved, Reason: "ordered"}
	w.User("viewer", []access.Role{access.Viewer}, "press")
	for who, tt := range map[string]struct {
		c    *api.Client
		want error
	}{
		"a viewer of the group":      {w.Login("viewer", functiontest.Password), access.ErrDenied},
		"an owner of another group":  {w.User("eve", []access.Role{access.Owner}, "foundry"), api.ErrNotFound},
		"a configurator of another":  {w.User("con", []access.Role{access.Configurator}, "foundry"), api.ErrNotFound},
		"the device, by its gateway": {w.prov, access.ErrDenied},
		"nobody":                     {w.Nobody(), access.ErrUnauthenticated},
	} {
		if _, err := tt.c.DecideRun(w.ctx, id, yes); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", who, err, tt.want)
		}
	}
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	page, err := ada.ListRuns(w.ctx, api.RunQuery{Awaits: "people"})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != id || page.Items[0].Asks == nil {
		t.Fatalf("awaits people: %+v, %v", page.Items, err)
	}
	for field, in := range map[string]api.Decide{"trigger": {Trigger: provision.GatewayReady}, "reason": {Trigger: provision.Approved, Reason: strings.Repeat("x", 300)},
		"waits for": {Trigger: provision.Confirmed}, "serial": {Trigger: provision.Approved, Serial: "../x"}} {
		if _, err := ada.DecideRun(w.ctx, id, in); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	r, err := ada.DecideRun(w.ctx, id, yes)
	if err != nil || r.Asks != nil || r.Decision == nil || r.Decision.By != "user:ada" || r.Decision.Reason != "ordered" {
		t.Fatalf("%+v, %v", r.Decision, err)
	}
	if _, err := ada.DecideRun(w.ctx, id, yes); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if _, err := w.admin.DecideRun(w.ctx, id, api.Decide{Trigger: provision.Declined}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("another one, too late: %v", err)
	}
	if page, _ := ada.ListRuns(w.ctx, api.RunQuery{Awaits: "people"}); len(page.Items) != 0 {
		t.Errorf("still awaits people: %+v", page.Items)
	}
}

func TestAnApprovedDeviceComesInAndADeclinedOneHearsWhy(t *testing.T) {
	w, r, id := asking(t)
	if _, err := w.admin.DecideRun(w.ctx, id, api.Decide{Trigger: provision.Approved, Reason: "ordered", State: "approval"}); err != nil {
		t.Fatal(err)
	}
	w.must(w.apply(w.run(id).Results.DeviceRef))
	a := w.ask(r)
	if a.Bundle == nil {
		t.Fatalf("it is told %+v\n%s", a, log(w.run(id)))
	}
	w.must(w.op.ConfirmProvisioning(w.ctx, api.Confirmation{Gateway: "op", Ref: a.Bundle.Ref, Twin: a.Bundle.Twin}))
	if run := w.run(id); run.Outcome != provision.Completed {
		t.Errorf("%s", log(run))
	}
	no := w.request(r.Claim, "B-2", func(r *api.ProvisionRequest) { r.Type = "boat" })
	id = w.asks(no)
	run, err := w.admin.DecideRun(w.ctx, id, api.Decide{Trigger: provision.Declined, Reason: "stolen"})
	if err != nil || run.Outcome != provision.Rejected {
		t.Fatalf("%v\n%s", err, log(run))
	}
	if sent := w.sent(no.Client); sent.Status != "rejected" {
		t.Errorf("it was sent %+v", sent)
	}
	if !strings.Contains(log(run), "stolen") {
		t.Errorf("the log does not say why:\n%s", log(run))
	}
}

// Of many decisions at once one counts.
// A device asks until it is answered, so a request of it may be on its way when people decline: it is told so, and nobody is asked
// again. Who tries again has heard that.
func TestARequestThatADecisionOvertakesBeginsNothing(t *testing.T) {
	w, r, id := asking(t)
	_, err := w.admin.DecideRun(w.ctx, id, api.Decide{Trigger: provision.Declined, Reason: "that one was stolen"})
	w.must(err)
	used := func() int64 {
		t.Helper()
		c, err := w.admin.GetClaim(w.ctx, r.Claim)
		w.must(err)
		return c.Used
	}
	for range 3 {
		if a := w.ask(r); a.Status != "rejected" || a.Run != id || !strings.Contains(a.Reason, "stolen") {
			t.Fatalf("asking on, it is told %+v", a)
		}
		w.must(w.later(time.Second))
	}
	if run := w.run(id); run.Round != 1 || run.Outcome != provision.Rejected || used() != 0 {
		t.Fatalf("round %d, %d uses of its claim:\n%s", run.Round, used(), log(run))
	}
	other := r
	other.Client = "of-another-session"
	w.asks(other)
	if run := w.run(id); run.Round != 2 || used() != 1 {
		t.Errorf("in a new session: round %d, %d uses", run.Round, used())
	}
	_, err = w.admin.DecideRun(w.ctx, id, api.Decide{Trigger: provision.Declined, Reason: "still"})
	w.must(err)
	w.must(w.later(5 * time.Second))
	w.asks(other)
	if run := w.run(id); run.Round != 3 {
		t.Errorf("later, in the same session: round %d", run.Round)
	}
}

// Who resets a run wants its device to come anew: it may at once, in the session that was waiting, too.
func TestADeviceWhoseRunWasResetMayComeAtOnce(t *testing.T) {
	w, r, id := asking(t)
	for round := int64(2); round < 4; round++ {
		_, err := w.admin.ResetRun(w.ctx, id, "try anew, please")
		w.must(err)
		if run := w.run(id); run.Outcome != provision.Rejected || run.Reason != "reset: try anew, please" {
			t.Fatalf("it is %q: %q", run.Outcome, run.Reason)
		}
		w.asks(r)
		if run := w.run(id); run.Round != round {
			t.Errorf("round %d, want %d", run.Round, round)
		}
	}
	_, err := w.admin.DecideRun(w.ctx, id, api.Decide{Trigger: provision.Declined, Reason: "that one was stolen"})
	w.must(err)
	if a := w.ask(r); a.Status != "rejected" || !strings.Contains(a.Reason, "stolen") {
		t.Errorf("declined afterwards, it is told %+v", a)
	}
}

func TestOfTwoDecisionsOneCounts(t *testing.T) {
	w, r, _ := asking(t)
	for i := range 5 {
		id := w.asks(w.request(r.Claim, fmt.Sprintf("C-%d", i), func(r *api.ProvisionRequest) { r.Type = "boat" }))
		var wg sync.WaitGroup
		var mu sync.Mutex
		won, late := 0, 0
		for n := range 4 {
			in := api.Decide{Trigger: provision.Approved, Reason: fmt.Sprint("by ", n)}
			if n%2 == 1 {
				in.Trigger = provision.Declined
			}
			wg.Go(func() {
				_, err := w.admin.DecideRun(w.ctx, id, in)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case errors.Is(err, api.ErrConflict):
					late++
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won != 1 || late != 3 {
			t.Errorf("%d counted, %d came too late", won, late)
		}
	}
}

// Where a group is named its members decide, whoever's the device is.
func TestAGroupThatIsAskedDecides(t *testing.T) {
	w := start(t)
	_, err := w.admin.PutModel(w.ctx, provision.Model{ID: "guarded", Start: "claim", States: []provision.State{
		{Name: "claim", Do: provision.CheckClaim, Then: "ask", Retries: 3},
		{Name: "ask", Title: "Security looks", Do: provision.Ask, With: map[string]string{"question": "Is {serial} known to security?", "by": "group:security"},
			On: []provision.Transition{{When: provision.Approved, Then: "in"}}, Limit: twin.Duration(time.Hour)},
		{Name: "in", Do: provision.CheckIdentity, Then: "make"},
		{Name: "make", Do: provision.CreateTwin, Then: "sign"},
		{Name: "sign", Do: provision.IssueCredential, Then: "place"},
		{Name: "place", Do: provision.RegisterGateway, Then: "hand"},
		{Name: "hand", Do: provision.Deliver, Await: provision.DeviceConfirm, Then: "live", Limit: twin.Duration(time.Hour)},
		{Name: "live", Do: provision.Activate, End: provision.Completed}}})
	w.must(err)
	w.newType("boat", twin.Model{Provisioning: "guarded"})
	w.identity("B-1")
	w.identity("B-2")
	sam := w.User("sam", []access.Role{access.Owner}, "security")
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	con := w.User("con", []access.Role{access.Configurator}, "press")
	claim := w.claim(api.NewClaim{Type: "boat", MaxUses: 10})
	id := w.asks(w.request(claim, "B-1", func(r *api.ProvisionRequest) { r.Type = "boat" }))
	yes := api.Decide{Trigger: provision.Approved, Reason: "seen"}
	if _, err := ada.DecideRun(w.ctx, id, yes); !errors.Is(err, access.ErrDenied) {
		t.Errorf("the owner: %v", err)
	}
	if page, err := sam.ListRuns(w.ctx, api.RunQuery{Awaits: "people"}); err != nil || len(page.Items) != 1 {
		t.Errorf("who is asked sees %d runs: %v", len(page.Items), err)
	}
	if page, err := sam.ListRuns(w.ctx, api.RunQuery{}); err != nil || len(page.Items) != 0 {
		t.Errorf("who is asked sees %d runs otherwise: %v", len(page.Items), err)
	}
	if r, err := sam.DecideRun(w.ctx, id, yes); err != nil || r.State != "hand" {
		t.Errorf("who is asked: %v", err)
	}
	if _, err := sam.GetRun(w.ctx, id); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("who was asked sees it still: %v", err)
	}
	id = w.asks(w.request(claim, "B-2", func(r *api.ProvisionRequest) { r.Type = "boat" }))
	if _, err := con.DecideRun(w.ctx, id, yes); err != nil {
		t.Errorf("who brings devices in for the group: %v", err)
	}
}

// People are told when they are asked and reminded as often as the model says, once each time; what nobody decides about expires.
func TestPeopleAreToldAndRemindedAndTheRunExpires(t *testing.T) {
	w := start(t)
	w.newType("boat", twin.Model{Provisioning: "semi-automatic"})
	w.Add("alerts", alerts.New)
	var mu sync.Mutex
	var told []api.Notice
	hook := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var n api.Notice
		if json.Unmarshal(body, &n) == nil {
			mu.Lock()
			told = append(told, n)
			mu.Unlock()
		}
	}))
	t.Cleanup(hook.Close)
	_, err := w.admin.CreateRoute(w.ctx, api.Route{Owner: "press", Webhook: hook.URL})
	w.must(err)
	r := w.request(w.claim(api.NewClaim{Type: "boat"}), "B-1", func(r *api.ProvisionRequest) { r.Type = "boat" })
	id := w.asks(r)
	w.ask(r) // the device asks again
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(told) }
	for i, want := range []int{1, 2, 2, 3} { // at 12 h, 24 h, 36 h, 48 h
		w.must(w.later(12*time.Hour + time.Second))
		w.admin = w.Admin()
		for range 2 { // a tick that fires twice
			w.must(w.Tick("twin-provision", w.Now()))
			w.must(w.Tick("alerts", w.Now()))
		}
		if n := count(); n != want {
			t.Fatalf("tick %d: people were told %d times, want %d\n%s", i, n, want, log(w.run(id)))
		}
	}
	if n := told[0].Notification; n == nil || n.Owner != "press" || !strings.Contains(n.Text, "B-1") || n.Link != "/runs/"+id || !strings.HasPrefix(n.Title, "A device asks you") {
		t.Errorf("they were told %+v", n)
	}
	w.must(w.later(25 * time.Hour))
	w.admin = w.Admin()
	w.must(w.Tick("twin-provision", w.Now()))
	if run := w.run(id); run.Outcome != provision.Rejected || run.Asks != nil {
		t.Fatalf("after three days:\n%s", log(run))
	}
	if sent := w.sent(r.Client); sent.Status != "rejected" {
		t.Errorf("it was sent %+v", sent)
	}
	w.nothingLeft("b-1", r.Claim)
}

// The whole platform dies at every write of a decision and what follows: it counts once.
func TestACrashAtEveryWriteOfADecision(t *testing.T) {
	for _, how := range ways {
		t.Run(fmt.Sprintf("way %d", how), func(t *testing.T) {
			t.Parallel()
			w, first, _ := asking(t)
			for n, through := 0, false; !through; n++ {
				if n > 500 {
					t.Fatal("it never gets through without a crash")
				}
				w.renew(n)
				r := w.request(first.Claim, fmt.Sprintf("D-%03d", n), func(r *api.ProvisionRequest) { r.Type = "boat" })
				id := w.asks(r)
				c := w.Crash(n, how)
				for name, build := range all {
					c.Run(w.World, name, build)
				}
				in := api.Decide{Trigger: provision.Approved, Reason: "ordered", State: "approval"}
				_, err := w.admin.DecideRun(w.ctx, id, in)
				c.Over()
				through = !c.Came()
				if through && err != nil {
					t.Fatalf("nothing crashed, yet: %v", err)
				}
				if _, err := w.admin.DecideRun(w.ctx, id, in); err != nil {
					t.Fatalf("crash %d: decided again: %v", n, err)
				}
				d := &crashed{w: w, r: r}
				for i := 0; w.run(id).Outcome == ""; i++ {
					if i > 20 {
						t.Fatalf("crash %d: it does not get there:\n%s", n, log(w.run(id)))
					}
					_ = d.drive()
					w.must(w.later(16 * time.Second))
					w.sweep()
				}
				run, approvals := w.run(id), 0
				for _, s := range run.Steps {
					if s.Action == provision.Action(provision.Approved) {
						approvals++
					}
				}
				if run.Outcome != provision.Completed || approvals != 1 {
					t.Fatalf("crash %d: approved %d times:\n%s", n, approvals, log(run))
				}
			}
		})
	}
}

func TestTheBoardCountsOpenRuns(t *testing.T) {
	w, r, _ := asking(t)
	w.asks(w.request(r.Claim, "B-2", func(r *api.ProvisionRequest) { r.Type = "boat" }))
	w.identity("P-1")
	w.ask(w.request(w.claim(api.NewClaim{}), "P-1"))
	b, err := w.admin.RunBoard(w.ctx)
	w.must(err)
	got := map[string]string{}
	for _, s := range b.Items {
		got[s.Model+" "+s.State] = fmt.Sprintf("%s: %d, %d", s.Title, s.Count, s.WaitingForPeople)
	}
	if len(got) != 2 || got["semi-automatic approval"] != "Waits for approval: 2, 2" || !strings.HasSuffix(got["automatic gateway"], ": 1, 0") {
		t.Errorf("the board: %v", got)
	}
	if b, err := w.User("eve", []access.Role{access.Owner}, "foundry").RunBoard(w.ctx); err != nil || len(b.Items) != 0 {
		t.Errorf("another group's: %+v, %v", b.Items, err)
	}
	if b, err := w.User("vic", []access.Role{access.Viewer}, "press").RunBoard(w.ctx); err != nil || len(b.Items) != 2 {
		t.Errorf("the group's: %+v, %v", b.Items, err)
	}
}
