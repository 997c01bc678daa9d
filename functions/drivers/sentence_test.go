package drivers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// Twins are blocked as long as it is a few that fail; once it are very many, however few at a time, it is the version.
func TestVeryManyBlockedTwins(t *testing.T) {
	w := failing(t)
	var ids []twin.ID
	for n := range 103 {
		ids = append(ids, twin.ID(fmt.Sprintf("many-%03d", n)))
	}
	w.devices("th", nil, ids...)
	for pair := range slices.Chunk(ids[:100], 2) {
		w.fails(100, 10, 10, pair...)
	}
	v := w.state("1.1.0")
	if v.State != api.DriverActive || len(v.Blocked) != 100 || !slices.IsSorted(v.Blocked) {
		t.Fatalf("after a hundred: %s, %d blocked", v.State, len(v.Blocked))
	}
	w.fails(100, 10, 10, ids[100])
	if v = w.state("1.1.0"); v.State != api.DriverQuarantined || v.Was != api.DriverActive || len(v.Blocked) != 0 {
		t.Errorf("after one more: %s, was %s, %d blocked", v.State, v.Was, len(v.Blocked))
	}
}

// What a twin was blocked for is settled, of either kind: another's first failure is its first. Why it is blocked is said with the version.
func TestABlockSettlesWhatWas(t *testing.T) {
	w := failing(t)
	w.fails(0, 100, 0, "th-3")
	v := w.state("1.1.0")
	if v.State != api.DriverActive || fmt.Sprint(v.Blocked) != "[th-3]" || !strings.HasPrefix(v.Reason, "100 messages of 1 twin within 10 minutes and none could be read") {
		t.Fatalf("%+v", v)
	}
	w.fails(0, 1, 0, "th-2")
	if v = w.state("1.1.0"); fmt.Sprint(v.Blocked) != "[th-3]" {
		t.Errorf("its first failure blocks another: %v", v.Blocked)
	}
	w.fails(0, 99, 0, "th-1")
	if v = w.state("1.1.0"); fmt.Sprint(v.Blocked) != "[th-1 th-2 th-3]" {
		t.Errorf("the hundredth failure without an answer blocks %v", v.Blocked)
	}
}

// Where the few that fail are all that use a version, as the first of a canary are, it is over: nobody is left whom it works for.
func TestACanaryOfTheFewThatFail(t *testing.T) {
	w := failing(t)
	_, err := w.press.WithdrawDriver(bg, "acme-th1", "1.1.0", "")
	w.must(err)
	_, err = w.press.CanaryDriver(bg, "acme-th1", "1.1.0", api.Canary{Twins: []twin.ID{"th-1", "th-2"}})
	w.must(err)
	w.fails(0, 10, 10, "th-1", "th-2")
	v := w.state("1.1.0")
	if v.State != api.DriverQuarantined || v.Was != api.DriverCanary || !strings.Contains(v.Reason, "with messages of 2 twins, and no other twin uses it") || len(v.Canary.Twins) != 0 || v.Canary.Percent != 0 {
		t.Errorf("%+v", v)
	}
	if got := w.reads("th-1"); got != "1.0.0" {
		t.Error(got)
	}
}
