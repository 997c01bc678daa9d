package twinprovision_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// The whole platform dies at every write of a knock, its admission and its coming in: the device comes in once, by one claim.
func TestACrashAtEveryWriteOfAnAdmission(t *testing.T) {
	for _, how := range ways {
		t.Run(fmt.Sprintf("way %d", how), func(t *testing.T) {
			t.Parallel()
			w := start(t)
			for n, through := 0, false; !through; n++ {
				if n > 500 {
					t.Fatal("it never gets through without a crash")
				}
				w.renew(n)
				k := w.knock(fmt.Sprintf("W-%03d", n))
				c := w.Crash(n, how)
				for name, build := range all {
					c.Run(w.World, name, build)
				}
				_ = w.comeIn(k)
				c.Over()
				through = !c.Came()
				for i := 0; w.comeIn(k) != nil; i++ {
					if i > 20 {
						t.Fatalf("crash %d: it does not come in: %v", n, w.comeIn(k))
					}
					w.must(w.later(16 * time.Second))
					w.sweep()
				}
				claims := 0
				for cursor := ""; ; {
					page, err := w.admin.ListClaims(w.ctx, api.ClaimQuery{Cursor: cursor})
					w.must(err)
					for _, c := range page.Items {
						if c.Serials == k.Serial {
							claims++
						}
					}
					if cursor = page.Next; cursor == "" {
						break
					}
				}
				if claims != 1 {
					t.Errorf("crash %d: its admission made %d claims", n, claims)
				}
				if tw, err := w.admin.GetTwin(w.ctx, twin.ID(strings.ToLower(k.Serial))); err != nil || tw.Definition.Phase != twin.Operational {
					t.Errorf("crash %d: its twin: %+v, %v", n, tw.Definition, err)
				}
				if t.Failed() {
					t.FailNow()
				}
			}
		})
	}
}

// comeIn does what a device, a person and the gateways do until the device is operational.
func (w *world) comeIn(k api.Knock) error {
	ctx := context.Background()
	a, err := w.prov.Knock(ctx, k)
	if err != nil {
		return err
	}
	page, err := w.admin.ListWaiting(ctx, api.WaitingQuery{Limit: 1000})
	if err != nil {
		return err
	}
	for _, e := range page.Items {
		if e.Serial == k.Serial && e.State == api.WaitingNow {
			d, err := w.admin.AdmitWaiting(ctx, api.Admit{IDs: []string{e.ID}, Type: "pump", Owner: "press", Register: true})
			if err == nil && d.Done != 1 {
				err = fmt.Errorf("%+v", d)
			}
			if err != nil {
				return err
			}
			if a, err = w.prov.Knock(ctx, k); err != nil {
				return err
			}
		}
	}
	for range 2 {
		if a.Run != "" {
			r, err := w.admin.GetRun(ctx, a.Run)
			switch {
			case err != nil:
				return err
			case r.Outcome == provision.Completed:
				return nil
			case a.Bundle != nil:
				if err := w.op.ConfirmProvisioning(ctx, api.Confirmation{Gateway: "op", Ref: a.Bundle.Ref, Twin: a.Bundle.Twin}); err != nil {
					return err
				}
			}
			if err := w.apply(r.Results.DeviceRef); err != nil {
				return err
			}
		}
		if a, err = w.prov.Knock(ctx, k); err != nil {
			return err
		}
		if strings.Contains(a.Reason, "provisioned already") {
			return nil
		}
	}
	return fmt.Errorf("it is told %+v", a)
}

// A device with a good claim and a serial that nobody registered is in the list too. Where its model says so it waits, and goes on
// when it is admitted; else it is rejected, and comes in when it asks again.
func TestADeviceWithAClaimWaitsForItsIdentity(t *testing.T) {
	w := start(t)
	m, err := w.admin.GetModel(w.ctx, "automatic")
	w.must(err)
	m.ID, m.Version, m.Updated = "patient", 0, time.Time{}
	for i := range m.States {
		if m.States[i].Do == provision.CheckIdentity {
			m.States[i].With, m.States[i].Limit = map[string]string{"unknown": "wait"}, twin.Duration(time.Hour)
		}
	}
	_, err = w.admin.PutModel(w.ctx, m)
	w.must(err)
	w.newType("boat", twin.Model{Provisioning: "patient"})
	claim := w.claim(api.NewClaim{Type: "boat", MaxUses: 5})
	boat := func(serial string) api.ProvisionRequest {
		return w.request(claim, serial, func(r *api.ProvisionRequest) { r.Type = "boat" })
	}
	r := boat("B-1")
	a := w.ask(r)
	list := w.waits(api.WaitingNow)
	if a.Status != "pending" || len(list) != 1 || list[0].Claim != claim || list[0].Run != a.Run || list[0].Guess[0].Type != "boat" {
		t.Fatalf("it is told %+v; the list: %+v", a, list)
	}
	w.must(w.later(20 * time.Minute)) // it waits on, and no try is counted
	w.admin = w.Admin()
	if run := w.run(a.Run); run.State != "identity" || run.Tries != 0 || run.Outcome != "" {
		t.Fatalf("\n%s", log(run))
	}
	if d, err := w.admin.AdmitWaiting(w.ctx, api.Admit{IDs: []string{list[0].ID}, Owner: "press", Register: true}); err != nil || d.Done != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	if run := w.run(a.Run); run.State != "gateway" {
		t.Fatalf("admitted, it does not go on:\n%s", log(run))
	}
	if run, _ := w.provision(r); run.Owner != "press" {
		t.Errorf("it is %s's", run.Owner)
	}

	late := boat("B-2")
	id := w.ask(late).Run
	w.must(w.later(61 * time.Minute))
	w.admin = w.Admin()
	for range 12 { // the limit has passed, and the retries after it
		w.must(w.later(61 * time.Minute))
	}
	w.admin = w.Admin()
	if run := w.run(id); run.Outcome != provision.Rejected {
		t.Errorf("it waits for ever:\n%s", log(run))
	}

	p := w.request(w.claim(api.NewClaim{}), "P-9")
	if a := w.ask(p); a.Status != "rejected" || !strings.Contains(a.Reason, "not known") {
		t.Fatalf("it is told %+v", a)
	}
	for _, e := range w.waits(api.WaitingNow) {
		if e.Serial == "P-9" {
			if d, err := w.admin.AdmitWaiting(w.ctx, api.Admit{IDs: []string{e.ID}, Owner: "press", Register: true}); err != nil || d.Done != 1 {
				t.Fatalf("%+v, %v", d, err)
			}
		}
	}
	w.provision(p)
}
