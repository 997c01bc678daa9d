package twinprovision_test

import (
	"context"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/tests/functiontest"
)

// A run whose process died right after the device's confirmation was stored goes on as soon as that comes again: nobody waits until
// another instance would look after it by itself.
func TestAConfirmationThatComesAgainTakesUpWhatWasLeft(t *testing.T) {
	w := start(t)
	claim := w.claim(api.NewClaim{MaxUses: 1000})
	left := 0
	for n := range 12 {
		w.admin = w.Admin()
		r := w.request(claim, "P-"+string(rune('a'+n)))
		w.identity(r.Serial)
		a := w.ask(r)
		w.must(w.apply(w.run(a.Run).Results.DeviceRef))
		b := w.ask(r).Bundle
		in := api.Confirmation{Gateway: "op", Ref: b.Ref, Twin: b.Twin}
		c := w.Crash(n, functiontest.Unsaid)
		for name, build := range all {
			c.Run(w.World, name, build)
		}
		ctx, cancel := context.WithCancel(w.ctx)
		_ = w.op.ConfirmProvisioning(ctx, in)
		cancel()
		c.Over()
		if run := w.run(a.Run); run.Outcome == "" && !run.Waiting {
			left++
		}
		w.must(w.op.ConfirmProvisioning(w.ctx, in)) // no time has passed
		if run := w.run(a.Run); run.Outcome != provision.Completed {
			t.Errorf("killed at write %d, confirmed again it is not completed:\n%s", n, log(run))
		}
	}
	if left == 0 {
		t.Error("no run was left at a step")
	}
}
