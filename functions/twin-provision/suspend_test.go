package twinprovision_test

import (
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// admitted tells whether the operational gateway is to let a device in.
func (w *world) admitted(ref string) bool {
	w.t.Helper()
	b, err := w.Base.Bus.Bucket(w.ctx, api.BucketOf("op"))
	w.must(err)
	_, err = b.Get(w.ctx, api.AdmissionKey(ref))
	return err == nil
}

// phase changes of a twin reach those who follow them.
func (w *world) told(topic event.Topic, id twin.ID) {
	w.t.Helper()
	e := event.New(string(topic)+w.Now().String(), topic, string(id), w.Now(), api.TwinChanged{Twin: id, Kind: twin.Instance, Part: "definition"})
	if topic == event.TwinChanged {
		w.must(w.Event("gateways", e))
	} else {
		w.must(w.Event("twin-provision", e))
	}
}

func (w *world) suspend(c *api.Client, id twin.ID) {
	w.t.Helper()
	tw, err := c.SuspendTwin(w.ctx, id, "it leaks")
	if err != nil || !tw.Definition.Suspended {
		w.t.Fatalf("suspended it is %+v, %v", tw.Definition, err)
	}
	w.told(event.TwinChanged, id)
}

func (w *world) resume(c *api.Client, id twin.ID) {
	w.t.Helper()
	tw, err := c.ResumeTwin(w.ctx, id, "mended")
	if err != nil || tw.Definition.Suspended {
		w.t.Fatalf("resumed it is %+v, %v", tw.Definition, err)
	}
	w.told(event.TwinChanged, id)
	w.told(event.TwinResumed, id)
}

// An owner stops a device that is on its way in: it is not let in, its run stands still beyond every limit, and goes on where it
// was once people let it in again.
func TestADeviceIsSuspendedOnItsWay(t *testing.T) {
	w := start(t)
	w.identity("P-1")
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	r := w.request(w.claim(api.NewClaim{MaxUses: 5}), "P-1")
	a := w.ask(r)
	run := w.run(a.Run)
	w.must(w.apply(run.Results.DeviceRef))
	a = w.ask(r)
	if a.Bundle == nil || !w.admitted(string(a.Bundle.Ref)) {
		t.Fatalf("before, it is told %+v", a)
	}
	w.suspend(ada, "p-1")
	if w.admitted(string(a.Bundle.Ref)) {
		t.Error("suspended, the gateway is to let it in")
	}
	for range 40 {
		w.prov, w.op = w.Part("connector", "prov"), w.Part("connector", "op")
		w.must(w.later(time.Minute))
	}
	w.admin = w.Admin()
	if run = w.run(a.Run); run.Outcome != "" || run.Withdrawing || len(run.Steps) > 30 {
		t.Fatalf("suspended for long, its run is\n%s", log(run))
	}
	ada = w.User("bea", []access.Role{access.Owner}, "press")
	w.resume(ada, "p-1")
	if !w.admitted(string(a.Bundle.Ref)) {
		t.Error("resumed, the gateway is not to let it in")
	}
	w.must(w.op.ConfirmProvisioning(w.ctx, api.Confirmation{Gateway: "op", Ref: a.Bundle.Ref, Twin: a.Bundle.Twin}))
	if run = w.run(a.Run); run.Outcome != provision.Completed {
		t.Errorf("resumed, its run is\n%s", log(run))
	}
	if tw, err := ada.GetTwin(w.ctx, "p-1"); err != nil || tw.Definition.Phase != twin.Operational {
		t.Errorf("the twin: %+v, %v", tw.Definition, err)
	}
}

// Enrolling a suspended device anew does not let it in: that is people's to say. Neither is it made anew by a run that failed.
func TestASuspendedDeviceStaysSuspended(t *testing.T) {
	for name, cut := range map[string]func(w *world, r api.ProvisionRequest) string{
		"operational": func(w *world, r api.ProvisionRequest) string { run, _ := w.provision(r); return run.ID },
		"on its way":  func(w *world, r api.ProvisionRequest) string { return w.ask(r).Run },
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.identity("P-1")
			ada := w.User("ada", []access.Role{access.Owner}, "press")
			claim := w.claim(api.NewClaim{MaxUses: 5})
			id := cut(w, w.request(claim, "P-1"))
			w.suspend(ada, "p-1")
			if _, err := ada.ResetRun(w.ctx, id, "new key"); err != nil {
				t.Fatal(err)
			}
			r := w.request(claim, "P-1")
			a := w.ask(r)
			run := w.run(id)
			if a.Status != "pending" || run.Results.DeviceRef != "" || !strings.Contains(log(run), "is suspended") {
				t.Fatalf("it is told %+v\n%s", a, log(run))
			}
			w.must(w.later(2 * time.Minute))
			if tw, err := ada.GetTwin(w.ctx, "p-1"); err != nil || tw.Definition.Phase == twin.Operational || !tw.Definition.Suspended {
				t.Fatalf("the twin: %+v, %v", tw.Definition, err)
			}
			w.resume(ada, "p-1")
			if _, b := w.provision(r); !w.admitted(string(b.Ref)) {
				t.Error("resumed, it is not let in")
			}
		})
	}
}

// A run that is about to make its device operational when people suspend it makes it suspended; a place that is given to a
// suspended twin lets nobody in.
func TestSuspendedAtTheLastMoment(t *testing.T) {
	w := start(t)
	w.identity("P-1")
	w.provision(w.request(w.claim(api.NewClaim{}), "P-1"))
	part := w.Part("twin-provision", "")
	for _, from := range []twin.Phase{twin.Operational, twin.Provisioning} {
		if from == twin.Provisioning {
			w.resume(w.admin, "p-1")
			_, err := part.SetPhase(w.ctx, "p-1", api.PhaseChange{Phase: from})
			w.must(err)
		}
		w.suspend(w.admin, "p-1")
		for range 2 {
			if tw, err := part.SetPhase(w.ctx, "p-1", api.PhaseChange{Phase: twin.Operational}); err != nil || tw.Definition.Phase != twin.Suspended {
				t.Errorf("from %s, activated it is %+v, %v", from, tw.Definition.Phase, err)
			}
		}
	}
	a, err := part.AssignGateway(w.ctx, api.Assign{Ref: "p-1-00000000", Twin: "p-1", Proof: api.Proof{Version: 1, Fingerprints: []string{strings.Repeat("0a", 32)}}})
	if err != nil || !a.Suspended || w.admitted("p-1-00000000") {
		t.Errorf("a place of a suspended twin: %+v, let in %v, %v", a, w.admitted("p-1-00000000"), err)
	}
}
