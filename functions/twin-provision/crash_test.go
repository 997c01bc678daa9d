package twinprovision_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// The whole platform dies at every single write of a provisioning, in each way there is, and another instance goes on: the
// device ends operational with one certificate, one place, one use of the claim and one twin, and every bundle it was handed
// is the same.
func TestACrashAtEveryWrite(t *testing.T) {
	for _, how := range ways {
		t.Run(fmt.Sprintf("way %d", how), func(t *testing.T) {
			t.Parallel()
			w := start(t)
			claim := w.claim(api.NewClaim{MaxUses: 1000})
			told := w.Collect(event.ProvisionStep)
			var ends []string
			for n := 0; ; n++ {
				if n > 500 {
					t.Fatal("it never gets through without a crash")
				}
				w.renew(n)
				d := &crashed{w: w, r: w.request(claim, fmt.Sprintf("P-%03d", n))}
				w.identity(d.r.Serial)
				c := w.Crash(n, how)
				for name, build := range all {
					c.Run(w.World, name, build)
				}
				err := d.drive()
				c.Over()
				through := !c.Came()
				if through && err != nil {
					t.Fatalf("nothing crashed, yet: %v", err)
				}
				ends = append(ends, d.finish(n))
				if t.Failed() {
					t.FailNow()
				}
				if through {
					break
				}
			}
			w.counts(claim, len(ends))
			steps := map[string]int{}
			seen := map[string]bool{}
			for _, e := range told() {
				var s api.ProvisionStep
				w.must(e.Decode(&s))
				if !seen[e.ID] {
					seen[e.ID] = true
					steps[s.Run] += len(s.Steps)
				}
			}
			for _, id := range ends {
				if run := w.run(id); steps[id] != len(run.Steps) {
					t.Errorf("%d steps of run %s were told of, it has %d", steps[id], id, len(run.Steps))
				}
			}
			t.Logf("%d writes", len(ends)-1)
		})
	}
}

// crashed is a device whose platform crashes.
type crashed struct {
	w       *world
	r       api.ProvisionRequest
	bundles []api.Bundle
}

// drive does what a device and its gateways do, once, and stops at the first thing that does not work.
func (d *crashed) drive() error {
	for range 2 {
		a, err := d.w.prov.RequestProvisioning(d.w.ctx, d.r)
		if err != nil {
			return err
		}
		if a.Bundle != nil {
			d.bundles = append(d.bundles, *a.Bundle)
			return d.w.op.ConfirmProvisioning(d.w.ctx, api.Confirmation{Gateway: "op", Ref: a.Bundle.Ref, Twin: a.Bundle.Twin})
		}
		if a.Status != "pending" {
			return fmt.Errorf("it is told %+v", a)
		}
		if err := d.w.apply(d.w.run(a.Run).Results.DeviceRef); err != nil {
			return err
		}
	}
	return nil
}

// finish lets the platform go on until the device is operational, and looks at what there is then. It returns the run.
func (d *crashed) finish(n int) string {
	w := d.w
	w.t.Helper()
	var run provision.Run
	for i := 0; ; i++ {
		page, err := w.admin.ListRuns(w.ctx, api.RunQuery{})
		w.must(err)
		if len(page.Items) > 0 && page.Items[0].Request.Serial == d.r.Serial {
			run = w.run(page.Items[0].ID)
		}
		if run.Outcome == provision.Completed {
			break
		}
		if i > 20 {
			w.t.Fatalf("crash %d: it does not get there:\n%s", n, log(run))
		}
		w.must(w.later(16 * time.Second))
		w.sweep()
		_ = d.drive() // the device asks again until it is told no
	}
	w.SetTime(w.Now().Add(16 * time.Second))
	w.sweep()
	for _, s := range w.answers() {
		if s.Device == d.r.Client {
			if a := w.sent(d.r.Client); a.Bundle != nil {
				d.bundles = append(d.bundles, *a.Bundle)
			}
		}
	}
	for _, b := range d.bundles {
		if !reflect.DeepEqual(b, d.bundles[0]) {
			w.t.Errorf("crash %d: the device was handed two bundles:\n%+v\n%+v", n, d.bundles[0], b)
		}
	}
	tw, err := w.admin.GetTwin(w.ctx, twin.ID(strings.ToLower(d.r.Serial)))
	if err != nil || tw.Definition.Phase != twin.Operational || tw.Definition.Configuration == nil {
		w.t.Errorf("crash %d: its twin: %+v, %v", n, tw.Definition, err)
	}
	m, err := w.Part("twin-ingest", "").Resolve(w.ctx, []device.Ref{device.Ref(run.Results.DeviceRef)})
	if err != nil || len(m) != 1 || m[0].Generation != 1 || m[0].Twin != tw.ID {
		w.t.Errorf("crash %d: its reference resolves to %+v, %v", n, m, err)
	}
	if a, err := w.Part("twin-provision", "").GetAssignment(w.ctx, device.Ref(run.Results.DeviceRef)); err != nil || !a.Applied {
		w.t.Errorf("crash %d: its place: %+v, %v", n, a, err)
	}
	w.counts(run.Request.Claim, n+1)
	return run.ID
}

// counts fails the test unless claim and gateway count the devices exactly.
func (w *world) counts(claim string, devices int) {
	w.t.Helper()
	c, err := w.admin.GetClaim(w.ctx, claim)
	w.must(err)
	page, err := w.admin.ListGateways(w.ctx, "operational")
	w.must(err)
	if c.Used != int64(devices) || page.Items[0].Devices != int64(devices) {
		w.t.Errorf("of %d devices the claim counts %d and the gateway %d", devices, c.Used, page.Items[0].Devices)
	}
}

// renew signs in again now and then: time passes, tokens end.
func (w *world) renew(n int) {
	if n%3 == 0 {
		w.admin = w.Admin()
	}
}

func (w *world) sweep() {
	w.t.Helper()
	for _, f := range []string{"credentials", "gateways", "twins", "twin-provision"} {
		if _, err := w.Part("twin-watchdog", "").Sweep(w.ctx, f); err != nil {
			w.t.Fatalf("sweep of %s: %v", f, err)
		}
	}
}

// The same for a device that is refused when everything is made: whatever crashed, nothing is left of it.
func TestACrashAtEveryWriteOfAWithdrawal(t *testing.T) {
	for _, how := range ways {
		t.Run(fmt.Sprintf("way %d", how), func(t *testing.T) {
			t.Parallel()
			w := start(t)
			w.newType("boat", twin.Model{Template: "broken"})
			_, err := w.admin.PutTemplate(w.ctx, api.Template{Name: "broken", Format: "text", Content: "{{.Parameters.nothing}}"})
			w.must(err)
			claim := w.claim(api.NewClaim{Type: "boat", MaxUses: 3})
			for n, through := 0, false; !through; n++ {
				if n > 500 {
					t.Fatal("it never gets through without a crash")
				}
				w.renew(n)
				d := &crashed{w: w, r: w.request(claim, fmt.Sprintf("B-%03d", n), func(r *api.ProvisionRequest) { r.Type = "boat" })}
				w.identity(d.r.Serial)
				c := w.Crash(n, how)
				for name, build := range all {
					c.Run(w.World, name, build)
				}
				_ = d.drive()
				c.Over()
				through = !c.Came()
				if d.withdrawn(n); t.Failed() {
					t.FailNow()
				}
			}
		})
	}
}

// withdrawn lets the platform go on until the device is rejected, and looks for what is left of it.
func (d *crashed) withdrawn(n int) {
	w := d.w
	w.t.Helper()
	id := w.begun(d)
	var ref device.Ref
	for i := 0; ; i++ {
		run := w.run(id)
		if run.Results.DeviceRef != "" {
			ref = device.Ref(run.Results.DeviceRef)
		}
		if run.Outcome == provision.Rejected {
			break
		}
		if i > 20 {
			w.t.Fatalf("crash %d: it does not end:\n%s", n, log(run))
		}
		_ = w.apply(string(ref))
		w.must(w.later(16 * time.Second))
	}
	w.SetTime(w.Now().Add(16 * time.Second))
	w.sweep()
	w.nothingLeft(twin.ID(strings.ToLower(d.r.Serial)), d.r.Claim)
	if ref == "" {
		return
	}
	if m, err := w.Part("twin-ingest", "").Resolve(w.ctx, []device.Ref{ref}); err != nil || len(m) != 0 {
		w.t.Errorf("crash %d: its reference resolves to %+v, %v", n, m, err)
	}
	b, err := w.Base.Bus.Bucket(w.ctx, api.BucketOf("op"))
	w.must(err)
	if _, err := b.Get(w.ctx, api.AdmissionKey(string(ref))); !errors.Is(err, bus.ErrNotFound) {
		w.t.Errorf("crash %d: its gateway lets it in: %v", n, err)
	}
}

// begun is the run of a device, which asks once more if the crash came before there was one.
func (w *world) begun(d *crashed) string {
	w.t.Helper()
	for range 2 {
		page, err := w.admin.ListRuns(w.ctx, api.RunQuery{})
		w.must(err)
		if len(page.Items) > 0 && page.Items[0].Request.Serial == d.r.Serial {
			return page.Items[0].ID
		}
		_ = d.drive()
	}
	w.t.Fatal("there is no run")
	return ""
}
