package functiontest

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
)

// credential and assignment are what functions credentials and gateways store, as far as others read it.
type credential struct {
	Twin       twin.ID      `bson:"_id"`
	Ref        device.Ref   `bson:"ref,omitempty"`
	Generation int64        `bson:"generation"`
	Outbox     event.Outbox `bson:"outbox"`
	ViaTwin    twin.ID      `bson:"viaTwin,omitempty"`
}

type assignment struct {
	Ref          device.Ref `bson:"_id"`
	Twin         twin.ID    `bson:"twin"`
	Gateway      string     `bson:"gateway"`
	Removed      bool       `bson:"removed,omitempty"`
	StayUntil    time.Time  `bson:"stayUntil,omitempty"`
	RemovedAt    time.Time  `bson:"removedAt,omitempty"`
	PendingSince time.Time  `bson:"pendingSince,omitempty"`
}

// Enrol gives the devices of twins their places at a gateway, by a mapping of a generation, for tests in which functions
// credentials and gateways do not run. Who has a place already gets this one instead.
func (w *World) Enrol(gateway string, generation int64, ids ...twin.ID) {
	w.t.Helper()
	ctx := context.Background()
	credentials, err := platform.OpenCredentials[credential](ctx, w.Base.DB)
	if err != nil {
		w.t.Fatal(err)
	}
	assignments, err := platform.OpenAssignments[assignment](ctx, w.Base.DB)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, id := range ids {
		ref := device.Ref("device-of-" + id)
		if err := assignments.PutMany(ctx, []assignment{{Ref: ref, Twin: id, Gateway: gateway}}); err != nil {
			w.t.Fatal(err)
		}
		if err := credentials.PutMany(ctx, []credential{{Twin: id, Ref: ref, Generation: generation}}); err != nil {
			w.t.Fatal(err)
		}
	}
}
