package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// Disks and queues that no test can fill.
func TestJudgements(t *testing.T) {
	now := time.Date(2026, 3, 21, 10, 0, 0, 0, time.UTC)
	c := &Config{Now: func() time.Time { return now }}
	sweeps := func(s ...api.SweepStatus) func(*findings) {
		return func(f *findings) { c.judgeSweeps(f, s) }
	}
	load := func(l api.BusLoad) func(*findings) { return func(f *findings) { judgeLoad(f, l) } }
	room := func(free, total uint64) func(*findings) {
		return func(f *findings) { judgeDisk(f, "/data", free*gib/10, total*gib) }
	}
	version := func(number string, s api.DriverState, blocked ...twin.ID) api.DriverVersion {
		return api.DriverVersion{Name: "acme", Version: number, State: s, Blocked: blocked}
	}
	drivers := func(v ...api.DriverVersion) func(*findings) {
		return func(f *findings) { judgeDrivers(f, []api.Driver{{Name: "acme", Versions: v}}) }
	}
	fresh := now.Add(-5 * time.Second)
	for name, k := range map[string]struct {
		judge func(*findings)
		want  Level
	}{
		"a disk with room":                    {room(1000, 500), OK},
		"a disk with a tenth left":            {room(450, 500), Warning},
		"a small disk with room":              {room(200, 40), OK},
		"a disk with less than the bus needs": {room(25, 20), Warning},
		"a disk that is nearly full":          {room(5, 20), Bad},
		"a large disk that is nearly full":    {room(90, 500), Bad},
		"a queue that is short":               {load(api.BusLoad{Consumers: []api.ConsumerLoad{{Name: "x", Pending: 10}}}), OK},
		"a queue that is long":                {load(api.BusLoad{Consumers: []api.ConsumerLoad{{Name: "x", Pending: 900, Unacknowledged: 200}}}), Warning},
		"a queue that does not move":          {load(api.BusLoad{Consumers: []api.ConsumerLoad{{Name: "x", Pending: 200_000}}}), Bad},
		"a queue that is tried again":         {load(api.BusLoad{Consumers: []api.ConsumerLoad{{Name: "x", Unacknowledged: 1, Redelivered: 1}}}), Warning},
		"a stream that is nearly full":        {load(api.BusLoad{Streams: []api.StreamLoad{{Name: "s", Bytes: 90, MaxBytes: 100}}}), Bad},
		"a watchdog that runs":                {sweeps(api.SweepStatus{Function: "twins", Planned: fresh, Outcome: "ok"}), OK},
		"a watchdog that has stopped":         {sweeps(api.SweepStatus{Function: "twins", Planned: now.Add(-time.Hour), Outcome: "ok"}), Bad},
		"a watchdog that never ran":           {sweeps(), Bad},
		"a function that does not sweep":      {sweeps(api.SweepStatus{Function: "twins", Planned: fresh, Outcome: "failed", Failing: now.Add(-time.Hour)}), Bad},
		"no operation that is overdue":        {func(f *findings) { judgeOperations(f, api.Heartbeat{Overdue: map[string]int{"job": 0}}) }, OK},
		"operations that are overdue":         {func(f *findings) { judgeOperations(f, api.Heartbeat{Overdue: map[string]int{"job": 2}}) }, Warning},
		"people who wait for minutes":         {sweeps(api.SweepStatus{Function: "alerts", Planned: fresh, Waiting: 3, Oldest: now.Add(-5 * time.Minute)}), Warning},
		"drivers that are well":               {drivers(version("1.1.0", api.DriverActive), version("1.0.0", api.DriverWithdrawn)), OK},
		"a driver in quarantine":              {drivers(version("1.1.0", api.DriverQuarantined), version("1.0.0", api.DriverActive)), Warning},
		"a driver in quarantine and replaced": {drivers(version("1.2.0", api.DriverActive), version("1.1.0", api.DriverQuarantined)), OK},
		"a driver that parks what one sends":  {drivers(version("1.1.0", api.DriverActive, "th-1")), Warning},
		"people who wait for hours":           {sweeps(api.SweepStatus{Function: "alerts", Planned: fresh, Waiting: 3, Oldest: now.Add(-5 * time.Hour)}), Bad},
	} {
		f := &findings{check: "x"}
		k.judge(f)
		if got := (Report{Findings: f.all}).Worst(); got != k.want || len(f.all) == 0 {
			t.Errorf("%s is %s, want %s: %+v", name, got, k.want, f.all)
		}
		for _, x := range f.all {
			if x.Level != OK && x.Remedy == "" {
				t.Errorf("%s: no remedy for: %s", name, x.Fact)
			}
		}
	}
}

// A device that others speak for has no run to be reset.
func TestTheRemedyForMessagesOfNobody(t *testing.T) {
	const reason = "no twin is known for device reference "
	if got := ownerless(reason + string(device.RelayedRef("b-1", "lamp"))); !strings.Contains(got, "castor device add") || !strings.Contains(got, "castor twin parked --no-twin") {
		t.Errorf("of a relayed device: %s", got)
	}
	if got := ownerless(reason + "p-1-0c1d2e3f"); !strings.Contains(got, "castor run reset") || !strings.Contains(got, "castor twin adopt TWIN") {
		t.Errorf("of another: %s", got)
	}
}
