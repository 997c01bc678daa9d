package agent_test

import (
	"context"
	"strings"
	"testing"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/internal/gatewaytest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// The text of a QR code is all that a device needs to come in: the CA it gets from the gateway, and takes no other.
func TestADeviceComesInByAQRCode(t *testing.T) { each(t, aDeviceComesInByAQRCode) }

func aDeviceComesInByAQRCode(t *testing.T, p *gatewaytest.Platform) {
	text, err := p.Claim.Text()
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, p, t.TempDir(), func(c *agent.Config) { c.Claim = agent.ClaimOf(text) })
	r.reach(agent.Confirmed)

	_, ca, err := api.ParseClaimText(text)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(text, ca, strings.Repeat("A", len(ca)), 1)
	if _, err := agent.ClaimOf(other)(context.Background()); err == nil || !strings.Contains(err.Error(), "is not the claim's") {
		t.Errorf("a gateway of somebody else: %v", err)
	}
	if _, err := agent.ClaimOf(api.ClaimScheme + "g=x")(context.Background()); !isInvalid(err) {
		t.Errorf("half a text: %v", err)
	}
}

func isInvalid(err error) bool {
	return err != nil && strings.Contains(err.Error(), twin.ErrInvalid.Error())
}
