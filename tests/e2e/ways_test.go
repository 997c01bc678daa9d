package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// Devices come onto the platform in the way that their owner chooses: by themselves, when people have looked at them, led by an
// installer, after a stranger's service has had a look; and those that have nothing are let in by people or stay out.
func TestWaysOntoThePlatform(t *testing.T) {
	t.Parallel()
	w := NewWorld(t)
	w.Type("pump")
	w.Type("valve", func(m *twin.Model) {
		m.Provisioning = "automatic"
		m.Choices = []twin.Choice{{If: `claim.batch == "returns"`, Model: "semi-automatic"}}
	})
	w.Type("gauge", func(m *twin.Model) { m.Provisioning = "semi-automatic" })
	w.Type("lamp", func(m *twin.Model) { m.Provisioning = "manual" })
	plant, rival := w.Owner("plant"), w.Owner("rival")
	for name, story := range map[string]func(w *World, plant, rival *api.Client){"automatic": automatic, "semi-automatic": semiAutomatic, "manual": manual,
		"a stranger's service": strangersService, "discovery": discovery} {
		t.Run(name, func(t *testing.T) { t.Parallel(); story(w.In(t), plant, rival) })
	}
	// Its clock goes ahead, so it is alone.
	t.Run("nobody decides", func(t *testing.T) { nobodyDecides(t) })
}

// By itself: a claim and a known serial are enough.
func automatic(w *World, plant, _ *api.Client) {
	d := w.Provision("valve", "A-1", "plant")
	page, err := plant.ListRuns(w.Context(), api.RunQuery{Twin: d.Twin()})
	w.must(err, "runs")
	if len(page.Items) != 1 || page.Items[0].By != "device" || page.Items[0].Model.ID != "automatic" || page.Items[0].Outcome != provision.Completed {
		w.Errorf("its run is %+v", page.Items)
	}
	w.Measure(d, "rpm", 7)
	w.Drained(d)
}

// People of the owner's group look at each device first; another group does not even know of it. Of one type, one batch comes in
// this way.
func semiAutomatic(w *World, plant, rival *api.Client) {
	claim := w.Claim("valve", "plant", func(c *api.NewClaim) { c.Batch = "returns" })
	good, bad := w.Device(claim, "S-1"), w.Device(claim, "S-2") // nobody has made their serials known
	var asked []provision.Run
	w.Eventually("both wait for people", func() bool {
		page, err := plant.ListRuns(w.Context(), api.RunQuery{Awaits: "people", Type: "valve"})
		w.must(err, "runs")
		asked = page.Items
		return len(asked) == 2 && asked[0].Asks != nil && asked[1].Asks != nil
	})
	page, err := rival.ListRuns(w.Context(), api.RunQuery{})
	w.must(err, "runs")
	board, err := rival.RunBoard(w.Context())
	w.must(err, "board")
	if len(page.Items)+len(board.Items) > 0 {
		w.Errorf("another group sees %d runs, and %+v on the board", len(page.Items), board.Items)
	}
	for _, r := range asked {
		if !strings.Contains(r.Asks.Text, r.Request.Serial) {
			w.Errorf("people are asked %q of %s", r.Asks.Text, r.Request.Serial)
		}
		in := api.Decide{Trigger: provision.Approved, Reason: "ours"}
		if _, err := rival.DecideRun(w.Context(), r.ID, in); !errors.Is(err, api.ErrNotFound) {
			w.Errorf("another group approves %s: %v", r.Request.Serial, err)
		}
		if r.Request.Serial == "S-2" {
			in = api.Decide{Trigger: provision.Declined, Reason: "that one was stolen"}
		}
		_, err := plant.DecideRun(w.Context(), r.ID, in)
		w.must(err, "decide")
	}
	w.Ready(good)
	ctx, cancel := w.soon()
	defer cancel()
	if err := bad.Ready(ctx); !errors.Is(err, agent.ErrRejected) || !strings.Contains(err.Error(), "stolen") {
		w.Errorf("who was declined is told %v", err)
	}
	run, err := plant.GetRun(w.Context(), w.Runs(good.Twin())[0])
	w.must(err, "run")
	if run.Decision == nil || run.Decision.By != "user:plant-owner" || run.Decision.Reason != "ours" || run.Outcome != provision.Completed && run.State == "approval" {
		w.Errorf("the decision is kept as %+v", run.Decision)
	}
}

// Nobody decides for three days: the device is told so.
func nobodyDecides(t *testing.T) {
	w := NewWorld(t)
	w.Type("gauge", func(m *twin.Model) { m.Provisioning = "semi-automatic" })
	claim := w.Claim("gauge", "plant", func(c *api.NewClaim) { c.Expires = twin.Duration(200 * time.Hour) })
	d := w.Device(claim, "E-1")
	w.Eventually("it waits", func() bool {
		page, err := w.Admin.ListRuns(w.Context(), api.RunQuery{Awaits: "people"})
		w.must(err, "runs")
		return len(page.Items) == 1 && page.Items[0].Asks != nil
	})
	w.Later(73 * time.Hour)
	w.Admin = w.Login("admin", w.password)
	ctx, cancel := w.soon()
	defer cancel()
	if err := d.Ready(ctx); !errors.Is(err, agent.ErrRejected) {
		t.Errorf("after three days the device is told %v", err)
	}
	if n := w.refusals("72h"); n == 0 {
		page, _ := w.Admin.ListRuns(w.Context(), api.RunQuery{})
		run, _ := w.Admin.GetRun(w.Context(), page.Items[0].ID)
		t.Errorf("its run does not say that nobody has decided:\n%s", stepsOf(&run))
	}
	w.Eventually("its claim has no use any more", func() bool {
		got, err := w.Admin.GetClaim(w.Context(), claim.Claim.ID)
		w.must(err, "claim")
		return got.Used == 0
	})
}

// An installer brings a device in that cannot ask: types its serial, carries a token to it that was sealed for the installer's page,
// and the device's first report ends the run.
func manual(w *World, plant, rival *api.Client) {
	page := w.made() // the installer's
	if _, err := rival.StartRun(w.Context(), api.NewRun{Type: "lamp", Owner: "plant"}); !errors.Is(err, access.ErrDenied) {
		w.Errorf("another group begins a run for plant: %v", err)
	}
	run, err := plant.StartRun(w.Context(), api.NewRun{Type: "lamp", Owner: "plant", PublicKey: page.public, Protocol: "http", Kind: "token", Reason: "hall 3"})
	w.must(err, "begin")
	confirm := func(state, serial string) {
		w.Helper()
		w.Eventually("the installer is at "+state, func() bool {
			run, err = plant.GetRun(w.Context(), run.ID)
			w.must(err, "run")
			return run.Asks != nil && run.Asks.State == state
		})
		_, err = plant.DecideRun(w.Context(), run.ID, api.Decide{Trigger: provision.Confirmed, State: state, Serial: serial})
		w.must(err, state)
	}
	confirm("place", "")
	confirm("serial", "M-1")
	w.Eventually("the token can be fetched", func() bool {
		page.bundle, err = plant.RunBundle(w.Context(), run.ID)
		return err == nil
	})
	confirm("install", "")
	p, err := page.proof()
	w.must(err, "the installer's page opens it")
	ctx, cancel := w.soon()
	defer cancel()
	w.must(wires["http"].report(ctx, page.operational(), p, p.ref, map[string]any{"rpm": 900}), "the device reports")
	w.Eventually("its report ends the run", func() bool {
		run, err = plant.GetRun(w.Context(), run.ID)
		w.must(err, "run")
		return run.Outcome == provision.Completed
	})
	if !strings.Contains(stepsOf(&run), "device-seen") || run.By != "user:plant-owner" {
		w.Errorf("begun by %s:\n%s", run.By, stepsOf(&run))
	}
	if t := w.Twin("m-1"); t.Definition.Owner != "plant" || t.Definition.Phase != twin.Operational || w.Reported("m-1", "rpm") != 900.0 {
		w.Errorf("its twin is %+v", t.Definition)
	}
}
