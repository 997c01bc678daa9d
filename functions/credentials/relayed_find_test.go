package credentials_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/castor-iot/castor/functions/credentials"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// spoken is what others read of a relayed device's credential: whose device speaks for it, and to whose it is on its way.
type spoken struct {
	Twin twin.ID `bson:"_id"`
	Via  twin.ID `bson:"viaTwin,omitempty"`
	To   string  `bson:"moving,omitempty"`
}

// forget takes away what the credentials of relayed devices did not say before: whose device speaks for them.
func (w *world) forget(ids ...twin.ID) {
	w.t.Helper()
	c, err := platform.OpenSpoken[spoken](context.Background(), w.Base.DB)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, id := range ids {
		if _, err := c.Update(context.Background(), string(id), func(s *spoken) error { s.Via = ""; return nil }); err != nil {
			w.t.Fatal(err)
		}
	}
}

// behind is how many devices are listed with a bridge.
func (w *world) behind(id twin.ID) (n int) {
	w.t.Helper()
	for cursor := ""; ; {
		page, err := w.admin.ListRelayed(context.Background(), id, cursor)
		if err != nil {
			w.t.Fatal(err)
		}
		n += len(page.Items)
		if cursor = page.Next; cursor == "" {
			return n
		}
	}
}

// Devices that came in before it was kept whose device speaks for them are listed with that one after some sweeps, each of which looks at some
// of them, whatever crashes; who spoke for one of them has come in anew, so that nobody can tell. Then nobody looks any more.
func TestOldRelayedDevicesAreFoundByTheirBridge(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	bridge, anew := w.bridge("bridge"), w.bridge("anew")
	const n = 430 // three sweeps
	var old []twin.ID
	for i := range n {
		id := twin.ID(fmt.Sprintf("lamp-%d", i))
		w.relayed(id, bridge.Ref, string(id))
		old = append(old, id)
	}
	w.relayed("stray", anew.Ref, "stray")
	w.forget(append(old, "stray")...)
	if err := w.admin.RevokeCredential(ctx, anew.Ref, "lost"); err != nil {
		t.Fatal(err)
	}
	for writes, sweeps := 0, 0; w.behind("bridge") < n; sweeps++ {
		if sweeps > 100 {
			t.Fatalf("%d of %d after %d sweeps", w.behind("bridge"), n, sweeps)
		}
		before := w.behind("bridge")
		crash := w.Crash(writes, functiontest.Ways[sweeps%len(functiontest.Ways)])
		crash.Run(w.World, "credentials", credentials.New)
		_, _ = w.Part("twin-watchdog", "").Sweep(ctx, "credentials") // it may crash in there
		w.Add("credentials", credentials.New)
		if found := w.behind("bridge") - before; found > 200 {
			t.Errorf("one sweep found %d", found)
		}
		writes += 40
	}
	for range 3 { // to the end
		w.sweep()
	}
	if n := w.behind("anew"); n != 0 {
		t.Errorf("%d behind who cannot be known", n)
	}
	w.forget("lamp-0") // nobody looks any more, nor does an instance that was started since
	w.sweep()
	w.Add("credentials", credentials.New)
	w.sweep()
	if got := w.behind("bridge"); got != n-1 {
		t.Errorf("%d of %d: it is looked for still", got, n)
	}
	if f, err := w.admin.MoveRelayed(ctx, "stray", api.MoveRelayed{Via: "bridge"}); err != nil || f.Ref != device.RelayedRef(bridge.Ref, "stray") {
		t.Errorf("moved: %+v, %v", f, err)
	}
}
