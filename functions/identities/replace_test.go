package identities_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/castor-iot/castor/functions/identities"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// A new device takes the twin's identity over; the old one's serial is nobody's for ever, unless it is put back.
func TestADeviceIsReplaced(t *testing.T) {
	ctx := context.Background()
	w, carl := start(t)
	admin := w.Admin()
	part := w.Part("twin-provision", "")
	for _, i := range []device.Identity{{Serial: "P-1", MAC: "02:42:ac:11:00:01", Model: "A"}, {Serial: "P-9", MAC: "02:42:ac:11:00:09", Model: "B"}, {Serial: "P-2"}} {
		if _, err := carl.CreateIdentity(ctx, i); err != nil {
			t.Fatal(err)
		}
	}
	makeTwin(t, w, twin.Twin{ID: "p-1", Kind: twin.Instance, Definition: twin.Definition{Owner: "press"}})
	makeTwin(t, w, twin.Twin{ID: "p-2", Kind: twin.Instance, Definition: twin.Definition{Owner: "press"}})
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	if _, err := admin.ReplaceIdentity(ctx, "p-1", api.IdentityReplacement{Serial: "P-1", Reason: "x"}); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "castor run reset") {
		t.Errorf("by the device that it has: %v", err)
	}
	in := api.IdentityReplacement{Serial: "P-9", Reason: "bearing worn out"}
	for range 2 { // asked again, nothing changes
		got, err := admin.ReplaceIdentity(ctx, "p-1", in)
		if err != nil || got.ID != "p-1" || got.Serial != "P-9" || got.MAC != "02:42:ac:11:00:09" || got.Model != "B" || len(got.Former) != 1 ||
			got.Former[0].Serial != "P-1" || got.Former[0].Reason != "bearing worn out" || got.Former[0].By != "user:admin" {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if _, err := carl.GetIdentity(ctx, "p-9"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("the new device has an identity of its own beside: %v", err)
	}
	if _, err := part.FindIdentity(ctx, "P-1"); !errors.Is(err, api.ErrNotFound) || !strings.Contains(err.Error(), "was replaced") {
		t.Errorf("the old device: %v", err)
	}
	if _, err := carl.CreateIdentity(ctx, device.Identity{Serial: "P-1", ID: "other"}); !errors.Is(err, api.ErrExists) || !strings.Contains(err.Error(), "was replaced") {
		t.Errorf("the old serial is made known anew: %v", err)
	}
	if out, err := carl.ImportIdentities(ctx, "text/csv", []byte("serial,id\nP-1,other\n")); err != nil || len(out.Faults) != 1 || !strings.Contains(out.Faults[0].Reason, "was replaced") {
		t.Errorf("the old serial is imported: %+v, %v", out, err)
	}
	for what, serial := range map[string]string{"the old serial": "P-1", "the serial of another twin's device": "P-9"} {
		if _, err := admin.ReplaceIdentity(ctx, "p-2", api.IdentityReplacement{Serial: serial, Reason: "x"}); !errors.Is(err, api.ErrExists) && !errors.Is(err, api.ErrConflict) {
			t.Errorf("%s for another twin: %v", what, err)
		}
	}
	eve := w.User("eve", []access.Role{access.Owner})
	if _, err := eve.ReplaceIdentity(ctx, "p-1", in); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	for name, bad := range map[string]api.IdentityReplacement{"no serial": {Reason: "x"}, "no reason": {Serial: "P-5"}, "a path": {Serial: "../P-5", Reason: "x"}, "look-alike": {Serial: "Р-5", Reason: "x"}, "a bad mac": {Serial: "P-5", MAC: "x", Reason: "x"}} {
		if _, err := ada.ReplaceIdentity(ctx, "p-1", bad); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	back, err := ada.ReplaceIdentity(ctx, "p-1", api.IdentityReplacement{Serial: "P-1", Reason: "repaired"})
	if err != nil || back.Serial != "P-1" || len(back.Former) != 1 || back.Former[0].Serial != "P-9" {
		t.Errorf("put back: %+v, %v", back, err)
	}
	if got, err := part.FindIdentity(ctx, "P-1"); err != nil || got.ID != "p-1" {
		t.Errorf("put back, it is %+v, %v", got, err)
	}
}

// Two replace different devices by the same one at once, and somebody makes the old ones known: each serial is one twin's.
func TestReplacementsAtOnce(t *testing.T) {
	ctx := context.Background()
	w, carl := start(t)
	admin := w.Admin()
	for n := range 8 {
		if _, err := carl.CreateIdentity(ctx, device.Identity{Serial: fmt.Sprintf("P-%d", n)}); err != nil {
			t.Fatal(err)
		}
		makeTwin(t, w, twin.Twin{ID: twin.ID(fmt.Sprintf("p-%d", n)), Kind: twin.Instance})
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for n := range 8 {
		all.Go(func() {
			if _, err := admin.ReplaceIdentity(ctx, twin.ID(fmt.Sprintf("p-%d", n)), api.IdentityReplacement{Serial: "NEW", Reason: "x"}); err == nil {
				mu.Lock()
				done++
				mu.Unlock()
			}
		})
		all.Go(func() {
			if _, err := carl.CreateIdentity(ctx, device.Identity{Serial: fmt.Sprintf("P-%d", n), ID: twin.ID(fmt.Sprintf("again-%d", n))}); err == nil {
				t.Errorf("P-%d is made known twice", n)
			}
		})
	}
	all.Wait()
	if done != 1 {
		t.Errorf("%d twins have the one device", done)
	}
}

// The platform dies at every write of a replacement; asked again, it is done.
func TestACrashAtEveryWriteOfAReplacement(t *testing.T) {
	ctx := context.Background()
	for _, how := range functiontest.Ways {
		w, carl := start(t)
		admin := w.Admin()
		for n := 0; ; n++ {
			id, old, fresh := twin.ID(fmt.Sprintf("p-%d", n)), fmt.Sprintf("P-%d", n), fmt.Sprintf("NEW-%d", n)
			for _, s := range []string{old, fresh} {
				if _, err := carl.CreateIdentity(ctx, device.Identity{Serial: s, Model: "A"}); err != nil {
					t.Fatal(err)
				}
			}
			makeTwin(t, w, twin.Twin{ID: id, Kind: twin.Instance})
			c := w.Crash(n, how)
			c.Run(w, "identities", identities.New)
			in := api.IdentityReplacement{Serial: fresh, Model: "A", Reason: "x"}
			_, err := admin.ReplaceIdentity(ctx, id, in)
			through := !c.Came()
			w.Add("identities", identities.New)
			if err != nil {
				_, err = admin.ReplaceIdentity(ctx, id, in)
			}
			if got, _ := carl.GetIdentity(ctx, id); err != nil || got.Serial != fresh || got.Model != "A" || len(got.Former) != 1 {
				t.Fatalf("way %d, write %d: %+v, %v", how, n, got, err)
			}
			if through {
				break
			}
		}
	}
}

// What is refused loses nothing, and an owner takes only a device of the own group, whose mac and model they know.
func TestAReplacementTakesNobodysIdentity(t *testing.T) {
	ctx := context.Background()
	w, carl := start(t)
	admin := w.Admin()
	makeTwin(t, w, twin.Twin{ID: "pump", Kind: twin.Type, Definition: twin.Definition{Model: &twin.Model{}}})
	makeTwin(t, w, twin.Twin{ID: "fake", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "press"}})
	makeTwin(t, w, twin.Twin{ID: "p-1", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "press"}})
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	for _, in := range []device.Identity{{Serial: "P-1"}, {Serial: "C-1", MAC: "02:00:00:00:00:c1", Model: "A"}, {Serial: "C-2", MAC: "02:00:00:00:00:c2"}, {Serial: "C-3"},
		{Serial: "C-4", MAC: "02:00:00:00:00:c4", Type: "valve"}, {Serial: "C-5"}} {
		if _, err := carl.CreateIdentity(ctx, in); err != nil {
			t.Fatal(err)
		}
	}
	makeTwin(t, w, twin.Twin{ID: "c-5", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "paint"}})
	if _, err := w.User("bert", []access.Role{access.Owner}, "paint").CreateIdentity(ctx, device.Identity{Serial: "B-1", Type: "pump"}); err != nil {
		t.Fatal(err)
	}
	if _, err := ada.CreateIdentity(ctx, device.Identity{Serial: "H-1", Type: "pump", MAC: "02:00:00:00:00:d1", Model: "A"}); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for name, tt := range map[string]struct {
		as interface {
			ReplaceIdentity(context.Context, twin.ID, api.IdentityReplacement) (device.Identity, error)
		}
		id   twin.ID
		in   api.IdentityReplacement
		want error
	}{
		"a twin without an identity":          {admin, "fake", api.IdentityReplacement{Serial: "C-1"}, api.ErrNotFound},
		"another's mac":                       {admin, "p-1", api.IdentityReplacement{Serial: "C-3", MAC: "02:00:00:00:00:c2"}, api.ErrExists},
		"a spare one without its mac":         {ada, "p-1", api.IdentityReplacement{Serial: "C-1", Model: "A"}, api.ErrConflict},
		"a spare one with another mac":        {ada, "p-1", api.IdentityReplacement{Serial: "C-1", MAC: "02:00:00:00:00:cc", Model: "A"}, api.ErrConflict},
		"a spare one without its model":       {ada, "p-1", api.IdentityReplacement{Serial: "C-1", MAC: "02:00:00:00:00:c1"}, api.ErrConflict},
		"a spare one of another type":         {ada, "p-1", api.IdentityReplacement{Serial: "C-4", MAC: "02:00:00:00:00:c4"}, api.ErrConflict},
		"a spare one that another group made": {ada, "p-1", api.IdentityReplacement{Serial: "B-1"}, api.ErrConflict},
		"another twin's":                      {ada, "p-1", api.IdentityReplacement{Serial: "C-5"}, api.ErrConflict},
		"another's mac by an owner":           {ada, "p-1", api.IdentityReplacement{Serial: "NEW", MAC: "02:00:00:00:00:c2"}, api.ErrConflict},
		"her own without its mac":             {ada, "p-1", api.IdentityReplacement{Serial: "H-1", Model: "A"}, api.ErrConflict},
		"her own without its model":           {ada, "p-1", api.IdentityReplacement{Serial: "H-1", MAC: "02:00:00:00:00:d1"}, api.ErrConflict},
	} {
		tt.in.Reason = "x"
		_, err := tt.as.ReplaceIdentity(ctx, tt.id, tt.in)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if tt.as == ada && !strings.HasPrefix(name, "her own") { // in the same words, whatever is known of it
			said[strings.ReplaceAll(err.Error(), tt.in.Serial, "…")] = name
		}
		if tt.in.Serial == "NEW" {
			continue
		}
		if got, err := carl.FindIdentity(ctx, tt.in.Serial); err != nil || got.ID == "p-1" {
			t.Errorf("%s: then the identity is %+v, %v", name, got, err)
		}
	}
	if len(said) != 1 {
		t.Errorf("what is not hers is told apart: %q", said)
	}
	got, err := ada.ReplaceIdentity(ctx, "p-1", api.IdentityReplacement{Serial: "C-1", MAC: "02:00:00:00:00:c1", Model: "A", Reason: "x"})
	if err != nil || got.Serial != "C-1" || len(got.Former) != 1 {
		t.Errorf("a spare one that she has: %+v, %v", got, err)
	}
	if _, err := ada.ReplaceIdentity(ctx, "p-1", api.IdentityReplacement{Serial: "H-1", MAC: "02:00:00:00:00:d1", Model: "A", Reason: "x"}); err != nil {
		t.Errorf("her own: %v", err)
	}
}
