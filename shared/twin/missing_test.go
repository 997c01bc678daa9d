package twin_test

import (
	"math/rand/v2"
	"testing"

	"github.com/castor-iot/castor/shared/twin"
)

// Each number is new once, in whatever order the numbers come, as long as few are missing at a time.
func TestEachNumberComesOnce(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		var all []twin.Order
		for epoch := range int64(3) {
			for seq := range int64(40) {
				all = append(all, twin.Order{Epoch: epoch * 7, Seq: seq + 1})
			}
		}
		for i := range all { // not far from where it belongs
			k := min(i+r.IntN(8), len(all)-1)
			all[i], all[k] = all[k], all[i]
		}
		var live twin.Live
		for i, o := range all {
			if !live.Come(o) {
				t.Fatalf("seed %d: %v is not new", seed, o)
			}
			if o.After(live.Last) {
				live.Last = o
			}
			if again := all[r.IntN(i+1)]; live.Come(again) {
				t.Fatalf("seed %d: %v is new twice", seed, again)
			}
		}
	}
}

// Of a device that leaves out many numbers the newest spans are known, and what is kept does not grow.
func TestOldSpansAreForgotten(t *testing.T) {
	var live twin.Live
	for seq := int64(1000); seq < 2000; seq += 10 {
		live.Come(twin.Order{Seq: seq})
		live.Last = twin.Order{Seq: seq}
	}
	if len(live.Missing) != twin.MaxMissing {
		t.Errorf("%d spans are kept", len(live.Missing))
	}
	if live.Come(twin.Order{Seq: 1005}) || !live.Come(twin.Order{Seq: 1985}) || live.Come(twin.Order{Seq: 1985}) || live.Come(twin.Order{Seq: 1990}) {
		t.Error("an old span is known, or a new one is not")
	}
	live.Recount()
	if !live.Come(twin.Order{Seq: 3}) {
		t.Error("a device that counts anew says nothing new")
	}
}

// A connector's numbers say nothing of the device's.
func TestTheFirstNumberOfADevice(t *testing.T) {
	live := twin.Live{Last: twin.Order{Epoch: 9, Seq: 9, Assigned: true}}
	if five := (twin.Order{Seq: 5}); !live.Come(five) {
		t.Error("the first number is not new")
	} else if live.Last = five; !live.Come(twin.Order{Seq: 4}) || live.Come(five) {
		t.Error("what came before the first is not missing")
	}
}
