package twinprovision_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

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

// The platform dies at every write of a replacement, and nobody asks again: either nothing has happened, or the old device is cut
// off and refused and the new one comes in.
func TestACrashAtEveryWriteOfAReplacementHeals(t *testing.T) {
	for _, how := range ways {
		t.Run(fmt.Sprintf("way %d", how), func(t *testing.T) {
			t.Parallel()
			w := start(t)
			claim := w.claim(api.NewClaim{MaxUses: 1000})
			for n, through, took := 0, false, 0; !through; n++ {
				w.renew(n)
				old, fresh := fmt.Sprintf("P-%03d", n), fmt.Sprintf("R-%03d", n)
				id := twin.ID(strings.ToLower(old))
				w.identity(old)
				w.identity(fresh)
				run, bundle := w.provision(w.request(claim, old))
				c := w.Crash(n, how)
				for name, build := range all {
					c.Run(w.World, name, build)
				}
				_, err := w.admin.ReplaceDevice(w.ctx, api.Replacement{Twin: id, Serial: fresh, Reason: "lightning"})
				c.Over()
				if through = !c.Came(); through && err != nil {
					t.Fatalf("nothing crashed, yet: %v", err)
				}
				for range 3 {
					w.must(w.later(16 * time.Second))
					w.sweep()
				}
				i, err := w.admin.GetIdentity(w.ctx, id)
				w.must(err)
				mapped, err := w.Part("twin-ingest", "").Resolve(w.ctx, []device.Ref{bundle.Ref})
				w.must(err)
				end := w.run(run.ID)
				if i.Serial == old {
					if len(mapped) != 1 || end.Outcome != provision.Completed || !i.Replacing.IsZero() {
						t.Fatalf("write %d: not replaced, yet its reference resolves to %+v\n%s", n, mapped, log(end))
					}
					continue
				}
				took++
				resets := strings.Count(log(end), "lightning")
				if len(mapped) != 0 || end.Outcome != provision.Rejected || resets != 2 || !i.Replacing.IsZero() || len(i.Former) != 1 {
					t.Fatalf("write %d: replaced, yet its reference resolves to %+v, %d resets, %+v\n%s", n, mapped, resets, i, log(end))
				}
				if r, _ := w.provision(w.request(claim, fresh)); r.Twin != id {
					t.Errorf("write %d: the new device is twin %s", n, r.Twin)
				}
				if through && took < 2 {
					t.Error("no crash came after the identity was changed")
				}
			}
		})
	}
}
