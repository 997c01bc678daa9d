package drivers_test

import (
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// What a device sent before it had its twin is read with the version that is for the twin now.
func TestWhatIsAdoptedIsRead(t *testing.T) {
	w := newParkedWorld(t)
	w.publish("1.0.0", reads)
	_, err := w.Part("connector", "gw-1").Ingest(bg, telemetry.Batch{Gateway: "gw-1", Messages: []telemetry.Message{{Ref: "device-of-p-1", Kind: telemetry.Undecoded,
		Was: telemetry.Telemetry, Received: at.Add(-time.Hour), Order: twin.Order{Epoch: 1, Seq: 1, Assigned: true}, Port: 2, Raw: []byte{7, 0}}}})
	w.must(err)
	w.device("p-1", "pump", "plant", 0)
	olga := w.User("olga", []access.Role{access.Owner}, "plant")
	if a, err := olga.AdoptParked(bg, "p-1", ""); err != nil || a.Adopted != 1 || w.left("p-1") != 1 {
		t.Fatalf("adopted: %+v, %v", a, err)
	}
	if j := w.redrive(olga, api.NewRedrive{Twin: "p-1"}); j.State != api.JobDone || j.Stored != 1 || w.left("p-1") != 0 {
		t.Errorf("at its end: %+v", j)
	}
	p, err := w.twins.Get(bg, "p-1")
	w.must(err)
	if r, _ := p.Live.Reading("n"); r.Value != 7.0 || !r.At.Equal(at.Add(-time.Hour)) {
		t.Errorf("the twin reports %+v", r)
	}
}
