package credentials_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// A claim names the nearest provisioning gateway that is alive and has room, and what else its devices may dial.
func TestAClaimNamesTheNearestGateway(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	report := func(g api.Gateway) {
		t.Helper()
		g.Phase, g.URL = "provisioning", "tls://"+g.ID+".example:8884"
		if _, err := w.Part("connector", g.ID).PutGateway(ctx, g); err != nil {
			t.Fatal(err)
		}
	}
	north, south := api.Gateway{ID: "a-north", Region: "north"}, api.Gateway{ID: "a-south", Region: "south"}
	report(north)
	report(south)
	report(api.Gateway{ID: "a-full", Region: "north", Capacity: 1, Sessions: 1})
	claim := func(region, gateway string) (api.ClaimFile, error) {
		in := api.NewClaim{Type: "pump", Owner: "press", Gateway: gateway}
		if region != "" {
			in.Location = &twin.Location{Region: region}
		}
		return w.admin.CreateClaim(ctx, in)
	}
	for _, tt := range []struct{ what, region, gateway, want, says string }{
		{"its region", "south", "", "a-south", "region south is the device's"},
		{"another region", "north", "", "a-north", "region north"},
		{"one that people insist on", "south", "a-north", "a-north", "it was asked for"},
	} {
		f, err := claim(tt.region, tt.gateway)
		url := "tls://" + tt.want + ".example:8884"
		if err != nil || f.Gateway != url || f.Gateways["mqtt"] != url || !strings.Contains(f.Reason, tt.want) || !strings.Contains(f.Reason, tt.says) {
			t.Errorf("%s: %s because %q (%v), want %s because %s", tt.what, f.Gateway, f.Reason, err, tt.want, tt.says)
		}
		if a := f.Alternatives["mqtt"]; len(a) != 2 || slices.Contains(a, url) || slices.Contains(a, "tls://a-full.example:8884") {
			t.Errorf("%s: alternatives %v", tt.what, a)
		}
	}
	for gateway, says := range map[string]string{"op": "is an operational one", "nobody": "there is no gateway"} {
		if _, err := claim("", gateway); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("gateway %s: %v", gateway, err)
		}
	}
	w.SetTime(w.Now().Add(time.Minute))
	report(north)
	f, err := claim("south", "")
	if err != nil || f.Gateway != "tls://a-north.example:8884" || len(f.Alternatives) > 0 {
		t.Errorf("the others are not heard of: %s, %v, %v", f.Gateway, f.Alternatives, err)
	}
	w.SetTime(w.Now().Add(time.Minute))
	if f, err = claim("south", ""); err != nil || f.Gateway != w.Base.Provisioning {
		t.Errorf("none is heard of: %s, %v, want the configured one", f.Gateway, err)
	}
}
