// Package gatewaytest makes gateways for tests of the protocols that stand on the door.
package gatewaytest

import (
	"testing"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/linktest"
)

// Config is what a gateway of the phase is made with in the suite: on this machine, with every way in that its phase has. Failures do
// not shut it, and hundreds of handshakes at once may take long on a machine that is busy with other things.
func Config(t testing.TB, w *linktest.World, phase string) gateway.Config {
	return gateway.Config{
		ID: w.Gateway, Phase: gateway.Phase(phase), Addr: "127.0.0.1:0", TLS: w.CA.Server(t, phase == "operational"),
		Dir: w.Dir, Bus: w.Bus, Log: linktest.Quiet, Limits: gateway.Limits{FailureBurst: 10_000, Handshake: linktest.Patience},
		VerifierKey: linktest.VerifierKey, Knocks: phase == "provisioning",
	}
}
