package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/mongo"
)

// Provision brings a device in by a claim of its own, and waits until it is operational.
func (w *World) Provision(t twin.TypeID, serial, owner string) *device.Device {
	w.Helper()
	w.Identity(serial)
	d := w.Device(w.Claim(t, owner, func(c *api.NewClaim) { c.MaxUses = 1 }), serial)
	w.Ready(d)
	return d
}

// Device switches a device on that asks with a claim.
func (w *World) Device(claim api.ClaimFile, serial string) *device.Device {
	w.Helper()
	return w.DeviceIn("", claim, serial)
}

// DeviceIn is Device with a directory that outlives it.
func (w *World) DeviceIn(dir string, claim api.ClaimFile, serial string) *device.Device {
	w.Helper()
	d, err := device.Start(device.Config{Claim: claim, Serial: serial, Dir: dir, AnswerTimeout: 5 * time.Second})
	w.must(err, "device "+serial)
	w.Cleanup(func() { d.Close() })
	return d
}

// Ready waits until a device is operational.
func (w *World) Ready(d *device.Device) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
	defer cancel()
	w.must(d.Ready(ctx), "the device comes in")
}

// Drained waits until everything that a device has measured is acknowledged as stored.
func (w *World) Drained(d *device.Device) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 60*time.Second)
	defer cancel()
	w.must(d.Drain(ctx), "the backlog is stored")
}

// Measure has a device measure values of one property, a second apart, ending now.
func (w *World) Measure(d *device.Device, property string, values ...float64) {
	w.Helper()
	at := time.Now().Add(-time.Duration(len(values)) * time.Second)
	for _, v := range values {
		at = at.Add(time.Second)
		_, err := d.Measure(at, map[string]any{property: v})
		w.must(err, "measure")
	}
}

// Reported is the newest value of a property that a twin reports; nil if it reports none.
func (w *World) Reported(id twin.ID, property string) any {
	w.Helper()
	t := w.Twin(id)
	r, ok := t.Live.Reading(property)
	if !ok {
		return nil
	}
	return r.Value
}

// on runs a story on each stage: in one process on the embedded store and on the MongoDB of the tests, and as many processes. It is for
// stories that end, find and restart things in one process on MongoDB; the others meet MongoDB in processes (both).
func on(t *testing.T, story func(t *testing.T, stage Option)) {
	t.Run("mongo", func(t *testing.T) {
		url := mongo.Start(t)
		story(t, func(c *Settings) { c.MongoURL = url })
	})
	both(t, story)
}

// both runs a story in one process on the embedded store, and with every part processes of its own on MongoDB, in replicas
// that are killed and calls that are repeated.
func both(t *testing.T, story func(t *testing.T, stage Option)) {
	t.Run("embedded", func(t *testing.T) { story(t, func(*Settings) {}) })
	t.Run("processes", func(t *testing.T) { story(t, func(c *Settings) { c.Processes = true }) })
}
