package credentials_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/castor-iot/castor/functions/credentials"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// A bridge is enrolled anew while a device moves to it, or is brought in behind it: the device is behind it as it is known now, at once.
func TestADeviceThatComesWhileItsBridgeIsEnrolledAnew(t *testing.T) {
	for what, write := range map[string]int32{"moves": 2, "is to move": 1, "is brought in": 1} { // the write before which it is
		t.Run(what, func(t *testing.T) {
			w := start(t)
			ctx := context.Background()
			one, two := w.bridge("one"), w.bridge("two")
			old := two.Ref
			if what == "is brought in" {
				w.owned("lamp", "press")
			} else {
				w.relayed("lamp", one.Ref, "lamp")
			}
			var n atomic.Int32
			w.Base.DB = store.New(meanwhile{w.Base.DB.Driver(), func() {
				if n.Add(1) == write {
					two = w.anew("two")
				}
			}})
			w.Add("credentials", credentials.New)
			if what == "is brought in" {
				in := api.NewCredential{Twin: "lamp", Run: "a.1", Kind: device.Relayed, Via: old, Name: "hall"}
				c, err := w.Part("twin-provision", "").IssueCredential(ctx, in)
				if err != nil || c.Ref != device.RelayedRef(two.Ref, "hall") {
					t.Errorf("%+v, %v", c, err)
				}
				in.Via = two.Ref
				if again, err := w.Part("twin-provision", "").IssueCredential(ctx, in); err != nil || again.Ref != c.Ref {
					t.Errorf("asked again: %+v, %v", again, err)
				}
			} else if f, err := w.admin.MoveRelayed(ctx, "lamp", api.MoveRelayed{Via: "two", Name: "hall"}); err != nil || f.Ref != device.RelayedRef(two.Ref, "hall") {
				t.Errorf("%+v, %v", f, err)
			}
			if old == two.Ref {
				t.Fatal("it was not enrolled anew")
			}
			w.isAt("lamp", device.RelayedRef(two.Ref, "hall"), device.RelayedRef(old, "hall"))
		})
	}
}

// The platform dies in between: who asks again, for the bridge as it is known now, gets what was begun.
func TestACrashWhileTheBridgeOfADeviceIsEnrolledAnew(t *testing.T) {
	w := start(t)
	ctx, p := context.Background(), w.Part("twin-provision", "")
	two := w.bridge("two")
	in := api.NewCredential{Twin: "lamp", Run: "a.1", Kind: device.Relayed, Via: two.Ref, Name: "hall"}
	w.owned("lamp", "press")
	var crash *functiontest.Crash
	var once sync.Once
	w.Base.DB = store.New(meanwhile{w.Base.DB.Driver(), func() {
		once.Do(func() {
			crash.Over() // another replica enrols it
			two = w.anew("two")
		})
	}})
	crash = w.Crash(1, functiontest.Published)
	crash.Run(w.World, "credentials", credentials.New)
	if c, err := p.IssueCredential(ctx, in); err == nil || in.Via == two.Ref {
		t.Fatalf("%+v; the bridge is %s, was %s", c, two.Ref, in.Via)
	}
	was := device.RelayedRef(in.Via, "hall")
	in.Via = two.Ref
	if _, err := p.IssueCredential(ctx, in); err != nil {
		t.Error(err)
	}
	w.isAt("lamp", device.RelayedRef(two.Ref, "hall"), was)
}

// anew has a bridge enrolled anew, by another reference.
func (w *world) anew(id twin.ID) api.Credential {
	w.t.Helper()
	ctx, p := context.Background(), w.Part("twin-provision", "")
	if err := w.admin.RevokeCredential(ctx, w.ref(id), "new key"); err != nil {
		w.t.Error(err)
	}
	c, err := p.IssueCredential(ctx, api.NewCredential{Twin: id, Run: "bridge.2", Kind: device.Token, Protocol: "http", PublicKey: newReader(w.t).public})
	if err == nil {
		_, err = p.AssignGateway(ctx, api.Assign{Ref: c.Ref, Twin: id, Proof: c.Proof()})
	}
	if err != nil {
		w.t.Error(err)
	}
	return c
}
