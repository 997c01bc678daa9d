package twinprovision_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// another is a model in another order than the automatic one: the identity before the claim, the configuration before the
// gateway, and the twin operational before the credential is erased.
const another = `
id: another
note: as the boats need it
start: who
states:
  - {name: who, do: check-identity, then: may}
  - {name: may, do: check-claim, then: make}
  - {name: make, do: create-twin, then: fill}
  - {name: fill, do: render-configuration, then: sign}
  - {name: sign, do: issue-credential, then: place}
  - {name: place, do: register-gateway, await: gateway-ready, limit: 1m, then: hand}
  - {name: hand, do: deliver, then: live}
  - {name: live, do: activate, then: pause}
  - {name: pause, await: device-confirm, limit: 5m, then: closed}
  - {name: closed, do: close-claim, then: wipe}
  - {name: wipe, do: erase-credential, end: completed}
`

func (w *world) putYAML(c *api.Client, id, body string) error {
	return c.Call(w.ctx, "PUT", "twin-provision", "/models/"+id, api.Raw{ContentType: "application/yaml", Body: []byte(body)}, nil)
}

func TestAModelOfAnotherOrder(t *testing.T) {
	w := start(t)
	w.must(w.putYAML(w.admin, "another", another))
	w.newType("boat", twin.Model{Provisioning: "another"})
	w.identity("B-1")
	boat := func(r *api.ProvisionRequest) { r.Type = "boat" }
	run, _ := w.provision(w.request(w.claim(api.NewClaim{Type: "boat"}), "B-1", boat))
	var did []string
	for _, s := range run.Steps {
		if s.Action != "" && s.Outcome != "ended" {
			did = append(did, string(s.Action))
		}
	}
	want := "check-identity check-claim create-twin render-configuration issue-credential register-gateway gateway-ready deliver activate device-confirm close-claim erase-credential"
	if got := strings.Join(did, " "); got != want {
		t.Errorf("it did\n%s, want\n%s", got, want)
	}
	if tw, err := w.admin.GetTwin(w.ctx, "b-1"); err != nil || tw.Definition.Phase != twin.Operational {
		t.Errorf("the twin: %+v, %v", tw.Definition, err)
	}
}

// A model in an order that cannot be is refused, and told what is missing where.
func TestAModelInAnImpossibleOrder(t *testing.T) {
	w := start(t)
	for first, word := range map[provision.Action]string{provision.CreateTwin: "put check-identity before it", provision.IssueCredential: "put create-twin before it",
		provision.RegisterGateway: "put issue-credential before it", provision.Deliver: "put register-gateway before it", provision.Activate: "put create-twin before it"} {
		err := w.putYAML(w.admin, "wrong", "id: wrong\nstart: a\nstates:\n  - name: a\n    do: "+string(first)+"\n    then: b\n  - {name: b, do: activate, end: completed}\n")
		var p *api.Problem
		if !errors.As(err, &p) || !slices.ContainsFunc(p.Faults, func(f provision.Fault) bool { return f.Line == 5 && strings.Contains(f.Text, word) }) {
			t.Errorf("a model that begins with %s: %v", first, err)
		}
	}
	if _, err := w.admin.GetModel(w.ctx, "wrong"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("one of them is kept: %v", err)
	}
}

func TestModelsThatAreRefused(t *testing.T) {
	w := start(t)
	if _, err := w.admin.GetModel(w.ctx, "automatic"); err != nil {
		t.Fatalf("the built-in model: %v", err)
	}
	conf := w.User("cora", []access.Role{access.Configurator}, "paint")
	owner := w.User("olga", []access.Role{access.Owner}, "press")
	for name, tt := range map[string]struct {
		as   *api.Client
		id   string
		body string
		want error
		word string
	}{
		"an owner's":                  {owner, "another", another, access.ErrDenied, ""},
		"of another id than its path": {conf, "other", another, twin.ErrInvalid, "id"},
		"an id that is none":          {conf, "%2e%2e", strings.Replace(another, "id: another", "id: ..", 1), twin.ErrInvalid, "id"},
		"of a type of nobody":         {conf, "another", "type: pump\n" + another, access.ErrDenied, "pump"},
		"an unknown action":           {conf, "another", strings.Replace(another, "do: deliver", "do: dance", 1), twin.ErrInvalid, "dance"},
		"an unknown field":            {conf, "another", another + "extra: 1\n", twin.ErrInvalid, "extra"},
		"two documents":               {conf, "another", another + "---\n{}\n", twin.ErrInvalid, "behind"},
		"not YAML":                    {conf, "another", "{", twin.ErrInvalid, "YAML"},
		"a limit that is none":        {conf, "another", strings.Replace(another, "limit: 1m", "limit: soon", 1), twin.ErrInvalid, "soon"},
		"multiplying aliases":         {conf, "another", "id: another\nnote: &a [x,x,x]\nstates: [*a,*a]\n", twin.ErrInvalid, ""},
		"empty":                       {conf, "another", "", twin.ErrInvalid, ""},
		"huge":                        {conf, "another", another + "# " + strings.Repeat("x", 2<<20), api.ErrTooLarge, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := w.putYAML(tt.as, tt.id, tt.body)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.word) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.word)
			}
		})
	}
	w.must(w.putYAML(conf, "another", another))
}

// Runs are seen by those who see the twin, and by nobody else: not in lists, not by name, not by twin.
func TestWhoSeesARun(t *testing.T) {
	w := start(t)
	w.identity("P-1")
	w.identity("P-2")
	claim := w.claim(api.NewClaim{MaxUses: 5})
	run, _ := w.provision(w.request(claim, "P-1"))
	w.SetTime(w.Now().Add(time.Second))
	w.provision(w.request(claim, "P-2"))
	mine := w.User("olga", []access.Role{access.Owner}, "press")
	viewer := w.User("vera", []access.Role{access.Viewer}, "press")
	stranger := w.User("otto", []access.Role{access.Owner, access.Configurator}, "paint")
	for name, c := range map[string]*api.Client{"the maintainer": w.admin, "the owner": mine, "a viewer of the group": viewer} {
		page, err := c.ListRuns(w.ctx, api.RunQuery{})
		if err != nil || len(page.Items) != 2 || page.Items[0].Request.Serial != "P-2" || page.Items[0].Request.CSR != "" {
			t.Errorf("%s sees %d runs, %v", name, len(page.Items), err)
		}
		if r, err := c.GetRun(w.ctx, run.ID); err != nil || len(r.Steps) == 0 {
			t.Errorf("%s: %v", name, err)
		}
		if page, err := c.ListRuns(w.ctx, api.RunQuery{Twin: "p-1"}); err != nil || len(page.Items) != 1 {
			t.Errorf("%s sees %d runs of the twin, %v", name, len(page.Items), err)
		}
	}
	if page, err := stranger.ListRuns(w.ctx, api.RunQuery{}); err != nil || len(page.Items) != 0 || page.Next != "" {
		t.Errorf("a stranger sees %+v, %v", page, err)
	}
	_, err := stranger.GetRun(w.ctx, run.ID)
	_, none := stranger.GetRun(w.ctx, "run-0")
	if !errors.Is(err, api.ErrNotFound) || strings.ReplaceAll(none.Error(), "run-0", run.ID) != err.Error() {
		t.Errorf("a stranger is told %v of a run, and %v of none", err, none)
	}
	if _, err := stranger.ListRuns(w.ctx, api.RunQuery{Twin: "p-1"}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger asks for the twin's runs: %v", err)
	}
	if _, err := mine.ListRejections(w.ctx, ""); !errors.Is(err, access.ErrDenied) {
		t.Errorf("an owner lists rejections: %v", err)
	}
	for _, cursor := range []string{"x", "9.", "-1.", "0.zzz", "0." + strings.Repeat("A", 5000), "\x00"} {
		if _, err := mine.ListRuns(w.ctx, api.RunQuery{Cursor: cursor}); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("cursor %.20q: %v", cursor, err)
		}
	}
	var all []string
	for cursor := ""; ; {
		var page api.Page[provision.Run]
		w.must(mine.Call(w.ctx, "GET", "twin-provision", "/runs?limit=1&cursor="+cursor, nil, &page))
		for _, r := range page.Items {
			all = append(all, r.Request.Serial)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if strings.Join(all, " ") != "P-2 P-1" {
		t.Errorf("page by page: %v", all)
	}
}

// A twin that is given to another group takes its run with it.
func TestAGivenTwinTakesItsRunAlong(t *testing.T) {
	w := start(t)
	w.identity("P-1")
	run, _ := w.provision(w.request(w.claim(api.NewClaim{}), "P-1"))
	before, after := w.User("olga", []access.Role{access.Owner}, "press"), w.User("otto", []access.Role{access.Owner}, "paint")
	_, err := w.admin.UpdateTwin(w.ctx, "p-1", 0, map[string]any{"owner": "paint"})
	w.must(err)
	if page, err := before.ListRuns(w.ctx, api.RunQuery{}); err != nil || len(page.Items) != 0 {
		t.Errorf("the group that had it sees %+v, %v", page, err)
	}
	if _, err := before.GetRun(w.ctx, run.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("the group that had it: %v", err)
	}
	if page, err := after.ListRuns(w.ctx, api.RunQuery{Twin: "p-1"}); err != nil || len(page.Items) != 1 {
		t.Errorf("the group that has it sees %+v, %v", page, err)
	}
}

// Deleting a twin by hand ends all that provisioning has made for it, and its device may come in again.
func TestADeletedTwinEndsItsRun(t *testing.T) {
	w := start(t)
	w.identity("P-1")
	asks := w.request(w.claim(api.NewClaim{MaxUses: 5}), "P-1")
	run, b := w.provision(asks)
	gone := event.New("p-1#99", event.TwinDeleted, "p-1", w.Now(), api.TwinChanged{Twin: "p-1", Kind: twin.Instance})
	w.must(w.Event("twin-provision", gone))
	if r := w.run(run.ID); r.Outcome != provision.Completed {
		t.Fatalf("a late event ended the run of a twin that is there:\n%s", log(r))
	}
	w.must(w.admin.DeleteTwin(w.ctx, "p-1"))
	for range 2 {
		w.must(w.Event("twin-provision", gone))
	}
	if r := w.run(run.ID); r.Outcome != provision.Rejected || !strings.Contains(r.Reason, "deleted") {
		t.Fatalf("the run:\n%s", log(r))
	}
	if m, err := w.Part("twin-ingest", "").Resolve(w.ctx, []device.Ref{b.Ref}); err != nil || len(m) != 0 {
		t.Errorf("the reference resolves to %+v, %v", m, err)
	}
	if a := w.ask(asks); a.Status != "pending" {
		t.Errorf("asked again at once, it is told %+v", a)
	}
	w.must(w.later(10 * time.Second)) // until the twin is removed
	w.provision(asks)
}
