package identities_test

import (
	"context"
	"errors"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// What an owner made gives way to configurators only, not to what a run of another group registers.
func TestARunTakesNoIdentityAway(t *testing.T) {
	ctx := context.Background()
	w, carl := start(t)
	makeTwin(t, w, twin.Twin{ID: "pump", Kind: twin.Type, Definition: twin.Definition{Model: &twin.Model{}}})
	makeTwin(t, w, twin.Twin{ID: "b-9", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "beta"}})
	bert := w.User("bert", []access.Role{access.Owner}, "beta")
	part := w.Part("twin-provision", "")
	const mac = "02:00:00:00:00:b1"
	if _, err := bert.CreateIdentity(ctx, device.Identity{Serial: "B-1", Type: "pump", MAC: mac}); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]device.Identity{
		"the serial":           {Serial: "B-1", Type: "pump", Owner: "alpha"},
		"the mac":              {Serial: "A-2", MAC: mac, Type: "pump", Owner: "alpha"},
		"the id":               {Serial: "b 1", ID: "b-1", Type: "pump", Owner: "alpha"},
		"another group's twin": {Serial: "B-9", Type: "pump", Owner: "alpha"},
		"its own, once more":   {Serial: "B-1", Type: "pump", Owner: "beta"},
	} {
		if _, err := part.CreateIdentity(ctx, in); !errors.Is(err, api.ErrExists) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := bert.GetIdentity(ctx, "b-1"); err != nil || got.Owner != "beta" || got.MAC != mac {
		t.Errorf("bert's is %+v, %v", got, err)
	}
	if got, err := part.CreateIdentity(ctx, device.Identity{Serial: "B-9", Type: "pump", Owner: "beta"}); err != nil || got.Owner != "beta" {
		t.Errorf("for the own twin: %+v, %v", got, err)
	}
	if _, err := carl.CreateIdentity(ctx, device.Identity{Serial: "B-1", MAC: mac}); err != nil {
		t.Errorf("a configurator's: %v", err)
	}
}
