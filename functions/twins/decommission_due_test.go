package twins_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/credentials"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// What people may say as a reason is never too long for those who are told of it, and cut between characters.
func TestTheLongestReasonEndsAccess(t *testing.T) {
	w := withDevices(t)
	for i, reason := range []string{strings.Repeat("x", 500), strings.Repeat("é", 250), strings.Repeat("世", 166)} {
		id := twin.ID(fmt.Sprintf("p-%d", i))
		c := w.enrolled(id, 1)
		if _, err := w.admin.Decommission(ctx, id, api.NewDecommission{Reason: reason, Data: twin.Erase}); err != nil {
			t.Fatal(err)
		}
		w.out(c.Ref)
		v := w.ends(w.admin, id)
		why := strings.TrimPrefix(v.Credentials[0].Reason, "decommissioned: ")
		if v.Reason != reason || len(why) < 480 || !strings.HasPrefix(reason, why) {
			t.Errorf("%q, its credential %q", v.Reason, v.Credentials[0].Reason)
		}
	}
}

// A spoilt is a store in which documents of function credentials cannot be written, as when they are damaged.
type spoilt struct {
	store.Driver
	healed *atomic.Bool
	fault  error
	prefix string // of their ids
}

type spoiltTable struct {
	store.Table
	of spoilt
}

func (s spoilt) Table(ctx context.Context, name string, indexes []store.Index) (store.Table, error) {
	t, err := s.Driver.Table(ctx, name, indexes)
	if err != nil || name != "credentials" {
		return t, err
	}
	return spoiltTable{t, s}, nil
}

func (t spoiltTable) Write(ctx context.Context, writes []store.Write) ([]error, error) {
	for _, w := range writes {
		if strings.HasPrefix(w.ID, t.of.prefix) && !t.of.healed.Load() {
			return nil, t.of.fault
		}
	}
	return t.Table.Write(ctx, writes)
}

// spoil has the credentials of the twins whose ids begin so stay as they are until they are healed.
func (w *world) spoil(prefix string, fault error) (healed *atomic.Bool) {
	healed = new(atomic.Bool)
	plain := w.Base.DB
	w.Base.DB = store.New(spoilt{plain.Driver(), healed, fault, prefix})
	w.Add("credentials", credentials.New)
	w.Base.DB = plain
	return healed
}

// tick is the turn of the function some time later.
func (w *world) tick(later time.Duration) {
	w.t.Helper()
	w.SetTime(w.Now().Add(later))
	w.alive()
	must(w.t, w.Tick("twins", w.Now()))
}

// What does not pass by itself is told; what passes is waited for.
func TestADecommissioningSaysWhatItWaitsFor(t *testing.T) {
	for fault, want := range map[error]string{
		twin.ErrInvalid:       "somebody to mend this: ",
		errors.New("damaged"): "something that is away for now",
	} {
		w := withDevices(t)
		c := w.enrolled("p-1", 1)
		healed := w.spoil("p-1", fault)
		v, err := w.admin.Decommission(ctx, "p-1", api.NewDecommission{Reason: "x", Data: twin.Erase})
		if err != nil || !strings.HasPrefix(v.Waits, want) || v.State != api.DecommissionAccess {
			t.Errorf("%v: %+v, %v", fault, v, err)
		}
		healed.Store(true)
		w.out(c.Ref)
		if v = w.ends(w.admin, "p-1"); v.Waits != "" || v.Credentials[0].State != api.CredentialEnded {
			t.Errorf("%+v", v)
		}
	}
}

// As many devices as one pass takes cannot go: those behind them go all the same, and they as soon as they can.
func TestDevicesThatCannotGoHoldUpNoOthers(t *testing.T) {
	w := withDevices(t)
	hub := w.enrolled("hub", 1)
	for i := range 100 {
		w.relayed(twin.ID(fmt.Sprintf("bad-%02d", i)), hub.Ref)
	}
	w.relayed("good", hub.Ref)
	healed := w.spoil("bad-", errors.New("damaged"))
	if _, err := w.admin.Decommission(ctx, "hub", api.NewDecommission{Reason: "x", Data: twin.Erase, WithDevices: true}); err != nil {
		t.Fatal(err)
	}
	w.out(hub.Ref)
	for range 30 { // a pass has a part of the devices only where things are slow
		if v, err := w.Admin().GetDecommission(ctx, "good"); err == nil && v.State != api.DecommissionAccess {
			break
		}
		w.tick(time.Minute)
	}
	w.ends(w.Admin(), "good")
	if v, err := w.Admin().GetDecommission(ctx, "hub"); err != nil || v.State != api.DecommissionAccess || !strings.Contains(v.Waits, "100 devices") {
		t.Errorf("%+v, %v", v, err)
	}
	healed.Store(true)
	w.ends(w.Admin(), "hub")
	w.ends(w.Admin(), "bad-00")
}

// A hundred that wait hold up nobody, with devices or without; but whose devices are just going along comes first.
func TestThoseThatWaitHoldUpNobody(t *testing.T) {
	w := withDevices(t)
	for i := range 100 { // as many as have their turn at a time; their gateway does not say that they are out
		id := twin.ID(fmt.Sprintf("hub-%02d", i))
		w.enrolled(id, 0)
		if _, err := w.admin.Decommission(ctx, id, api.NewDecommission{Reason: "x", Data: twin.Erase, WithDevices: true}); err != nil {
			t.Fatal(err)
		}
	}
	last := w.enrolled("the-last", 0)
	if _, err := w.admin.Decommission(ctx, "the-last", api.NewDecommission{Reason: "x", Data: twin.Erase}); err != nil {
		t.Fatal(err)
	}
	w.out(last.Ref)
	bridge := w.enrolled("with-devices", 0)
	for i := range 101 { // more than one pass takes
		w.relayed(twin.ID(fmt.Sprintf("lamp-%03d", i)), bridge.Ref)
	}
	v, err := w.admin.Decommission(ctx, "with-devices", api.NewDecommission{Reason: "x", Data: twin.Erase, WithDevices: true})
	must(t, err)
	before := v.Waits // how many of its devices are left
	w.tick(3 * time.Second)
	if v, err := w.admin.GetDecommission(ctx, "with-devices"); err != nil || !strings.Contains(before, "to go first") || v.Waits == before {
		t.Errorf("it had no turn: before %q, now %q, %v", before, v.Waits, err)
	}
	for range 3 {
		w.tick(3 * time.Second)
	}
	if v, err := w.admin.GetDecommission(ctx, "the-last"); err != nil || v.State == api.DecommissionAccess {
		t.Errorf("a hundred that wait keep another's from ending: %+v, %v", v, err)
	}
}
