package twinprovision_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/shared/twin"
)

// confirms tells a run that a step was done.
func (w *world) confirms(c *api.Client, id, state string, in api.Decide) provision.Run {
	w.t.Helper()
	in.Trigger, in.State = provision.Confirmed, state
	r, err := c.DecideRun(w.ctx, id, in)
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", state, err, log(w.run(id)))
	}
	return r
}

// byHand is a world with type hand, which installers bring in where its device does not ask itself.
func byHand(t *testing.T) *world {
	w := start(t)
	w.newType("hand", twin.Model{Choices: []twin.Choice{{If: `claim.batch == "by hand"`, Model: "manual"}}})
	return w
}

// An installer is led through it: places the device, types its serial, carries the credential to it, and its first session ends
// the run.
func TestAnInstallerBringsADeviceIn(t *testing.T) {
	w := byHand(t)
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	public, private, err := seal.NewKey()
	w.must(err)
	r, err := ada.StartRun(w.ctx, api.NewRun{Type: "hand", Owner: "press", PublicKey: public, Reason: "hall 3"})
	if err != nil || r.By != "user:ada" || r.Asks == nil || r.State != "place" {
		t.Fatalf("%+v, %v", r.Asks, err)
	}
	r = w.confirms(ada, r.ID, "place", api.Decide{})
	if r.Asks == nil || r.Asks.Input != "serial" {
		t.Fatalf("asks %+v", r.Asks)
	}
	for field, in := range map[string]api.Decide{"serial is missing": {}, "serial": {Serial: "P/../7"}, "publicKey": {Serial: "P-7", PublicKey: "x"}} {
		in.Trigger = provision.Confirmed
		if _, err := ada.DecideRun(w.ctx, r.ID, in); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := ada.RunBundle(w.ctx, r.ID); !errors.Is(err, api.ErrConflict) {
		t.Errorf("a bundle before there is one: %v", err)
	}
	r = w.confirms(ada, r.ID, "serial", api.Decide{Serial: " P-7 "})
	w.must(w.apply(w.run(r.ID).Results.DeviceRef))
	if r = w.run(r.ID); r.State != "install" || r.Request.Serial != "P-7" || r.Twin != "p-7" {
		t.Fatalf("%s of %s, %s\n%s", r.State, r.Request.Serial, r.Twin, log(r))
	}
	b, err := ada.RunBundle(w.ctx, r.ID)
	if err != nil || b.Sealed == "" || b.Certificate != "" || b.Gateway == "" {
		t.Fatalf("%+v, %v", b, err)
	}
	plain, err := seal.Open(private, api.SealInfo(b.Ref), b.Sealed)
	w.must(err)
	var secret api.Secret
	if err := json.Unmarshal(plain, &secret); err != nil || secret.Ref != b.Ref || !strings.HasPrefix(secret.Secret, string(b.Ref)+".") || secret.Kind != device.Token {
		t.Errorf("the secret: %v", err)
	}
	if again, err := ada.RunBundle(w.ctx, r.ID); err != nil || again.Sealed != b.Sealed {
		t.Errorf("another bundle: %v", err)
	}
	for who, c := range map[string]*api.Client{"viewer": w.User("vic", []access.Role{access.Viewer}, "press"), "foreign": w.User("eve", []access.Role{access.Owner}, "foundry")} {
		if _, err := c.RunBundle(w.ctx, r.ID); !errors.Is(err, access.ErrDenied) && !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%s: %v", who, err)
		}
	}
	w.confirms(ada, r.ID, "install", api.Decide{})
	w.must(w.op.ConfirmProvisioning(w.ctx, api.Confirmation{Gateway: "op", Ref: b.Ref, Twin: b.Twin}))
	r = w.run(r.ID)
	if r.Outcome != provision.Completed {
		t.Fatalf("\n%s", log(r))
	}
	if tw, err := ada.GetTwin(w.ctx, "p-7"); err != nil || tw.Definition.Phase != twin.Operational || tw.Definition.Owner != "press" {
		t.Errorf("its twin: %+v, %v", tw.Definition, err)
	}
	if _, err := ada.RunBundle(w.ctx, r.ID); !errors.Is(err, api.ErrConflict) {
		t.Errorf("the bundle of a device that is there: %v", err)
	}
	// The serial is taken: neither an installer nor the device itself begins anew.
	if _, err := ada.StartRun(w.ctx, api.NewRun{Type: "hand", Owner: "press", Serial: "P-7"}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("begun again: %v", err)
	}
	if a := w.ask(w.request(w.claim(api.NewClaim{Type: "hand"}), "P-7", func(r *api.ProvisionRequest) { r.Type = "hand" })); a.Status != "rejected" {
		t.Errorf("the device asks, and is told %+v", a)
	}
}

func TestWhoMayBeginARun(t *testing.T) {
	w := byHand(t)
	eve := w.User("eve", []access.Role{access.Owner}, "foundry")
	con := w.User("con", []access.Role{access.Configurator}, "foundry")
	if _, err := eve.StartRun(w.ctx, api.NewRun{Type: "hand", Owner: "press"}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("for another group: %v", err)
	}
	if _, err := w.User("vic", []access.Role{access.Viewer}, "press").StartRun(w.ctx, api.NewRun{Type: "hand", Owner: "press"}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a viewer: %v", err)
	}
	if _, err := con.StartRun(w.ctx, api.NewRun{Type: "hand", Owner: "press", Serial: "P-1", PublicKey: mustKey(w)}); err != nil {
		t.Errorf("who brings devices in for any group: %v", err)
	}
	for field, in := range map[string]api.NewRun{
		"type": {Type: "nothing", Owner: "press"}, "owner": {Type: "hand", Owner: "../x"}, "serial": {Type: "hand", Owner: "press", Serial: strings.Repeat("P", 10<<10)},
		"model": {Type: "hand", Owner: "press", Model: "a\u202eb"}, "publicKey": {Type: "hand", Owner: "press", PublicKey: "x"},
		"publicKey is missing": {Type: "hand", Owner: "press"},
		"kind":                 {Type: "hand", Owner: "press", Kind: "certificate"}, "protocol": {Type: "hand", Owner: "press", Protocol: "telnet"}, "mac": {Type: "hand", Owner: "press", MAC: "x"},
	} {
		if _, err := w.admin.StartRun(w.ctx, in); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	page, err := w.admin.ListRuns(w.ctx, api.RunQuery{})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("%d runs, %v", len(page.Items), err)
	}
}

// Two installers with one serial: the second hears who has it, in whatever order they come to know it.
func TestASerialIsOneRuns(t *testing.T) {
	w := byHand(t)
	begin := func(serial string) provision.Run {
		w.t.Helper()
		public, _, err := seal.NewKey()
		w.must(err)
		r, err := w.admin.StartRun(w.ctx, api.NewRun{Type: "hand", Owner: "press", Serial: serial, PublicKey: public})
		w.must(err)
		return r
	}
	a, b := begin(""), begin("")
	w.confirms(w.admin, a.ID, "place", api.Decide{})
	w.confirms(w.admin, b.ID, "place", api.Decide{})
	w.confirms(w.admin, a.ID, "serial", api.Decide{Serial: "P-7"})
	if _, err := w.admin.DecideRun(w.ctx, b.ID, api.Decide{Trigger: provision.Confirmed, Serial: "P-7"}); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), a.ID) {
		t.Errorf("typed twice: %v", err)
	}
	if _, err := w.admin.StartRun(w.ctx, api.NewRun{Type: "hand", Owner: "press", Serial: "P-7"}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("begun with it: %v", err)
	}
	begin("P-8")
	if _, err := w.admin.DecideRun(w.ctx, b.ID, api.Decide{Trigger: provision.Confirmed, Serial: "P-8"}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("that of a run begun with it: %v", err)
	}
	// Once the first is over, its serial is free.
	_, err := w.admin.ResetRun(w.ctx, a.ID, "wrong plate")
	w.must(err)
	w.confirms(w.admin, b.ID, "serial", api.Decide{Serial: "P-7"})
}
