package twinprovision_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// twoGroups is a world with owners ada of press and bob of paint, and a function that makes paint's claims of type hand.
func twoGroups(t *testing.T) (w *world, ada, bob *api.Client, paints func(serial string) api.ProvisionRequest) {
	w = byHand(t)
	_, err := w.admin.CreateGroup(w.ctx, api.Group{ID: "paint"})
	w.must(err)
	ada, bob = w.User("ada", []access.Role{access.Owner}, "press"), w.User("bob", []access.Role{access.Owner}, "paint")
	return w, ada, bob, func(serial string) api.ProvisionRequest {
		f, err := w.admin.CreateClaim(w.ctx, api.NewClaim{Type: "hand", Owner: "paint", MaxUses: 3})
		w.must(err)
		return w.request(f.Claim.ID, serial, func(r *api.ProvisionRequest) { r.Type = "hand" })
	}
}

// What a type's model demands of devices is not passed by with a run by hand, unless whoever may change the type says so.
func TestARunByHandNeedsAModelForIt(t *testing.T) {
	w := byHand(t)
	w.newType("mixed", twin.Model{Provisioning: "manual", Choices: []twin.Choice{{If: "true", Model: "semi-automatic"}}})
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	con := w.User("con", []access.Role{access.Configurator}, "press")
	_, err := w.admin.CreateGroup(w.ctx, api.Group{ID: "foundry"})
	w.must(err)
	_, err = w.admin.CreateTwin(w.ctx, api.NewTwin{ID: "theirs", Kind: twin.Type, Definition: twin.Definition{Owner: "foundry", Model: &twin.Model{}}})
	w.must(err)
	grants, err := store.Open[access.Grant](w.ctx, w.Base.DB, store.Spec{Name: "grants"})
	w.must(err)
	w.must(grants.Insert(w.ctx, access.Grant{ID: "1", Subject: "user:con", Object: "twin:theirs", Right: access.Read}))
	for name, tt := range map[string]struct {
		as   *api.Client
		in   api.NewRun
		want error
		says string
	}{
		"an automatic type":               {ada, api.NewRun{Type: "pump", PublicKey: mustKey(w)}, api.ErrConflict, "set the type's provisioning"},
		"an owner names it":               {ada, api.NewRun{Type: "pump", Provisioning: "manual"}, access.ErrDenied, "provisioning"},
		"a configurator of other types":   {con, api.NewRun{Type: "theirs", Provisioning: "manual"}, access.ErrDenied, "theirs"},
		"a configurator, nobody's type":   {con, api.NewRun{Type: "pump", Provisioning: "manual", PublicKey: mustKey(w)}, nil, ""},
		"no model for installers":         {w.admin, api.NewRun{Type: "pump", Provisioning: "automatic", PublicKey: mustKey(w)}, twin.ErrInvalid, "provisioning"},
		"no model at all":                 {w.admin, api.NewRun{Type: "pump", Provisioning: "../x", PublicKey: mustKey(w)}, twin.ErrInvalid, "provisioning"},
		"who may change the type":         {w.admin, api.NewRun{Type: "pump", Provisioning: "manual", PublicKey: mustKey(w)}, nil, ""},
		"the type names it beside":        {ada, api.NewRun{Type: "mixed", PublicKey: mustKey(w)}, nil, ""},
		"the type is brought in that way": {ada, api.NewRun{Type: "hand", PublicKey: mustKey(w)}, nil, ""},
	} {
		tt.in.Owner = "press"
		r, err := tt.as.StartRun(w.ctx, tt.in)
		if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.says) || err == nil && r.Model.ID != "manual" {
			t.Errorf("%s: by %s, %v", name, r.Model.ID, err)
		}
	}
}

// A group that is only asked decides, and says nothing else: the secret is not sealed to its key.
func TestWhoIsOnlyAskedSwapsNothing(t *testing.T) {
	w, ada, bob, _ := twoGroups(t)
	_, err := w.admin.PutModel(w.ctx, provision.Model{ID: "guarded", Start: "place", States: []provision.State{
		{Name: "place", Do: provision.Instruct, With: map[string]string{"text": "Place it", "by": "group:paint"}, Await: provision.Confirmed, Then: "in", Limit: twin.Duration(time.Hour)},
		{Name: "in", Do: provision.RegisterIdentity, Then: "may"},
		{Name: "may", Do: provision.CheckClaim, Then: "who"},
		{Name: "who", Do: provision.CheckIdentity, Then: "make"},
		{Name: "make", Do: provision.CreateTwin, Then: "sign"},
		{Name: "sign", Do: provision.IssueCredential, Then: "hand"},
		{Name: "hand", Do: provision.RegisterGateway, Then: "give"},
		{Name: "give", Do: provision.Deliver, Await: provision.DeviceSeen, Then: "live", Limit: twin.Duration(time.Hour)},
		{Name: "live", Do: provision.Activate, End: provision.Completed}}})
	w.must(err)
	w.newType("boat", twin.Model{Provisioning: "guarded"})
	hers, _, err := seal.NewKey()
	w.must(err)
	other, _, err := seal.NewKey()
	w.must(err)
	r, err := ada.StartRun(w.ctx, api.NewRun{Type: "boat", Owner: "press", Serial: "B-1", MAC: "02:00:00:00:00:01", PublicKey: hers})
	w.must(err)
	for field, in := range map[string]api.Decide{"publicKey": {PublicKey: other}, "serial": {Serial: "B-2"}, "mac": {MAC: "02:00:00:00:00:02"}} {
		in.Trigger = provision.Confirmed
		if _, err := bob.DecideRun(w.ctx, r.ID, in); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := bob.DecideRun(w.ctx, r.ID, api.Decide{Trigger: provision.Confirmed}); err != nil {
		t.Errorf("who is asked: %v", err)
	}
	if r = w.run(r.ID); r.Request.PublicKey != hers || r.Request.Serial != "B-1" || r.State != "give" {
		t.Errorf("it is %+v\n%s", r.Request, log(r))
	}
}

// What is refused takes no serial; strangers do not learn whose run has it; and a device that has come itself goes before a run that
// another group leaves standing.
func TestNobodySquatsASerial(t *testing.T) {
	w, ada, bob, paints := twoGroups(t)
	begin := func(c *api.Client, group, serial string) (provision.Run, error) {
		return c.StartRun(w.ctx, api.NewRun{Type: "hand", Owner: group, Serial: serial, PublicKey: mustKey(w)})
	}
	open, err := begin(ada, "press", "")
	w.must(err)
	if _, err := ada.DecideRun(w.ctx, open.ID, api.Decide{Trigger: provision.Confirmed, State: "place", Serial: "P-1"}); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("a serial where none is asked for: %v", err)
	}
	_, err = begin(bob, "paint", "P-1")
	w.must(err)
	w.confirms(ada, open.ID, "place", api.Decide{})
	squat, err := begin(ada, "press", "P-2")
	w.must(err)
	for who, tt := range map[string]struct {
		c      *api.Client
		group  string
		serial string
		tells  bool
	}{"a stranger": {bob, "paint", "P-2", false}, "its own group": {ada, "press", "P-2", true}} {
		if _, err := tt.c.StartRun(w.ctx, api.NewRun{Type: "hand", Owner: tt.group, Serial: tt.serial, Reason: "x", MAC: "02:00:00:00:00:02", PublicKey: mustKey(w)}); !errors.Is(err, api.ErrConflict) || strings.Contains(err.Error(), squat.ID) != tt.tells {
			t.Errorf("%s is told %v", who, err)
		}
	}
	_, err = ada.DecideRun(w.ctx, open.ID, api.Decide{Trigger: provision.Confirmed, Serial: "P-1"})
	if !errors.Is(err, api.ErrConflict) || strings.Contains(err.Error(), "run-") {
		t.Errorf("typed, that of another group: %v", err)
	}
	if a := w.ask(paints("P-2")); a.Status != "rejected" || w.run(squat.ID).Outcome != "" {
		t.Errorf("a device that nobody has made known: %+v", a)
	}
	_, err = bob.CreateIdentity(w.ctx, device.Identity{Serial: "P-2", Type: "hand"})
	w.must(err)
	w.ask(paints("P-2"))
	if r := w.run(squat.ID); r.By != "device" || r.Owner != "paint" {
		t.Errorf("the device that has come itself is kept out by %s of %s\n%s", r.By, r.Owner, log(r))
	}
}

func mustKey(w *world) string {
	public, _, err := seal.NewKey()
	w.must(err)
	return public
}

// A round of another group knows nothing of those before, and a group's device does not become another's by a request.
func TestARoundOfAnotherGroupBeginsAnew(t *testing.T) {
	w, ada, bob, paints := twoGroups(t)
	first, err := ada.StartRun(w.ctx, api.NewRun{Type: "hand", Owner: "press", Serial: "P-1", Reason: "secret of press", PublicKey: mustKey(w)})
	w.must(err)
	_, err = ada.ResetRun(w.ctx, first.ID, "secret of press")
	w.must(err)
	w.ask(paints("P-1"))
	r, err := bob.GetRun(w.ctx, first.ID)
	if err != nil || strings.Contains(log(r)+r.Reason, "secret of press") {
		t.Errorf("paint reads: %v\n%s", err, log(r))
	}
	w.identity("P-2")
	mine, _ := w.provision(w.request(w.claim(api.NewClaim{}), "P-2"))
	_, err = w.admin.ResetRun(w.ctx, mine.ID, "")
	w.must(err)
	foreign := paints("P-2")
	f, err := w.admin.CreateClaim(w.ctx, api.NewClaim{Type: "pump", Owner: "paint"})
	w.must(err)
	foreign.Type, foreign.Claim = "pump", f.Claim.ID
	if a := w.ask(foreign); a.Status != "rejected" {
		t.Errorf("paint's request for press's device: %+v", a)
	}
	if got := w.run(mine.ID); got.Owner != "press" || len(got.Steps) < len(mine.Steps) {
		t.Errorf("the run is of %s:\n%s", got.Owner, log(got))
	}
	if _, err := bob.GetRun(w.ctx, mine.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("paint sees it: %v", err)
	}
}

// A device that is replaced while it comes in leaves its twin to the new one.
func TestAReplacementOnTheWayKeepsTheTwin(t *testing.T) {
	w := start(t)
	w.identity("P-1")
	a := w.ask(w.request(w.claim(api.NewClaim{}), "P-1"))
	if r := w.run(a.Run); !r.Results.TwinMade || r.Outcome != "" {
		t.Fatalf("\n%s", log(r))
	}
	if _, err := w.admin.ReplaceDevice(w.ctx, api.Replacement{Twin: "p-1", Serial: "P-2", Reason: "dead on arrival"}); err != nil {
		t.Fatal(err)
	}
	if tw, err := w.admin.GetTwin(w.ctx, "p-1"); err != nil || tw.Definition.Phase != twin.Onboarding {
		t.Errorf("the twin: %+v, %v", tw.Definition, err)
	}
	if r := w.run(a.Run); r.Outcome != provision.Rejected {
		t.Errorf("the old device's run:\n%s", log(r))
	}
	other, err := w.admin.StartRun(w.ctx, api.NewRun{Type: "pump", Provisioning: "manual", Owner: "press", Serial: "P-3", PublicKey: mustKey(w)})
	w.must(err)
	if _, err := w.admin.ReplaceDevice(w.ctx, api.Replacement{Twin: "p-1", Serial: "P-3", Reason: "x"}); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), other.ID) {
		t.Errorf("by a device that a run brings in: %v", err)
	}
}

// A run that was going to make a twin deletes none that people made before it did.
func TestATwinThatPeopleMadeInBetweenStays(t *testing.T) {
	w := byHand(t)
	r, err := w.admin.StartRun(w.ctx, api.NewRun{Type: "hand", Owner: "press", Serial: "P-1", PublicKey: mustKey(w)})
	w.must(err)
	runs, err := store.Open[provision.Run](w.ctx, w.Base.DB, store.Spec{Name: "runs", Schema: 1})
	w.must(err)
	_, err = runs.Update(w.ctx, r.ID, func(r *provision.Run) error { r.Twin, r.Results.TwinMade = "p-1", true; return nil })
	w.must(err)
	_, err = w.admin.CreateTwin(w.ctx, api.NewTwin{ID: "p-1", Kind: twin.Instance, Definition: twin.Definition{Type: "hand", Owner: "press"}})
	w.must(err)
	_, err = w.admin.ResetRun(w.ctx, r.ID, "")
	w.must(err)
	if _, err := w.admin.GetTwin(w.ctx, "p-1"); err != nil {
		t.Errorf("the twin that people made: %v", err)
	}
}

// A serial that no run has any more is forgotten.
func TestTakenSerialsAreSwept(t *testing.T) {
	w, ada, _, _ := twoGroups(t)
	type held struct {
		ID  string `bson:"_id"`
		Run string `bson:"run"`
	}
	serials, err := store.Open[held](w.ctx, w.Base.DB, store.Spec{Name: "run-serials", Schema: 1})
	w.must(err)
	count := func() int {
		page, err := serials.Find(w.ctx, store.Query{Limit: 10})
		w.must(err)
		return len(page.Items)
	}
	for _, serial := range []string{"P-1", "P-2"} {
		r, err := ada.StartRun(w.ctx, api.NewRun{Type: "hand", Owner: "press", PublicKey: mustKey(w)})
		w.must(err)
		w.confirms(ada, r.ID, "place", api.Decide{})
		w.confirms(ada, r.ID, "serial", api.Decide{Serial: serial})
		if serial == "P-2" {
			_, err = ada.ResetRun(w.ctx, r.ID, "")
			w.must(err)
		}
	}
	before := count()
	w.sweep()
	if n := count(); before != 2 || n != 1 {
		t.Errorf("%d serials were taken, %d are after the sweep", before, n)
	}
}
