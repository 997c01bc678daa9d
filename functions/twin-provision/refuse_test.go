package twinprovision_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// nothingLeft fails the test if a rejected device left anything behind.
func (w *world) nothingLeft(id twin.ID, claim string) {
	w.t.Helper()
	if _, err := w.admin.GetTwin(w.ctx, id); !errors.Is(err, api.ErrNotFound) {
		w.t.Errorf("its twin is left: %v", err)
	}
	if c, err := w.admin.GetClaim(w.ctx, claim); err != nil || c.Used != 0 {
		w.t.Errorf("the claim counts %d uses (%v)", c.Used, err)
	}
	page, err := w.admin.ListGateways(w.ctx, "operational")
	w.must(err)
	if n := page.Items[0].Devices; n != 0 {
		w.t.Errorf("the gateway counts %d devices", n)
	}
}

func TestDevicesThatAreRejected(t *testing.T) {
	w := start(t)
	w.newType("boat", twin.Model{})
	for _, i := range []device.Identity{{Serial: "P-1"}, {Serial: "P-2", MAC: "02:42:ac:11:00:02", Model: "XL"}, {Serial: "B-1", Type: "boat"}} {
		_, err := w.admin.CreateIdentity(w.ctx, i)
		w.must(err)
	}
	claim := w.claim(api.NewClaim{Serials: "[PB]-*", MaxUses: 100})
	boats := w.claim(api.NewClaim{Type: "boat", MaxUses: 100})
	old := w.claim(api.NewClaim{Expires: twin.Duration(time.Minute), MaxUses: 100})
	revoked := w.claim(api.NewClaim{MaxUses: 100})
	w.must(w.admin.RevokeClaim(w.ctx, revoked))
	w.SetTime(w.Now().Add(2 * time.Minute))
	w.beat()
	set := func(change func(*api.ProvisionRequest)) func(*api.ProvisionRequest) { return change }
	for name, tt := range map[string]struct {
		claim, serial string
		change        func(*api.ProvisionRequest)
		word          string
		run           bool // it has a run, whose log tells; else it is among the rejections
	}{
		"a serial that nobody knows":     {claim, "P-9", nil, "not known", true},
		"another MAC":                    {claim, "P-2", set(func(r *api.ProvisionRequest) { r.MAC, r.Model = "02:42:ac:11:00:03", "XL" }), "mac", true},
		"no MAC where one is registered": {claim, "P-2", set(func(r *api.ProvisionRequest) { r.Model = "XL" }), "mac", true},
		"another model":                  {claim, "P-2", set(func(r *api.ProvisionRequest) { r.MAC, r.Model = "0242.ac11.0002", "XS" }), "model", true},
		"the wrong type of an identity":  {claim, "B-1", nil, "type", true},
		"a claim of another type":        {boats, "P-1", nil, "boat", false},
		"a serial outside the claim":     {claim, "Q-1", nil, "serials", false},
		"an expired claim":               {old, "P-1", nil, "expired", false},
		"a revoked claim":                {revoked, "P-1", nil, "revoked", false},
		"a claim that nobody made":       {"claim-0", "P-1", nil, "claim-0", false},
		"a type that is not there":       {claim, "P-1", set(func(r *api.ProvisionRequest) { r.Type = "car" }), "car", false},
		"a serial that cannot be":        {claim, "../P-1", set(func(r *api.ProvisionRequest) { r.Client = "x" }), "serial", false},
		"no CSR":                         {claim, "P-1", set(func(r *api.ProvisionRequest) { r.CSR = "" }), "csr", false},
		"a huge CSR":                     {claim, "P-1", set(func(r *api.ProvisionRequest) { r.CSR += strings.Repeat(" ", pki.MaxCSR) }), "csr", false},
		"a flood of facts":               {claim, "P-1", set(func(r *api.ProvisionRequest) { r.Facts = map[string]string{"x": strings.Repeat("y", 300)} }), "facts", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.request(tt.claim, tt.serial, func(r *api.ProvisionRequest) { r.Client = "c" })
			if tt.change != nil {
				tt.change(&r)
			}
			a := w.ask(r)
			if a.Status != "rejected" || !strings.Contains(a.Reason, tt.word) || a.Bundle != nil || (a.Run != "") != tt.run {
				t.Fatalf("it is told %+v, want a rejection that says %q", a, tt.word)
			}
			if tt.run {
				run := w.run(a.Run)
				if last := run.Steps[len(run.Steps)-1]; run.Outcome != provision.Rejected || !strings.Contains(last.Reason, tt.word) {
					t.Errorf("its run does not say why:\n%s", log(run))
				}
			} else {
				page, err := w.admin.ListRejections(w.ctx, "")
				w.must(err)
				found := false
				for _, x := range page.Items {
					found = found || x.Reason == a.Reason && x.Request.Serial == r.Serial && x.Request.CSR == ""
				}
				if !found {
					t.Errorf("it is not among the rejections: %+v", page.Items)
				}
			}
			for _, c := range []string{claim, boats} {
				w.nothingLeft(twin.ID(strings.ToLower(strings.ReplaceAll(tt.serial, "/", "-"))), c)
			}
		})
	}
	// Nothing of all that stands in the way of the real device.
	w.provision(w.request(claim, "P-1"))
}

// Whoever asks for a serial that another key is being provisioned with is told so; it is logged, and changes nothing.
func TestAReusedSerialIsRefused(t *testing.T) {
	w := start(t)
	w.identity("P-1")
	claim := w.claim(api.NewClaim{MaxUses: 5})
	other := w.claim(api.NewClaim{MaxUses: 5})
	mine := w.request(claim, "P-1")
	first := w.ask(mine)
	before := w.run(first.Run)
	thief := w.request(other, "P-1", func(r *api.ProvisionRequest) { r.Client = "thief" })
	for range 30 {
		if a := w.ask(thief); a.Status != "rejected" || !strings.Contains(a.Reason, "another key") || a.Run != "" || a.Bundle != nil {
			t.Fatalf("the thief is told %+v", a)
		}
	}
	sameKey := mine
	sameKey.Claim = other
	if a := w.ask(sameKey); a.Status != "rejected" || !strings.Contains(a.Reason, "another claim") {
		t.Errorf("the same key with another claim is told %+v", a)
	}
	after := w.run(first.Run)
	ignored := 0
	for _, s := range after.Steps {
		if s.Outcome == "ignored" {
			ignored++
		}
	}
	if ignored != 20 {
		t.Errorf("%d attempts are logged, want 20 and no more:\n%s", ignored, log(after))
	}
	after.Steps, before.Steps = nil, nil
	if after.State != before.State || after.Attempt != before.Attempt || after.Request.Client != before.Request.Client || !after.Updated.Equal(before.Updated) {
		t.Errorf("the run has changed from\n%+v to\n%+v", before, after)
	}
	if c, err := w.admin.GetClaim(w.ctx, other); err != nil || c.Used != 0 {
		t.Errorf("the other claim counts %d uses, %v", c.Used, err)
	}
	w.must(w.apply(after.Results.DeviceRef))
	a := w.ask(mine)
	if a.Bundle == nil {
		t.Fatalf("the device is told %+v", a)
	}
	w.must(w.op.ConfirmProvisioning(w.ctx, api.Confirmation{Gateway: "op", Ref: a.Bundle.Ref}))
	if a := w.ask(thief); a.Status != "rejected" || !strings.Contains(a.Reason, "already") {
		t.Errorf("when all is done, the thief is told %+v", a)
	}
}

// A gateway that never answers: after the retries the run ends, and everything is taken back; then the device may ask anew.
func TestARunThatIsTooLateIsWithdrawn(t *testing.T) {
	w := start(t)
	w.identity("P-1")
	claim := w.claim(api.NewClaim{})
	r := w.request(claim, "P-1")
	a := w.ask(r)
	ref := device.Ref(w.run(a.Run).Results.DeviceRef)
	for i := 0; w.run(a.Run).Outcome == ""; i++ {
		if i > 50 {
			t.Fatalf("it never ends:\n%s", log(w.run(a.Run)))
		}
		w.must(w.later(35 * time.Second))
	}
	run := w.run(a.Run)
	if run.Outcome != provision.Rejected || !strings.Contains(run.Reason, "the gateway did not let the device in within 30s") {
		t.Fatalf("it ended as %s, because %q:\n%s", run.Outcome, run.Reason, log(run))
	}
	if got := w.sent("c-p-1"); got.Status != "rejected" || got.Reason != run.Reason {
		t.Errorf("the device is sent %+v", got)
	}
	w.nothingLeft("p-1", claim)
	if got, err := w.Part("twin-ingest", "").Resolve(w.ctx, []device.Ref{ref}); err != nil || len(got) != 0 {
		t.Errorf("its reference still resolves: %+v, %v", got, err)
	}
	w.must(w.later(10 * time.Second)) // a twin's id is free again a few seconds after the twin is gone
	again, _ := w.provision(w.request(claim, "P-1"))
	if again.ID != a.Run || again.Round != 2 || again.Results.DeviceRef == string(ref) {
		t.Errorf("the second try: run %s, round %d, reference %s", again.ID, again.Round, again.Results.DeviceRef)
	}
}

// Re-enrolment is by reset alone: then the old certificate is nobody's, and another key may come in. The twin stays.
func TestResetAndEnrolAnew(t *testing.T) {
	w := start(t)
	w.identity("P-1")
	run, first := w.provision(w.request(w.claim(api.NewClaim{}), "P-1"))
	next := w.claim(api.NewClaim{})
	r := w.request(next, "P-1")
	if a := w.ask(r); a.Status != "rejected" || !strings.Contains(a.Reason, "reset") {
		t.Fatalf("a new board before the reset is told %+v", a)
	}
	viewer := w.User("vera", []access.Role{access.Viewer}, "press")
	if _, err := viewer.ResetRun(w.ctx, run.ID, ""); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a viewer resets: %v", err)
	}
	stranger := w.User("otto", []access.Role{access.Owner}, "paint")
	if _, err := stranger.ResetRun(w.ctx, run.ID, ""); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger resets: %v", err)
	}
	owner := w.User("olga", []access.Role{access.Owner}, "press")
	got, err := owner.ResetRun(w.ctx, run.ID, "new board")
	if err != nil || got.Outcome != provision.Rejected || !strings.Contains(log(got), "user:olga") {
		t.Fatalf("%v\n%s", err, log(got))
	}
	if m, err := w.Part("twin-ingest", "").Resolve(w.ctx, []device.Ref{first.Ref}); err != nil || len(m) != 0 {
		t.Errorf("the old reference resolves to %+v, %v", m, err)
	}
	if tw, err := w.admin.GetTwin(w.ctx, "p-1"); err != nil || tw.Definition.Phase != twin.Onboarding {
		t.Errorf("the twin is in phase %s, %v", tw.Definition.Phase, err)
	}
	_, second := w.provision(r)
	m, err := w.Part("twin-ingest", "").Resolve(w.ctx, []device.Ref{second.Ref})
	if err != nil || len(m) != 1 || m[0].Generation != 2 || m[0].Twin != "p-1" {
		t.Errorf("the new reference resolves to %+v, %v", m, err)
	}
}

func TestConnectorsSpeakForTheirOwnGateway(t *testing.T) {
	w := start(t)
	if _, err := w.op.RequestProvisioning(w.ctx, w.request("c", "P-1")); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a request in another gateway's name: %v", err)
	}
	if err := w.prov.ConfirmProvisioning(w.ctx, api.Confirmation{Gateway: "op", Ref: "x"}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a confirmation in another gateway's name: %v", err)
	}
	if _, err := w.admin.RequestProvisioning(w.ctx, w.request("c", "P-1")); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a person asks like a device: %v", err)
	}
	for name, change := range map[string]func(*api.ProvisionRequest){
		"client": func(r *api.ProvisionRequest) { r.Client = "a/b" },
		"claim":  func(r *api.ProvisionRequest) { r.Claim = "" },
	} {
		if _, err := w.prov.RequestProvisioning(w.ctx, w.request("c", "P-1", change)); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("a bad %s: %v", name, err)
		}
	}
}

// An identity that an owner has made counts for claims of that group only; to others its serial is as unknown as any.
func TestAnotherGroupsIdentityDoesNotCount(t *testing.T) {
	w := start(t)
	_, err := w.admin.CreateGroup(w.ctx, api.Group{ID: "paint"})
	w.must(err)
	for who, group := range map[string]string{"ada": "press", "eve": "paint"} {
		c := w.User(who, []access.Role{access.Owner}, group)
		_, err := c.CreateIdentity(w.ctx, device.Identity{Serial: "P-" + group, Type: "pump"})
		w.must(err)
	}
	claim := w.claim(api.NewClaim{MaxUses: 5})
	a, unknown := w.ask(w.request(claim, "P-paint")), w.ask(w.request(claim, "P-never"))
	if a.Status != "rejected" || strings.Replace(a.Reason, "P-paint", "P-never", 1) != unknown.Reason {
		t.Errorf("it is told %+v, one of an unknown serial %+v", a, unknown)
	}
	w.nothingLeft("p-paint", claim)
	w.provision(w.request(claim, "P-press"))
}
