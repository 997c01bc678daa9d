package e2e

import (
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
)

// A device that speaks gRPC comes in, reports, loses its link and does what it is told, like any other.
func TestADeviceOnGRPC(t *testing.T) {
	w := NewWorld(t)
	w.Type("pump")
	owner := w.Owner("plant")
	w.Identity("G-1")
	claim := w.Claim("pump", "plant")
	if claim.Gateway = claim.Gateways["grpc"]; !strings.HasPrefix(claim.Gateway, "grpcs://") {
		t.Fatalf("the claim's gateways are %v", claim.Gateways)
	}
	d := w.Device(claim, "G-1")
	w.Ready(d)
	place, err := w.Admin.GetAssignment(w.Context(), d.Ref())
	w.must(err, "where it is")
	if !strings.HasPrefix(place.URL, "grpcs://") || place.Gateway != "operational-grpc-1" {
		t.Errorf("it has its place at %s, %s", place.Gateway, place.URL)
	}

	w.Measure(d, "rpm", 1200)
	d.CutOff()
	w.Measure(d, "rpm", 1300, 1450)
	d.Reconnect()
	w.Drained(d)
	if got := w.Reported(d.Twin(), "rpm"); got != 1450.0 {
		t.Errorf("its twin reports %v", got)
	}
	if n := len(w.History(d.Twin(), "rpm")); n != 3 {
		t.Errorf("history has %d readings, want 3", n)
	}
	w.Eventually("the twin is online", func() bool { return w.Twin(d.Twin()).Live.Presence.Connected })
	n, err := owner.SendCommand(w.Context(), api.NewCommand{Twin: d.Twin(), Name: "ping"})
	w.must(err, "send")
	if n := w.Ended(owner, n.ID); n.State != api.CommandSucceeded {
		t.Errorf("the command ended as %+v", n)
	}
	d.CutOff()
	w.Eventually("the twin is offline", func() bool { return !w.Twin(d.Twin()).Live.Presence.Connected })
}
