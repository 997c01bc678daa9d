package twinprovision_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// What was refused last is seen first, also within an hour.
func TestRejectionsAreNewestFirst(t *testing.T) {
	w := start(t)
	claim := w.claim(api.NewClaim{MaxUses: 100})
	w.SetTime(w.Now().Truncate(time.Hour).Add(time.Hour))
	w.admin = w.Admin()
	for n := range 12 {
		w.SetTime(w.Now().Add(time.Second))
		if a := w.ask(w.request(claim, fmt.Sprintf("X-%d", n), func(r *api.ProvisionRequest) { r.Type = "none" })); a.Status != "rejected" {
			t.Fatalf("it is told %+v", a)
		}
	}
	page, err := w.admin.ListRejections(w.ctx, "")
	w.must(err)
	if len(page.Items) < 12 || !slices.IsSortedFunc(page.Items, func(a, b api.Rejection) int { return b.At.Compare(a.At) }) {
		t.Errorf("%d rejections: %+v", len(page.Items), page.Items)
	}
}
