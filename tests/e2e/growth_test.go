package e2e

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/cluster"
)

const newcomers = `
id: newcomers
start: claim
states:
  - {name: claim, do: check-claim, then: registration, retries: 10}
  - {name: registration, do: register-identity, then: identity, retries: 10}
  - {name: identity, do: check-identity, then: twin, retries: 10}
  - {name: twin, do: create-twin, then: credential, retries: 10}
  - {name: credential, do: issue-credential, then: gateway, retries: 10}
  - {name: gateway, do: register-gateway, await: gateway-ready, limit: 30s, retries: 10, then: delivery}
  - {name: delivery, do: deliver, await: device-confirm, limit: 2m, retries: 10, then: operational}
  - {name: operational, do: activate, end: completed, retries: 100}
`

// While many pumps report, a type, a provisioning model and a gateway are added, their devices come in, the gateway is drained, used
// again, and dies: nothing is deployed anew, and not one message of the pumps is lost. The newcomers appear elsewhere each time, and
// keep everything.
func TestGrowthWithoutRipples(t *testing.T) {
	t.Parallel()
	if _, err := cluster.Castor(); err != nil { // which takes a while the first time
		t.Fatal(err)
	}
	w := NewWorld(t, func(c *Settings) { c.NATS = cluster.FreePort(t) })
	w.Type("pump")
	pumps := w.report("pump", crowd, 500*time.Millisecond)
	<-time.After(2 * time.Second)

	grown := time.Now()
	_, err := w.Admin.PutModelText(w.Context(), "newcomers", api.TypeYAML, []byte(newcomers))
	w.must(err, "model")
	w.Type("valve", func(m *twin.Model) { m.Provisioning = "newcomers" })
	kill := w.Joins("operational-2", "north")
	north := w.Claim("valve", "plant", func(c *api.NewClaim) { c.Location = &twin.Location{Region: "north"} })
	var valves []*roamer
	for i := range 3 {
		d := w.roams(north, fmt.Sprintf("V-%d", i))
		valves = append(valves, d)
		if a := w.placeOf(d); a.Gateway != "operational-2" || !strings.Contains(a.Reason, "north") {
			t.Errorf("a device of the north has its place at %s: %s", a.Gateway, a.Reason)
		}
	}
	measured := 0
	arrived := func(gateway string) {
		t.Helper()
		w.Eventually("the newcomers have their places at "+gateway+" and are connected there", func() bool {
			for _, d := range valves {
				if a := w.placeOf(d); a.Gateway != gateway || a.Leaving != "" || "tls://"+d.at() != a.URL {
					return false
				}
			}
			return true
		})
		for _, d := range valves {
			_, err := d.agent.Measure(time.Now(), map[string]any{"rpm": float64(measured)})
			w.must(err, "measure")
			ctx, cancel := w.soon()
			w.must(d.agent.Drain(ctx), "it is stored")
			cancel()
		}
		measured++
	}
	arrived("operational-2")
	took := time.Since(grown)

	_, err = w.Admin.DrainGateway(w.Context(), "operational-2", "a new kernel")
	w.must(err, "drain")
	arrived("operational-1")
	_, err = w.Admin.ResumeGateway(w.Context(), "operational-2")
	w.must(err, "resume")
	for _, d := range valves {
		_, err := w.Admin.MoveAssignment(w.Context(), w.placeOf(d).Ref, api.MoveDevice{Gateway: "operational-2", Reason: "the kernel is there"})
		w.must(err, "move")
	}
	arrived("operational-2")
	pumps.check(took)

	kill()
	w.sweeps("gateways")
	for range 4 { // 45 s without a word, seen by a manager that was there all the time
		w.Later(12 * time.Second)
		w.sweeps("gateways")
	}
	w.Eventually("the newcomers of the dead gateway have places elsewhere", func() bool { // as soon as the other one has said that it lives
		w.sweeps("gateways")
		return w.placeOf(valves[0]).Gateway == "operational-1"
	})
	arrived("operational-1")
	for _, d := range valves {
		_, id := d.agent.Identity()
		if n := len(w.History(id, "rpm")); n != measured {
			t.Errorf("%s has %d readings in history, want %d", id, n, measured)
		}
	}
}

// A reporting crowd measures all the time: value n of rpm is the n-th measurement.
type crowdOf struct {
	w       *World
	devices []*device.Device
	counts  []atomic.Int64
	begin   time.Time
	over    chan struct{}
	all     sync.WaitGroup
	stop    func()
}

// report brings devices in and has them measure.
func (w *World) report(t twin.TypeID, n int, every time.Duration) *crowdOf {
	w.Helper()
	c := &crowdOf{w: w, counts: make([]atomic.Int64, n), over: make(chan struct{})}
	c.stop = sync.OnceFunc(func() { close(c.over); c.all.Wait() })
	claim := w.Claim(t, "plant", func(c *api.NewClaim) { c.MaxUses = int64(n) })
	var configs []device.Config
	for i := range n {
		serial := fmt.Sprintf("P-%03d", i)
		w.Identity(serial)
		configs = append(configs, device.Config{Claim: claim, Serial: serial, AnswerTimeout: 10 * time.Second})
	}
	begin := time.Now()
	var err error
	c.devices, err = device.StartAll(w.Context(), configs, 8, nil)
	w.must(err, "the crowd comes in")
	w.Cleanup(func() { c.stop(); device.CloseAll(c.devices) })
	c.begin = time.Now()
	w.Logf("%d devices are in after %s", n, time.Since(begin).Round(time.Millisecond))
	for i, d := range c.devices {
		c.all.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for {
				select {
				case <-c.over:
					return
				case <-tick.C:
					if _, err := d.Measure(time.Now(), map[string]any{"rpm": float64(c.counts[i].Load())}); err != nil {
						w.Errorf("measure: %v", err)
						return
					}
					c.counts[i].Add(1)
				}
			}
		})
	}
	return c
}

// check ends the crowd: every measurement is in history once. It says how late the latest came, before and while the platform grew.
func (c *crowdOf) check(grew time.Duration) {
	w := c.w
	w.Helper()
	c.stop()
	var before, after time.Duration
	sum := 0
	for i, d := range c.devices {
		w.Drained(d)
		seen := map[any]int{}
		for _, r := range w.History(d.Twin(), "rpm") {
			for _, s := range r.Samples {
				seen[s.Value]++
			}
			late := r.Received.Sub(r.At)
			if r.At.Sub(c.begin) < 2*time.Second {
				before = max(before, late)
			} else {
				after = max(after, late)
			}
		}
		for n := range c.counts[i].Load() {
			if seen[float64(n)] != 1 {
				w.Fatalf("reading %d of %s is %d times in history, want once", n, d.Twin(), seen[float64(n)])
			}
		}
		sum += int(c.counts[i].Load())
	}
	w.Logf("%d messages of %d devices; the latest was %s late before the platform grew, %s while it did (the first newcomers were in after %s)", sum, len(c.devices),
		before.Round(time.Millisecond), after.Round(time.Millisecond), grew.Round(time.Millisecond))
}
