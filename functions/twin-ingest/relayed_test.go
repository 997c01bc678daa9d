package twiningest_test

import (
	"context"
	"testing"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// A device that another one speaks for is heard where that one has its place, and nowhere else.
func TestARelayedDeviceIsHeardWhereItsBridgeIs(t *testing.T) {
	w := newWorld(t, twin.Model{}, "bridge-1")
	for _, id := range []twin.ID{"lamp-1", "lamp-2"} {
		w.add(id)
	}
	type mapping struct {
		Twin       twin.ID      `bson:"_id"`
		Ref        device.Ref   `bson:"ref,omitempty"`
		Via        device.Ref   `bson:"via,omitempty"`
		Generation int64        `bson:"generation"`
		Outbox     event.Outbox `bson:"outbox"`
		ViaTwin    twin.ID      `bson:"viaTwin,omitempty"`
	}
	c, err := platform.OpenCredentials[mapping](context.Background(), w.Base.DB)
	must(t, err)
	w.Enrol("gw-1", 1, "bridge-1")
	for id, via := range map[twin.ID]device.Ref{"lamp-1": "device-of-bridge-1", "lamp-2": "nobody"} {
		must(t, c.PutMany(context.Background(), []mapping{{Twin: id, Ref: device.RelayedRef(via, string(id)), Via: via, Generation: 1}}))
	}
	for _, tt := range []struct {
		gateway string
		twin    twin.ID
		want    telemetry.Outcome
	}{{"gw-1", "lamp-1", telemetry.Stored}, {"gw-2", "lamp-1", telemetry.Retry}, {"gw-1", "lamp-2", telemetry.Retry}} {
		if got := w.by(tt.gateway, measured(tt.twin, 2, "rpm", 1)).Outcomes; len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s at %s: %v, want %s", tt.twin, tt.gateway, got, tt.want)
		}
	}
}
