package twinprovision_test

import (
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// A device that was decommissioned does not come back by itself, though its claim is good: people make it known anew first.
func TestADecommissionedDeviceDoesNotComeBackByItself(t *testing.T) {
	w := start(t)
	w.identity("P-1")
	r := w.request(w.claim(api.NewClaim{MaxUses: 5}), "P-1")
	run, _ := w.provision(r)
	in, deleted := w.Now(), w.Collect(event.TwinDeleted)
	w.must(w.later(20 * time.Hour))
	w.admin = w.Admin()
	out := w.Now()
	v, err := w.admin.Decommission(w.ctx, "p-1", api.NewDecommission{Reason: "scrapped", Data: twin.Erase})
	w.must(err)
	refused := func(when string) {
		t.Helper()
		if a := w.ask(r); a.Status != "rejected" || !strings.Contains(a.Reason, "decommissioned") || !strings.Contains(a.Reason, "scrapped") {
			t.Errorf("%s it is told %+v", when, a)
		}
	}
	for n := 0; v.State != api.DecommissionDone; n++ {
		if n > 20 {
			t.Fatalf("it is never done: %+v", v)
		}
		w.must(w.later(20 * time.Second))
		w.admin = w.Admin()
		w.must(w.Tick("twins", w.Now()))
		if v, err = w.admin.GetDecommission(w.ctx, "p-1"); err != nil {
			t.Fatal(err)
		}
		if tw, err := w.admin.GetTwin(w.ctx, "p-1"); err != nil || !tw.Deleted.IsZero() {
			break // what is left is function twin-delete's to do
		}
	}
	// Its run goes with the twin, as that of any twin that was deleted: then nothing of the run keeps the device out.
	functiontest.Eventually(t, "the twin's end is told", func() bool { return len(deleted()) == 1 })
	w.must(w.Event("twin-provision", deleted()[0]))
	w.must(w.later(5 * time.Second))
	// Who reads of it sees that it had come in, and who took it out. The device hears no names.
	want := "decommissioned by user:admin on " + out.UTC().Format(time.DateOnly) + ": scrapped (had completed on " + in.UTC().Format(time.DateOnly) + ")"
	if got := w.run(run.ID); got.Outcome != provision.Rejected || got.Reason != want || got.CameIn.After(in) || got.CameIn.IsZero() {
		t.Errorf("its run is %s: %q, came in %v; want %q, %v\n%s", got.Outcome, got.Reason, got.CameIn, want, in, log(got))
	}
	if listed, err := w.admin.ListRuns(w.ctx, api.RunQuery{}); err != nil || len(listed.Items) != 1 || listed.Items[0].CameIn.IsZero() {
		t.Errorf("in lists it is %+v, %v", listed.Items, err)
	}
	heard := 0
	for _, a := range w.answers() {
		if strings.Contains(string(a.Payload), "admin") {
			t.Errorf("the device hears %s", a.Payload)
		}
		if strings.Contains(string(a.Payload), "twin p-1 was deleted") {
			heard++
		}
	}
	if heard != 1 {
		t.Errorf("the device hears %d times that its twin is gone, want once", heard)
	}
	refused("afterwards")
	i, err := w.admin.GetIdentity(w.ctx, "p-1")
	if err != nil || i.Retired == nil || i.Retired.Reason != "scrapped" {
		t.Errorf("its identity is %+v, %v", i, err)
	}
	w.must(w.admin.DeleteIdentity(w.ctx, "p-1"))
	if got, err := w.admin.CreateIdentity(w.ctx, device.Identity{Serial: "P-1", Retired: i.Retired}); err != nil || got.Retired != nil {
		t.Errorf("made known anew: %+v, %v", got, err)
	}
}
