package drivers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/drivers"
	"github.com/castor-iot/castor/shared/driver/wasm/wasmtest"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/fxamacker/cbor/v2"
)

// hangingAt is a module whose on_event hangs where it is given more than so many bytes.
func hangingAt(most int64) []byte {
	said, err := cbor.Marshal(map[string]any{"version": 1})
	if err != nil {
		panic(err)
	}
	c := wasmtest.Code
	return wasmtest.Module{Data: said, Exports: map[string][]byte{"decode": {0},
		"on_event": c(0x20, 1, wasmtest.I32(most), 0x4b, 0x04, 0x40, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b, wasmtest.Answer(len(said)))}}.Bytes()
}

// What one device says, and its driver hangs with, costs that device's reactions: others that use the driver have theirs, a little later.
func TestOneTwinCostsNoOtherItsReactions(t *testing.T) {
	w := reacting(t, "acme", hangingAt(1000), "a-hostile")
	all := w.Collect(event.TwinHeard)
	var ids []twin.ID
	for i := range 20 {
		ids = append(ids, twin.ID(fmt.Sprintf("z-%02d", i)))
	}
	w.devices("th", nil, ids...)
	for n := range 4 {
		w.say("a-hostile", int64(n+1), telemetry.Message{Kind: telemetry.Telemetry, Samples: []telemetry.Sample{{Property: "name", Value: strings.Repeat("x", 900)}, {Property: "text", Value: strings.Repeat("x", 900)}}})
	}
	w.said(all, 2, ids...)
	w.must(w.Event("drivers", all()...))
	functiontest.Eventually(t, "all have had their turn", func() bool {
		w.sweep()                      // on a busy machine, its calls seem slow
		w.press = w.checked(w.Admin()) // and a login is over by the time that passes with each
		return !slices.ContainsFunc(ids, func(id twin.ID) bool { return w.reaction(id).Waiting > 0 })
	})
	if r := w.reaction("a-hostile"); !strings.Contains(r.Failure, "timeout") && !strings.Contains(r.Failure, "not called") {
		t.Errorf("who has it hang: %+v", r)
	}
	for _, id := range ids {
		if r := w.reaction(id); r.Failure != "" || r.Reacted.IsZero() || r.Waiting != 0 || r.Missed != 0 {
			t.Errorf("%s: %+v", id, r)
		}
	}
}

// A clock that was far ahead when a message was missed holds up nobody once it is right again.
func TestAGapWhileTheClockWasAhead(t *testing.T) {
	w := reacting(t, "acme", remembering(0))
	all := w.Collect(event.TwinHeard)
	events := w.said(all, 3, "th-1")
	right := w.Now()
	w.SetTime(right.Add(10 * 365 * 24 * time.Hour))
	w.Add("drivers", drivers.New)
	w.must(w.Event("drivers", events[0], events[2]))
	w.SetTime(right)
	for range 2 {
		w.must(w.Event("drivers", events[2]))
		w.SetTime(w.Now().Add(10 * time.Minute))
	}
	w.press = w.checked(w.Admin()) // the login is over
	if r := w.reaction("th-1"); r.Missed != 1 || r.Waiting != 0 {
		t.Errorf("what never comes is waited for: %+v", r)
	}
}
