package credentials_test

import (
	"context"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/gateways"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
)

// Function gateways is away while a claim is made and another is revoked: the gateways hear of both by the sweep.
func TestTheSweepTellsWhatCouldNotBeTold(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	old := w.claim(1)
	w.Add("gateways", func(p *platform.Platform) faas.Func {
		return platform.Ready(p, func(context.Context) (faas.Routes, error) { return nil, api.ErrUnavailable })
	})
	made := w.claim(1)
	if made.Token == "" {
		t.Error("the token is lost")
	}
	if err := w.admin.RevokeClaim(ctx, old.Claim.ID); err == nil {
		t.Error("revoking says it is done, but the gateways do not know")
	}
	w.Add("gateways", gateways.New)
	w.SetTime(time.Now().Add(20 * time.Second))
	w.gateway("prov", "provisioning")
	if w.admission("prov", made.Claim.ID) != nil || w.admission("prov", old.Claim.ID) == nil {
		t.Fatal("the gateway knows already")
	}
	if out, err := w.Part("twin-watchdog", "").Sweep(ctx, "credentials"); err != nil || out.Repaired != 2 {
		t.Errorf("the sweep: %+v, %v", out, err)
	}
	if w.admission("prov", made.Claim.ID) == nil {
		t.Error("the claim is not admitted")
	}
	if w.admission("prov", old.Claim.ID) != nil {
		t.Error("the revoked claim is still admitted")
	}
}
