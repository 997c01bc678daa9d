package stream

import (
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/tests/sse"
)

// Unknown devices are nobody's yet: those hear of them who may let them in.
func TestOfUnknownDevicesHearsWhoBringsDevicesIn(t *testing.T) {
	w := newWorld(t)
	r := w.replica()
	admin := r.open(t, w.Admin(), "?topics=waiting")
	ada := r.open(t, w.User("ada", []access.Role{access.Configurator}, "press"), "?topics=waiting")
	bob := r.open(t, w.owner("foundry"), "?topics=waiting")
	w.publish(event.New("w-1", event.ProvisionWaiting, "0af1", time.Now(), api.WaitingChanged{ID: "0af1", State: api.WaitingNow, Serial: "P-7", Counts: api.WaitingCounts{Waiting: 1}}))
	for _, s := range []*sse.Stream{admin, ada} {
		s.Until("waiting", sse.Has(`"serial":"P-7"`))
	}
	quiet(t, bob)
}
