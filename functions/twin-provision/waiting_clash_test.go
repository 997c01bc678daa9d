package twinprovision_test

import (
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
)

// A device whose serial or MAC is another's is not admitted, alone or among many: it waits on, and the list says with whom it clashes.
func TestADeviceThatClashesIsNotAdmitted(t *testing.T) {
	w := start(t)
	mac := func(m string) func(*api.Knock) { return func(k *api.Knock) { k.MAC = m } }
	for _, i := range []device.Identity{{Serial: "T-1", MAC: "02:42:ac:11:00:01"}, {Serial: "S-1", MAC: "02:42:ac:11:00:02"}, {Serial: "M-1", Model: "Z"}, {Serial: "D-1"}} {
		_, err := w.admin.CreateIdentity(w.ctx, i)
		w.must(err)
	}
	w.provision(w.request(w.claim(api.NewClaim{}), "D-1"))
	for _, k := range []api.Knock{w.knock("N-1", mac("02:42:ac:11:00:01")), w.knock("S-1", mac("02:42:ac:11:00:09")), w.knock("M-1"), w.knock("D-1"), w.knock("OK-1")} {
		w.knocks(k)
	}
	d, err := w.admin.AdmitWaiting(w.ctx, api.Admit{All: &api.WaitingFilter{Serial: "*"}, Type: "pump", Owner: "press", Register: true})
	w.must(err)
	if d.Done != 1 || len(d.Faults) != 4 {
		t.Errorf("admitted: %+v", d)
	}
	words := map[string]string{"N-1": `"t-1"`, "S-1": "s-1", "M-1": "m-1", "D-1": "another device"}
	waiting := w.waits(api.WaitingNow)
	if len(waiting) != len(words) {
		t.Errorf("%d wait on", len(waiting))
	}
	for _, e := range waiting {
		if !strings.Contains(e.Reason, words[e.Serial]) || e.Claim != "" {
			t.Errorf("%s: %q", e.Serial, e.Reason)
		}
	}
	for _, f := range d.Faults {
		t.Log(f.Reason)
	}
	// It is no other without a new identity.
	d, err = w.admin.AdmitWaiting(w.ctx, api.Admit{IDs: []string{waiting[0].ID}, Type: "pump", Owner: "press"})
	if w.must(err); d.Done+len(d.Faults) != 1 {
		t.Errorf("admitted: %+v", d)
	}
}

// One that is refused after it was admitted waits again, and the list says why: it is people's to mend.
func TestARefusedAdmissionIsSeen(t *testing.T) {
	w := start(t)
	k := w.knock("P-7")
	w.knocks(k)
	in := api.Admit{IDs: []string{w.waits("")[0].ID}, Type: "pump", Owner: "press", Register: true}
	admit := func() {
		t.Helper()
		if d, err := w.admin.AdmitWaiting(w.ctx, in); err != nil || d.Done != 1 {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	admit()
	w.must(w.admin.DeleteIdentity(w.ctx, "p-7"))
	if a := w.knocks(k); a.Status != "rejected" || !strings.Contains(a.Reason, "not known") {
		t.Errorf("it is told %+v", a)
	}
	if l := w.waits(api.WaitingNow); len(l) != 1 || !strings.Contains(l[0].Reason, "not known") || l[0].Claim != "" {
		t.Errorf("the list: %+v", l)
	}
	admit()
	if a := w.knocks(k); a.Status != "pending" || a.Run == "" {
		t.Errorf("admitted anew, it is told %+v", a)
	}
}
