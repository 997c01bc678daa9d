package twins_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/credentials"
	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// meanwhile is a store in which something happens just before twins are written for the first time.
type meanwhile struct {
	store.Driver
	came *atomic.Bool
	do   func()
}

type meanwhileTable struct {
	store.Table
	of meanwhile
}

func (m meanwhile) Table(ctx context.Context, name string, indexes []store.Index) (store.Table, error) {
	t, err := m.Driver.Table(ctx, name, indexes)
	if err != nil || name != "twins" {
		return t, err
	}
	return meanwhileTable{t, m}, nil
}

func (t meanwhileTable) Write(ctx context.Context, writes []store.Write) ([]error, error) {
	if t.of.came.CompareAndSwap(false, true) {
		t.of.do()
	}
	return t.Table.Write(ctx, writes)
}

// before has something happen just before function twins writes a twin.
func (w *world) before(do func()) {
	plain := w.Base.DB
	w.Base.DB = store.New(meanwhile{plain.Driver(), new(atomic.Bool), do})
	w.Add("twins", twins.New)
	w.Base.DB = plain
}

// A device that comes between the question and the bridge's retirement is counted like the others.
func TestADeviceThatComesJustBeforeItsBridgeGoes(t *testing.T) {
	w := withDevices(t)
	hub := w.enrolled("hub", 1)
	w.relayed("lamp-1", hub.Ref)
	w.said("lamp-2", 1, 0)
	w.before(func() { w.relayed("lamp-2", hub.Ref) })
	v, err := w.User("ada", []access.Role{access.Owner}, "plant").Decommission(ctx, "hub", api.NewDecommission{Reason: "x", WithDevices: true})
	if err != nil || v.Devices != 2 {
		t.Errorf("%+v, %v", v, err)
	}
}

// One that is not the caller's is not taken along, and nor are the others: the proof says what is to be done.
func TestAnothersDeviceThatComesJustBeforeItsBridgeGoes(t *testing.T) {
	w := withDevices(t)
	hub := w.enrolled("hub", 1)
	w.relayed("lamp-1", hub.Ref)
	w.relayed("lamp-2", hub.Ref)
	w.before(func() { w.owner("lamp-2", "others") })
	v, err := w.User("ada", []access.Role{access.Owner}, "plant").Decommission(ctx, "hub", api.NewDecommission{Reason: "x", WithDevices: true})
	if err != nil || v.WithDevices || v.State != api.DecommissionAccess || !strings.Contains(v.Waits, "2 devices") || !strings.Contains(v.Waits, "castor device move") {
		t.Errorf("%+v, %v", v, err)
	}
	for _, id := range []twin.ID{"lamp-1", "lamp-2"} {
		if got, err := w.admin.GetTwin(ctx, id); err != nil || got.Definition.Phase != twin.Operational {
			t.Errorf("%s is %s, %v", id, got.Definition.Phase, err)
		}
	}
	if v, err = w.admin.Decommission(ctx, "hub", api.NewDecommission{Reason: "x", WithDevices: true}); err != nil || v.Devices != 2 {
		t.Errorf("somebody who may: %+v, %v", v, err)
	}
}

// A crash has left a device on its way to a bridge. The bridge waits until it is decided, and takes nobody along who never came.
func TestADeviceThatIsMovingToABridgeThatGoes(t *testing.T) {
	w := withDevices(t)
	hub, other := w.enrolled("hub", 1), w.enrolled("other", 1)
	w.relayed("lamp", other.Ref)
	w.begins("lamp", "hub")
	if _, err := w.admin.Decommission(ctx, "hub", api.NewDecommission{Reason: "x"}); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "1 device") {
		t.Errorf("alone: %v", err)
	}
	v, err := w.admin.Decommission(ctx, "hub", api.NewDecommission{Reason: "x", Data: twin.Erase, WithDevices: true})
	if err != nil || v.State != api.DecommissionAccess || !strings.Contains(v.Waits, "1 device") {
		t.Fatalf("%+v, %v", v, err)
	}
	w.out(hub.Ref)
	w.SetTime(w.Now().Add(20 * time.Second))
	w.alive()
	_, err = w.Part("twin-watchdog", "").Sweep(ctx, "credentials")
	must(t, err)
	if v = w.ends(w.admin, "hub"); len(v.Credentials) != 1 {
		t.Errorf("%+v", v)
	}
	w.stays("lamp", "other")
}

// One that is moving away is left alone until that is decided.
func TestADeviceThatIsMovingAwayFromABridgeThatGoes(t *testing.T) {
	w := withDevices(t)
	hub := w.enrolled("hub", 1)
	w.enrolled("other", 1)
	w.relayed("lamp", hub.Ref)
	w.relayed("bulb", hub.Ref)
	w.begins("lamp", "other")
	if _, err := w.admin.Decommission(ctx, "hub", api.NewDecommission{Reason: "x", Data: twin.Erase, WithDevices: true}); err != nil {
		t.Fatal(err)
	}
	w.out(hub.Ref)
	w.SetTime(w.Now().Add(20 * time.Second))
	w.alive()
	_, err := w.Part("twin-watchdog", "").Sweep(ctx, "credentials")
	must(t, err)
	w.ends(w.admin, "hub")
	w.ends(w.admin, "bulb")
	w.stays("lamp", "other")
	if _, err := w.admin.GetDecommission(ctx, "lamp"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("who has moved away: %v", err)
	}
}

// begins has function credentials die once a move is begun.
func (w *world) begins(id, to twin.ID) {
	w.t.Helper()
	crash := w.Crash(1, functiontest.Published)
	crash.Run(w.World, "credentials", credentials.New)
	if _, err := w.admin.MoveRelayed(ctx, id, api.MoveRelayed{Via: to}); err == nil || !crash.Came() {
		w.t.Fatalf("no crash: %v", err)
	}
	w.Add("credentials", credentials.New)
}

// stays fails unless a device is in, and another speaks for it.
func (w *world) stays(id, via twin.ID) {
	w.t.Helper()
	f, err := w.admin.ListCredentials(ctx, id)
	if err != nil || len(f.Items) == 0 || f.Items[0].State == api.CredentialEnded || f.Items[0].ViaTwin != via {
		w.t.Errorf("%s: %+v, %v", id, f.Items, err)
	}
	if got, err := w.admin.GetTwin(ctx, id); err != nil || got.Definition.Phase != twin.Operational {
		w.t.Errorf("%s is %s, %v", id, got.Definition.Phase, err)
	}
}
