package identities_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
)

// A device that was decommissioned by mistake may come in again when a configurator says why, once nothing is left of its twin.
func TestADecommissionedIdentityIsRestored(t *testing.T) {
	ctx := context.Background()
	w, carl := start(t)
	audit := w.Collect(event.Audit)
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	if _, err := carl.CreateIdentity(ctx, device.Identity{Serial: "P-1", Model: "A"}); err != nil {
		t.Fatal(err)
	}
	makeTwin(t, w, twin.Twin{ID: "p-1", Kind: twin.Instance, Definition: twin.Definition{Owner: "press", Phase: twin.Retired}})
	if _, err := w.Part("twins", "").RetireIdentity(ctx, "p-1", "scrapped"); err != nil {
		t.Fatal(err)
	}
	if _, err := carl.RestoreIdentity(ctx, "p-1", "it was another one"); !errors.Is(err, api.ErrConflict) {
		t.Errorf("while it is decommissioned: %v", err)
	}
	twins, err := platform.OpenTwins(ctx, w.Base.DB)
	if err == nil {
		err = twins.Delete(ctx, "p-1")
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ada.RestoreIdentity(ctx, "p-1", "x"); !errors.Is(err, access.ErrDenied) {
		t.Errorf("an owner: %v", err)
	}
	if _, err := carl.RestoreIdentity(ctx, "p-1", " "); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("without a reason: %v", err)
	}
	for _, id := range []twin.ID{"p-9", "..%2fp-1"} {
		if _, err := carl.RestoreIdentity(ctx, id, "x"); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
	for range 2 {
		if got, err := carl.RestoreIdentity(ctx, "p-1", "it was another one"); err != nil || got.Retired != nil || got.Model != "A" {
			t.Errorf("%+v, %v", got, err)
		}
	}
	n := 0
	for _, e := range audit() {
		var r access.Record
		if e.Decode(&r) == nil && r.Method == "RESTORE" && r.Caller == "user:carl" && strings.Contains(r.Path, "it was another one") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the audit has it %d times", n)
	}
}
