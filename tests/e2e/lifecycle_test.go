package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// Somebody types `castor up`: this machine makes itself known, gets its certificate and configuration, and reports real metrics.
func TestAMachineProvisionsItselfAndIsSeen(t *testing.T) {
	on(t, func(t *testing.T, store Option) {
		w := NewWorld(t, store, func(c *Settings) { c.NoAgent, c.Interval = false, 200*time.Millisecond })
		var machine twin.Twin
		w.Eventually("this machine is operational and online", func() bool {
			list, err := w.Admin.ListTwins(w.Context(), api.TwinQuery{Kind: twin.Instance, Type: "host"})
			w.must(err, "list")
			if len(list.Items) != 1 {
				return false
			}
			machine = list.Items[0]
			return machine.Definition.Phase == twin.Operational && machine.Live.Presence.Connected
		})
		w.Eventually("its metrics are in history", func() bool { return len(w.History(machine.ID, "cpu.percent")) >= 3 })
		for _, property := range []string{"memory.percent", "disk.percent", "load.1"} {
			if v, ok := w.Reported(machine.ID, property).(float64); !ok || v < 0 {
				t.Errorf("%s is %v", property, v)
			}
		}
		if c := w.Twin(machine.ID).Definition.Configuration; c == nil || !strings.Contains(c.Content, string(machine.ID)) {
			t.Errorf("configuration kept in the twin: %+v", c)
		}
		runs := w.Runs(machine.ID)
		if len(runs) != 1 {
			t.Fatalf("it has %d runs, want 1", len(runs))
		}
		run, err := w.Admin.GetRun(w.Context(), runs[0])
		w.must(err, "run")
		if run.Outcome != provision.Completed || len(run.Steps) < 8 {
			t.Errorf("run ended as %q after %d steps", run.Outcome, len(run.Steps))
		}
		for _, s := range run.Steps {
			if s.At.IsZero() || s.Actor == "" || s.Outcome == "" {
				t.Errorf("step without time, actor or outcome: %+v", s)
			}
		}
	})
}

// A pump loses its link, keeps measuring, and sends its backlog when it is back: the twin ends at the newest reading, history
// has every one, once.
func TestBacklogAfterAnOutage(t *testing.T) {
	both(t, func(t *testing.T, store Option) {
		w := NewWorld(t, store)
		w.Type("pump")
		pump := w.Provision("pump", "P-7", "plant")
		w.Measure(pump, "rpm", 1100)
		w.Drained(pump)

		pump.CutOff()
		w.Eventually("the twin knows that the pump is away", func() bool { return !w.Twin(pump.Twin()).Live.Presence.Connected })
		w.Measure(pump, "rpm", 1200, 1300, 1450)
		if got := w.Reported(pump.Twin(), "rpm"); got != 1100.0 {
			t.Errorf("while it is away the twin reports %v, want the last known 1100", got)
		}
		pump.Reconnect()
		w.Drained(pump)

		if got := w.Reported(pump.Twin(), "rpm"); got != 1450.0 {
			t.Errorf("the twin reports %v, want 1450", got)
		}
		if got := len(w.History(pump.Twin(), "rpm")); got != 4 {
			t.Errorf("history has %d readings, want 4", got)
		}
		if !w.Twin(pump.Twin()).Live.Presence.Connected {
			t.Error("the twin says the pump is away")
		}
	})
}

// What a thief can do with a claim: nothing that its owner did not allow. Each refusal has its reason, is logged, and leaves
// nothing half-made.
func TestAStolenClaim(t *testing.T) {
	both(t, func(t *testing.T, stage Option) {
		w := NewWorld(t, stage)
		w.Type("pump")
		w.Type("valve")
		w.Identity("P-1")
		w.Identity("X-9")
		claim := w.Claim("pump", "plant", func(c *api.NewClaim) { c.Serials, c.MaxUses = "P-*", 1 })
		short := w.Claim("pump", "plant", func(c *api.NewClaim) { c.Expires = twin.Duration(w.Soon(time.Minute)) })
		asValve := claim
		asValve.Claim.Type = "valve"
		w.Later(2 * time.Minute)
		for name, c := range map[string]struct {
			claim  api.ClaimFile
			serial string
			reason string
		}{
			"for a serial that the claim does not cover": {claim, "X-9", "serials"},
			"for a serial that nobody knows":             {claim, "P-404", "P-404"},
			"for another type than the claim's":          {asValve, "P-1", "type"},
			"with a claim that is over":                  {short, "P-1", "expired"},
		} {
			t.Run(name, func(t *testing.T) {
				before := w.twins()
				d := w.Device(c.claim, c.serial)
				ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
				defer cancel()
				err := d.Ready(ctx)
				if !errors.Is(err, agent.ErrRejected) || !strings.Contains(err.Error(), c.reason) {
					t.Fatalf("the device is told %v, want a rejection that names %q", err, c.reason)
				}
				if after := w.twins(); !slices.Equal(before, after) {
					t.Errorf("twins were %v, are %v", before, after)
				}
				if got := w.refusals(c.reason); got == 0 {
					t.Error("no rejection and no run says why")
				}
			})
		}
		wrong := claim
		wrong.Token = strings.Repeat("0", len(claim.Token))
		thief := w.Device(wrong, "P-1")
		ctx, cancel := context.WithTimeout(w.Context(), 2*time.Second)
		defer cancel()
		if err := thief.Ready(ctx); err == nil {
			t.Error("a guessed token comes in")
		}
		thief.Close()

		// After all that, the rightful device still has its one use.
		w.Ready(w.Device(claim, "P-1"))
		w.Eventually("the claim's way in is shut", func() bool {
			late := w.Device(claim, "P-2")
			defer late.Close()
			ctx, cancel := context.WithTimeout(w.Context(), 2*time.Second)
			defer cancel()
			return late.Ready(ctx) != nil
		})
	})
}

// twins are the ids of all instances.
func (w *World) twins() (ids []string) {
	w.Helper()
	list, err := w.Admin.ListTwins(w.Context(), api.TwinQuery{Kind: twin.Instance})
	w.must(err, "list")
	for _, t := range list.Items {
		ids = append(ids, string(t.ID))
	}
	return ids
}

// refusals counts rejections, and steps of runs, that have the reason.
func (w *World) refusals(reason string) (n int) {
	w.Helper()
	rejections, err := w.Admin.ListRejections(w.Context(), "")
	w.must(err, "rejections")
	for _, r := range rejections.Items {
		if strings.Contains(r.Reason, reason) {
			n++
		}
	}
	runs, err := w.Admin.ListRuns(w.Context(), api.RunQuery{})
	w.must(err, "runs")
	for _, r := range runs.Items {
		run, err := w.Admin.GetRun(w.Context(), r.ID) // lists leave out the steps
		w.must(err, "run")
		for _, s := range run.Steps {
			if strings.Contains(s.Reason, reason) {
				n++
			}
		}
	}
	return n
}

// A second box with the serial of the first comes with a key of its own: it is refused, and the first is not disturbed.
func TestADuplicateSerial(t *testing.T) {
	both(t, func(t *testing.T, stage Option) {
		w := NewWorld(t, stage)
		w.Type("pump")
		w.Identity("P-7")
		claim := w.Claim("pump", "plant")
		first := w.Device(claim, "P-7")
		w.Ready(first)

		copied := w.Device(claim, "P-7")
		ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
		defer cancel()
		if err := copied.Ready(ctx); !errors.Is(err, agent.ErrRejected) || !strings.Contains(err.Error(), "key") {
			t.Fatalf("the copy is told %v, want a rejection because of its key", err)
		}
		if n := w.refusals("key"); n == 0 {
			t.Error("nothing logs the copy")
		}
		w.Measure(first, "rpm", 1500)
		w.Drained(first)
		if got := w.Reported(first.Twin(), "rpm"); got != 1500.0 {
			t.Errorf("the first one's twin reports %v", got)
		}
	})
}

// An owner sets a threshold; a bearing gets hot; somebody gets one e-mail and one webhook, and one more of each when it is over.
func TestThresholdEMailClear(t *testing.T) {
	both(t, func(t *testing.T, store Option) {
		box, hook := NewMailbox(t), NewHook(t)
		w := NewWorld(t, store, func(c *Settings) { c.SMTP, c.From = "smtp://"+box.Addr, "castor@plant.example" })
		w.Type("pump")
		owner := w.Owner("plant")
		pump := w.Provision("pump", "P-7", "plant")
		condition, err := monitor.ParseCondition("temperature > 80 for 1s clear 70")
		w.must(err, "condition")
		_, err = owner.CreateRule(w.Context(), api.NewRule{Target: pump.Twin(), Name: "bearing hot", Condition: condition, Severity: monitor.Critical})
		w.must(err, "rule")
		_, err = owner.CreateRoute(w.Context(), api.Route{Owner: "plant", Email: []string{"shift@plant.example"}, Cleared: true})
		w.must(err, "route")
		route, err := owner.CreateRoute(w.Context(), api.Route{Owner: "plant", Webhook: hook.URL, Cleared: true})
		w.must(err, "webhook route")

		// One reading is enough: no further message comes, and the alarm is raised when the second is over.
		_, err = pump.Measure(time.Now(), map[string]any{"temperature": 95.5})
		w.must(err, "measure")
		w.Eventually("the shift has mail", func() bool { return len(box.With("shift@plant.example", "bearing hot")) == 1 })
		alarms := w.Alarms(pump.Twin())
		if len(alarms) != 1 || alarms[0].State != monitor.Raised || alarms[0].Severity != monitor.Critical || len(alarms[0].Before) == 0 {
			t.Fatalf("alarms: %+v", alarms)
		}
		// Between 70 and 80 the alarm stays.
		_, err = pump.Measure(time.Now(), map[string]any{"temperature": 75.0})
		w.must(err, "measure")
		w.Drained(pump)
		if a := w.Alarms(pump.Twin()); a[0].State != monitor.Raised {
			t.Errorf("at 75 the alarm is %s", a[0].State)
		}
		_, err = pump.Measure(time.Now(), map[string]any{"temperature": 65.0})
		w.must(err, "measure")
		w.Eventually("the shift knows that it is over", func() bool { return len(box.With("shift@plant.example", "bearing hot")) == 2 })
		w.Eventually("the webhook was called twice", func() bool { return len(hook.Calls()) == 2 })
		if a := w.Alarms(pump.Twin()); len(a) != 1 || a[0].State != monitor.Cleared {
			t.Errorf("alarms: %+v", a)
		}
		for _, c := range hook.Calls() {
			if !c.SignedBy(route.Secret) {
				t.Error("a webhook is not signed by the route's secret")
			}
		}
	})
}

// The platform is stopped in the middle of it all and started again: same CA, same twins, same history, and the alarm that
// was about to be raised is raised, once.
func TestRestartLosesNothing(t *testing.T) {
	on(t, func(t *testing.T, store Option) {
		w := NewWorld(t, store)
		w.Type("pump")
		pump := w.Provision("pump", "P-7", "plant")
		w.Rule(pump.Twin(), "temperature > 80 for 2s", monitor.Warning)
		w.Measure(pump, "rpm", 1, 2, 3)
		_, err := pump.Measure(time.Now(), map[string]any{"temperature": 99.0})
		w.must(err, "measure")
		w.Drained(pump)
		ca, err := w.Client("").CA(w.Context())
		w.must(err, "CA")

		w.Restart()

		again, err := w.Client("").CA(w.Context())
		w.must(err, "CA")
		if ca != again {
			t.Error("the CA has changed")
		}
		w.Eventually("the alarm is raised without a further message", func() bool { return len(w.Alarms(pump.Twin())) == 1 })
		w.Measure(pump, "rpm", 4)
		w.Drained(pump)
		if got := len(w.History(pump.Twin(), "rpm")); got != 4 {
			t.Errorf("history has %d readings, want 4", got)
		}
		if got := len(w.Alarms(pump.Twin())); got != 1 {
			t.Errorf("there are %d alarms, want 1", got)
		}
	})
}

// An owner sees the own twins and no others; a stranger sees nothing at all.
func TestAnOwnerSeesOnlyOwnTwins(t *testing.T) {
	both(t, func(t *testing.T, store Option) {
		w := NewWorld(t, store)
		w.Type("pump")
		red, blue := w.Owner("red"), w.Owner("blue")
		r, b := w.Provision("pump", "R-1", "red"), w.Provision("pump", "B-1", "blue")
		for owner, c := range map[*api.Client][2]twin.ID{red: {r.Twin(), b.Twin()}, blue: {b.Twin(), r.Twin()}} {
			list, err := owner.ListTwins(w.Context(), api.TwinQuery{Kind: twin.Instance})
			w.must(err, "list")
			if len(list.Items) != 1 || list.Items[0].ID != c[0] {
				t.Errorf("the owner of %s lists %d twins", c[0], len(list.Items))
			}
			counts, err := owner.CountTwins(w.Context(), api.TwinQuery{})
			w.must(err, "counts")
			if counts.Instances != 1 {
				t.Errorf("the owner of %s counts %d instances", c[0], counts.Instances)
			}
			if _, err := owner.GetTwin(w.Context(), c[1]); api.ProblemOf(err).Status != http.StatusNotFound {
				t.Errorf("the owner of %s reads %s: %v", c[0], c[1], err)
			}
			if _, err := owner.History(w.Context(), api.HistoryQuery{Twin: c[1]}); api.ProblemOf(err).Status != http.StatusNotFound {
				t.Errorf("the owner of %s reads the history of %s: %v", c[0], c[1], err)
			}
			if _, err := owner.UpdateTwin(w.Context(), c[1], 0, json.RawMessage(`{"name":"x"}`)); api.ProblemOf(err).Status != http.StatusNotFound {
				t.Errorf("the owner of %s changes %s: %v", c[0], c[1], err)
			}
		}
		if _, err := w.Client("").ListTwins(w.Context(), api.TwinQuery{}); api.ProblemOf(err).Status != http.StatusUnauthorized {
			t.Errorf("a stranger lists twins: %v", err)
		}
	})
}
