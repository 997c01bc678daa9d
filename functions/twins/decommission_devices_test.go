package twins_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// relayed makes an operational twin of group plant with a message, whose device via speaks for.
func (w *world) relayed(id twin.ID, via device.Ref) {
	w.t.Helper()
	w.said(id, 1, 0)
	_, err := w.provision.IssueCredential(ctx, api.NewCredential{Twin: id, Run: "a.1", Kind: device.Relayed, Via: via, Name: string(id)})
	must(w.t, err)
}

// owner gives a twin to another group.
func (w *world) owner(id twin.ID, group string) {
	w.t.Helper()
	_, err := w.twins.Update(ctx, string(id), func(t *twin.Twin) error { t.Definition.Owner = group; return nil })
	must(w.t, err)
}

// Who speaks for others cannot go alone, whatever way it is to go; nothing is done then.
func TestWhoSpeaksForDevicesDoesNotGoAlone(t *testing.T) {
	w := withDevices(t)
	hub := w.enrolled("hub", 1)
	w.relayed("lamp-1", hub.Ref)
	w.relayed("lamp-2", hub.Ref)
	ada, bob := w.User("ada", []access.Role{access.Owner}, "plant"), w.User("bob", []access.Role{access.Owner}, "others")
	for what, no := range map[string]error{
		"decommissioned": func() error { _, err := ada.Decommission(ctx, "hub", api.NewDecommission{Reason: "x"}); return err }(),
		"deleted":        ada.DeleteTwin(ctx, "hub"),
	} {
		if !errors.Is(no, api.ErrConflict) || !strings.Contains(no.Error(), "speaks for 2 devices") || !strings.Contains(no.Error(), "castor device list --via hub") ||
			!strings.Contains(no.Error(), "--with-devices") || !strings.Contains(no.Error(), "castor device move") {
			t.Errorf("%s: %v", what, no)
		}
	}
	if _, err := bob.Decommission(ctx, "hub", api.NewDecommission{Reason: "x", WithDevices: true}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	w.owner("lamp-2", "others")
	if _, err := ada.Decommission(ctx, "hub", api.NewDecommission{Reason: "x", WithDevices: true}); !errors.Is(err, access.ErrDenied) || !strings.Contains(err.Error(), "of which 1 are not yours") {
		t.Errorf("with another group's: %v", err)
	}
	for _, id := range []twin.ID{"hub", "lamp-1", "lamp-2"} {
		if v, err := w.admin.GetTwin(ctx, id); err != nil || v.Definition.Phase != twin.Operational {
			t.Errorf("%s: %s, %v", id, v.Definition.Phase, err)
		}
	}
	// Those on their way out keep nobody.
	for _, id := range []twin.ID{"lamp-1", "lamp-2"} {
		if _, err := w.admin.Decommission(ctx, id, api.NewDecommission{Reason: "x", Data: twin.Erase}); err != nil {
			t.Fatal(err)
		}
	}
	if err := ada.DeleteTwin(ctx, "hub"); err != nil {
		t.Error(err)
	}
}

// What provisioning undoes goes, devices or not: it is to make the same again.
func TestAnUndoneBridgeGoes(t *testing.T) {
	w := withDevices(t)
	hub := w.enrolled("hub", 0)
	w.relayed("lamp", hub.Ref)
	if err := w.provision.DeleteTwin(ctx, "hub"); err != nil {
		t.Error(err)
	}
}

// The devices go first, each like any other; then who spoke for them.
func TestABridgeGoesWithItsDevices(t *testing.T) {
	w := withDevices(t)
	hub := w.enrolled("hub", 1)
	const n = 104 // more than one pass takes
	for i := range n {
		w.relayed(twin.ID(fmt.Sprintf("lamp-%d", i)), hub.Ref)
	}
	ada := w.User("ada", []access.Role{access.Owner}, "plant")
	v, err := ada.Decommission(ctx, "hub", api.NewDecommission{Reason: "scrapped", Data: twin.Archive, WithDevices: true})
	if err != nil || v.Devices != n || !v.WithDevices || v.State != api.DecommissionAccess || !strings.Contains(v.Waits, "devices for which it speaks to go first") {
		t.Fatalf("%+v, %v", v, err)
	}
	if facts, err := ada.ListCredentials(ctx, "hub"); err != nil || facts.Items[0].State == api.CredentialEnded {
		t.Errorf("its own access went before that of its devices: %+v, %v", facts.Items, err)
	}
	if page, err := ada.ListRelayed(ctx, "hub", ""); err != nil || len(page.Items) == 0 || len(page.Items) == n {
		t.Errorf("%d are left, %v", len(page.Items), err)
	}
	w.out(hub.Ref)
	if v = w.ends(ada, "hub"); len(v.Places) != 1 || len(v.Credentials) != 1 || v.Devices != n {
		t.Errorf("%+v", v)
	}
	for i := range n {
		id := twin.ID(fmt.Sprintf("lamp-%d", i))
		v := w.ends(ada, id)
		if v.With != "hub" || v.By != "user:ada" || v.Reason != "scrapped" || len(v.Credentials) != 1 || v.Credentials[0].State != api.CredentialEnded || v.Archive == "" || v.Records != 1 {
			t.Fatalf("%s: %+v", id, v)
		}
		if _, err := w.admin.GetTwin(ctx, id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// A device that came while that was asked for is neither left behind nor taken along unasked.
func TestADeviceThatCameMeanwhile(t *testing.T) {
	w := withDevices(t)
	hub, other := w.enrolled("hub", 1), w.enrolled("other", 1)
	w.relayed("lamp", other.Ref)
	v, err := w.admin.Decommission(ctx, "hub", api.NewDecommission{Reason: "x", Data: twin.Erase})
	if err != nil || v.State != api.DecommissionAccess {
		t.Fatalf("%+v, %v", v, err)
	}
	type relayed struct {
		ID  twin.ID `bson:"_id"`
		Via twin.ID `bson:"viaTwin,omitempty"`
		To  string  `bson:"moving,omitempty"`
	}
	creds, err := platform.OpenSpoken[relayed](ctx, w.Base.DB)
	must(t, err)
	_, err = creds.Update(ctx, "lamp", func(r *relayed) error { r.Via = "hub"; return nil }) // by whoever has not seen that it goes
	must(t, err)
	w.out(hub.Ref)
	for range 3 {
		w.SetTime(w.Now().Add(3 * time.Second))
		must(t, w.Tick("twins", w.Now()))
	}
	if v, err = w.admin.GetDecommission(ctx, "hub"); err != nil || v.State != api.DecommissionAccess || !strings.Contains(v.Waits, "1 device") || !strings.Contains(v.Waits, "--with-devices") {
		t.Fatalf("%+v, %v", v, err)
	}
	if _, err := w.admin.Decommission(ctx, "hub", api.NewDecommission{Reason: "x", WithDevices: true}); err != nil {
		t.Fatal(err)
	}
	if v = w.ends(w.admin, "hub"); !v.WithDevices || v.Devices != 1 {
		t.Errorf("%+v", v)
	}
	if v = w.ends(w.admin, "lamp"); v.With != "hub" {
		t.Errorf("%+v", v)
	}
}

// The platform dies at every write while a bridge goes with its devices, and another instance goes on: all end, each once.
func TestACrashAtEveryWriteOfABridgesEnd(t *testing.T) {
	t.Parallel()
	for _, how := range functiontest.Ways {
		w := withDevices(t)
		for n := 0; ; n++ {
			w.admin = w.Admin() // a token lives for minutes
			id := func(s string) twin.ID { return twin.ID(fmt.Sprintf("%s-%d", s, n)) }
			hub := w.enrolled(id("hub"), 1)
			lamps := []twin.ID{id("lamp"), id("bulb")}
			for _, l := range lamps {
				w.relayed(l, hub.Ref)
			}
			crash := w.Crash(n, how)
			crash.Base.Objects = w.Base.Objects
			crash.Run(w.World, "twins", twins.New)
			in := api.NewDecommission{Reason: "x", Data: twin.Erase, WithDevices: true}
			_, err := w.admin.Decommission(ctx, id("hub"), in)
			w.out(hub.Ref)
			if err == nil {
				w.SetTime(w.Now().Add(3 * time.Second))
				_ = w.Tick("twins", w.Now()) // it may crash in there
			}
			through := !crash.Came()
			w.Add("twins", twins.New)
			if _, err := w.admin.Decommission(ctx, id("hub"), in); err != nil && !errors.Is(err, api.ErrNotFound) {
				t.Fatalf("way %d, write %d: asked again: %v", how, n, err)
			}
			if v := w.ends(w.admin, id("hub")); len(v.Credentials) != 1 || !v.WithDevices {
				t.Fatalf("way %d, write %d: %+v", how, n, v)
			}
			for _, l := range lamps {
				if v := w.ends(w.admin, l); v.With != id("hub") || len(v.Credentials) != 1 || v.Credentials[0].State != api.CredentialEnded {
					t.Fatalf("way %d, write %d: %s: %+v", how, n, l, v)
				}
			}
			if through {
				t.Logf("way %d: %d writes", how, n)
				break
			}
		}
	}
}
