package twinprovision_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// A new device takes over a twin: the twin keeps its id and what is defined of it, the old device is cut off and refused, and the
// new one comes in as the same twin.
func TestANewDeviceTakesOverATwin(t *testing.T) {
	w := start(t)
	w.identity("P-1")
	claim := w.claim(api.NewClaim{MaxUses: 5})
	old := w.request(claim, "P-1")
	before, bundle := w.provision(old)
	in := api.Replacement{Twin: "p-1", Serial: "P-2", Reason: "struck by lightning"}
	for who, c := range map[string]*api.Client{"a viewer": w.User("vic", []access.Role{access.Viewer}, "press"), "a stranger": w.User("eve", []access.Role{access.Owner}, "foundry")} {
		if _, err := c.ReplaceDevice(w.ctx, in); !errors.Is(err, access.ErrDenied) && !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%s: %v", who, err)
		}
	}
	for field, bad := range map[string]api.Replacement{"serial": {Twin: "p-1", Serial: "../2", Reason: "x"}, "reason": {Twin: "p-1", Serial: "P-2"}} {
		if _, err := w.admin.ReplaceDevice(w.ctx, bad); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	for range 2 { // asked again, the same came of it
		r, err := ada.ReplaceDevice(w.ctx, in)
		if err != nil || r.ID != before.ID || r.Outcome != provision.Rejected || !strings.Contains(r.Reason, "lightning") {
			t.Fatalf("%v\n%s", err, log(r))
		}
	}
	if m, err := w.Part("twin-ingest", "").Resolve(w.ctx, []device.Ref{bundle.Ref}); err != nil || len(m) != 0 {
		t.Errorf("the old device's reference resolves to %+v, %v", m, err)
	}
	if a := w.ask(old); a.Status != "rejected" {
		t.Errorf("the old device asks, and is told %+v", a)
	}
	run, fresh := w.provision(w.request(claim, "P-2"))
	if run.Twin != "p-1" || fresh.Twin != "p-1" || fresh.Ref == bundle.Ref {
		t.Errorf("the new one is twin %s, with reference %s after %s", fresh.Twin, fresh.Ref, bundle.Ref)
	}
	tw, err := ada.GetTwin(w.ctx, "p-1")
	if err != nil || tw.Definition.Phase != twin.Operational {
		t.Errorf("the twin: %+v, %v", tw.Definition, err)
	}
	// The new device's run is not reset by who repeats the replacement.
	if _, err := ada.ReplaceDevice(w.ctx, in); err != nil || w.run(run.ID).Outcome != provision.Completed {
		t.Errorf("repeated: %v\n%s", err, log(w.run(run.ID)))
	}
}
