package twincommand_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	twincommand "github.com/castor-iot/castor/functions/twin-command"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// A crash between any two writes of a command's way, in each way there is: whoever called calls again, and the command ends
// as it would have, was leased once, and everybody was told.
func TestACrashAnywhereLosesAndRepeatsNothing(t *testing.T) {
	w := start(t)
	changes := w.Collect(event.CommandChanged)
	run := func(n int, how functiontest.How) (left string, writes int64) {
		w.SetTime(noon)
		id := twin.ID(strings.ReplaceAll(fmt.Sprintf("v%d-%d", n, how), "--", "-n"))
		w.add(id)
		w.connect(id, "s1", true)
		c := w.Crash(n, how)
		c.Run(w.World, "twin-command", twincommand.New)
		crashed := false
		// again calls until it works: after the crash by another instance.
		again := func(call func() error) {
			t.Helper()
			err := call()
			if err != nil && !crashed && errors.Is(err, api.ErrUnavailable) {
				crashed = true
				w.Add("twin-command", twincommand.New)
				err = call()
			}
			if err != nil {
				t.Fatalf("crash at write %d, way %d: %v", n, how, err)
			}
		}
		var asked api.Command
		again(func() (err error) {
			asked, err = w.owner.SendCommand(w.ctx, api.NewCommand{Twin: id, Name: "open", Timeout: twin.Duration(time.Hour), Key: "once"})
			return err
		})
		// What the crash may have left undone is done when it is due, by whichever instance.
		w.SetTime(noon.Add(10 * time.Second))
		again(func() error { return w.Tick("twin-command", w.Now()) })
		waiting := w.connect(id, "s1", true)
		if !slices.Equal(waiting, []string{asked.ID}) {
			t.Fatalf("crash at write %d, way %d: %v waits for the device", n, how, waiting)
		}
		var leased api.Leased
		again(func() (err error) {
			leased, err = w.connector.LeaseCommands(w.ctx, api.LeaseCommands{Gateway: "gw-1", Holder: "c1",
				Devices: []api.LeaseDevice{{Twin: id, Session: "s1", Commands: waiting}}})
			return err
		})
		if len(leased.Commands) != 1 || leased.Commands[0].Lease != 1 {
			t.Fatalf("crash at write %d, way %d: leased %+v", n, how, leased)
		}
		again(func() error {
			return w.connector.ReportDeliveries(w.ctx, api.CommandDeliveries{Gateway: "gw-1", Holder: "c1",
				Deliveries: []api.CommandDelivery{{Command: asked.ID, Lease: 1, Sent: true}}})
		})
		before := len(w.answers())
		w.taken = before
		w.say(responseTo(id, asked.ID, w.Now()))
		functiontest.Eventually(t, "the answer is published", func() bool { return len(w.answers()) > before })
		again(w.deliver)
		w.SetTime(noon.Add(30 * time.Second))
		again(func() error { return w.Tick("twin-command", w.Now()) })
		again(func() error { _, err := w.Part("twin-watchdog", "").Sweep(w.ctx, "twin-command"); return err })
		if !crashed {
			w.Add("twin-command", twincommand.New) // it said nothing of its crash
			w.must(w.Tick("twin-command", w.Now()))
			_, err := w.Part("twin-watchdog", "").Sweep(w.ctx, "twin-command")
			w.must(err)
		}
		told := map[string]bool{}
		functiontest.Eventually(t, "all changes are told", func() bool {
			for _, e := range changes() {
				if e.Subject == string(id) {
					told[string(e.Data)] = true
				}
			}
			return len(told) >= 3
		})
		x := w.get(asked.ID)
		x.Updated, x.Sent, x.Answered, x.Ended = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		b, err := json.MarshalIndent([]any{x, w.lists(id), slices.Sorted(maps.Keys(told))}, "", " ")
		w.must(err)
		return strings.NewReplacer(asked.ID, "C", string(id), "V").Replace(string(b)), c.Writes.Load()
	}
	want, writes := run(-1, functiontest.Before)
	if writes < 8 || !strings.Contains(want, `"state": "succeeded"`) {
		t.Fatalf("%d writes ended as %s", writes, want)
	}
	for n := range int(writes) {
		for _, how := range functiontest.Ways {
			if got, _ := run(n, how); got != want {
				t.Errorf("a crash at write %d, way %d, left\n%s\nwant\n%s", n, how, got, want)
			}
		}
	}
}
