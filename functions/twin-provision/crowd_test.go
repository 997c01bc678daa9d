package twinprovision_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
)

// Many devices at once, each asking several times at the same time while events and schedules
// come twice: each ends with one of everything.
func TestACrowd(t *testing.T) {
	const devices = 12
	w := start(t)
	claim := w.claim(api.NewClaim{MaxUses: devices})
	var wg sync.WaitGroup
	var mu sync.Mutex
	bundles := map[string]map[string]api.Bundle{}
	requests := make([]api.ProvisionRequest, devices)
	for i := range requests {
		requests[i] = w.request(claim, fmt.Sprintf("P-%02d", i))
		w.identity(requests[i].Serial)
	}
	ask := func(r api.ProvisionRequest) (run string, ready bool) {
		a, err := w.prov.RequestProvisioning(w.ctx, r)
		if err != nil {
			t.Errorf("%s: %v", r.Serial, err)
			return "", false
		}
		if a.Bundle == nil {
			return a.Run, false
		}
		mu.Lock()
		defer mu.Unlock()
		if bundles[r.Serial] == nil {
			bundles[r.Serial] = map[string]api.Bundle{}
		}
		bundles[r.Serial][fmt.Sprint(*a.Bundle)] = *a.Bundle
		return a.Run, true
	}
	for _, r := range requests {
		for range 3 {
			wg.Go(func() { ask(r) })
		}
	}
	wg.Wait()
	for _, r := range requests {
		for range 2 {
			wg.Go(func() {
				run, _ := ask(r)
				if err := w.apply(w.run(run).Results.DeviceRef); err != nil {
					t.Errorf("%s: %v", r.Serial, err)
				}
				ask(r)
			})
		}
		wg.Go(func() { _ = w.Tick("twin-provision", w.Now()) })
	}
	wg.Wait()
	for _, r := range requests {
		if run, ready := ask(r); !ready {
			t.Fatalf("%s has no bundle:\n%s", r.Serial, log(w.run(run)))
		}
		for _, b := range bundles[r.Serial] {
			for range 2 {
				wg.Go(func() {
					if err := w.op.ConfirmProvisioning(w.ctx, api.Confirmation{Gateway: "op", Ref: b.Ref}); err != nil {
						t.Errorf("%s: %v", r.Serial, err)
					}
				})
			}
		}
	}
	wg.Wait()
	for _, r := range requests {
		if n := len(bundles[r.Serial]); n != 1 {
			t.Errorf("%s was handed %d different bundles", r.Serial, n)
		}
	}
	page, err := w.admin.ListRuns(w.ctx, api.RunQuery{})
	w.must(err)
	if len(page.Items) != devices {
		t.Errorf("there are %d runs of %d devices", len(page.Items), devices)
	}
	for _, run := range page.Items {
		if run.Outcome != provision.Completed {
			t.Errorf("not completed:\n%s", log(w.run(run.ID)))
		}
	}
	w.counts(claim, devices)
	if w.claimAdmitted(claim) {
		t.Error("the claim is used up, but still admitted")
	}
}
