package drivers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/castor-iot/castor/functions/drivers"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
)

// A driver that is slow, as it may be, holds up its own twins only: it hears all, later.
func TestSlowReactionsHoldUpNoOthers(t *testing.T) {
	defer drivers.Slow("slow")()
	w := reacting(t, "acme", remembering(0))
	all := w.Collect(event.TwinHeard)
	w.module("slow", "1.0.0", remembering(0))
	w.typeOf("slow", "press", twin.Model{Driver: "slow", Reacts: true})
	var slow []twin.ID
	for n := range 16 {
		slow = append(slow, twin.ID(fmt.Sprint("a-", n))) // before the others
	}
	w.devices("slow", nil, slow...)
	events, others := w.said(all, 6, slow...), w.said(all, 1, "th-1", "th-2")

	w.must(w.Event("drivers", append(events, others[0])...))
	if remembered(t, w.reaction("th-1").State) == "" {
		t.Error("who is not slow has not reacted")
	}
	left := func() (n int64) {
		for _, id := range slow {
			n += w.reaction(id).Waiting
		}
		return n
	}
	before := left()
	if before == 0 {
		t.Error("the slow one has held up the others until it had heard all")
	}
	for _, id := range slow {
		if got := w.log(id); w.reaction(id).Waiting > 0 && !strings.Contains(got, "driver warn: slow@1.0.0 is slow: its reactions are late") {
			t.Errorf("the log of a twin that waits has %q", got)
		}
	}
	w.must(w.Event("drivers", others[1]))
	if remembered(t, w.reaction("th-2").State) == "" {
		t.Error("who is not slow has not reacted to the next events")
	}
	w.Add("drivers", drivers.New) // it knows nothing of what was slow
	w.sweep()
	if left() >= before {
		t.Error("what waits is not gone on with")
	}
}
