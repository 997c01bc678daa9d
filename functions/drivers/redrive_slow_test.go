package drivers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/drivers"
	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/tests/functiontest"
)

// What a driver does not get through in the time of a step is handed over in parts, each message once; the first part is noted before
// the last is read.
func TestARedriveByASlowDriver(t *testing.T) {
	defer drivers.ReadFor(0)()
	w := newParkedWorld(t)
	w.device("p-1", "pump", "plant", 130)
	code := "function decodeUplink(i) { if (i.bytes[0] === 128) throw new Error('worn out'); return {data: {n: i.bytes[0]}}; }"
	_, err := w.Admin().PublishDriver(bg, api.PublishDriver{Driver: driver.Driver{Name: "th", Version: "1.1.0", Kind: driver.JavaScript, Limit: time.Second, Code: []byte(code),
		Tests: []driver.Test{{Call: driver.Call{Op: driver.DecodeUplink, Bytes: []byte{1, 2}, Port: 2}, Want: driver.Want{Data: map[string]any{"n": 1.0}}}}}})
	w.must(err)
	_, err = w.Admin().PromoteDriver(bg, "th", "1.1.0")
	w.must(err)
	j, err := w.Admin().Redrive(bg, api.NewRedrive{Twin: "p-1"})
	w.must(err)
	c := w.Crash(3, functiontest.Before) // it is taken, planned, and the first part noted
	c.Base.Objects = w.Base.Objects
	c.Run(w.World, "drivers", drivers.New)
	_ = w.Tick("drivers", w.Now())
	if j, err = w.Admin().GetRedrive(bg, j.ID); err != nil || !c.Came() || j.Stored != 4 {
		t.Errorf("after the first part: %+v, %v", j, err)
	}
	w.Add("drivers", drivers.New)
	w.SetTime(w.Now().Add(2 * time.Minute))
	j = w.wait(w.Admin(), j.ID)
	if j.State != api.JobDone || j.Stored != 129 || j.Left != 1 || j.Gone != 0 || w.left("p-1") != 1 || len(w.values("p-1")) != 129 {
		t.Errorf("at its end: %+v, history has %d values", j, len(w.values("p-1")))
	}
}

// A redrive that fails at each step is cancelled all the same.
func TestARedriveThatWaitsIsCancelled(t *testing.T) {
	w := newParkedWorld(t)
	w.device("p-1", "pump", "plant", 3)
	w.publish("1.1.0", reads)
	w.Crash(0, functiontest.Before).Run(w.World, "twin-ingest", twiningest.New)
	j, err := w.Admin().Redrive(bg, api.NewRedrive{Twin: "p-1"})
	w.must(err)
	w.must(w.Tick("drivers", w.Now()))
	if j, err = w.Admin().GetRedrive(bg, j.ID); err != nil || !strings.HasPrefix(j.Reason, "waits: ") {
		t.Fatalf("while it waits: %+v, %v", j, err)
	}
	_, err = w.Admin().CancelRedrive(bg, j.ID)
	w.must(err)
	w.SetTime(w.Now().Add(time.Minute))
	w.must(w.Tick("drivers", w.Now()))
	if j, err = w.Admin().GetRedrive(bg, j.ID); err != nil || j.State != api.JobCancelled || j.Stored != 0 || w.left("p-1") != 3 {
		t.Errorf("after it was cancelled: %+v, %v", j, err)
	}
}
