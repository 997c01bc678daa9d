package e2e

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/tests/cluster"
)

// A load is devices that measure all the time: value n of rpm is the n-th measurement, and every 20th is hot.
type load struct {
	w       *World
	devices []*device.Device
	stop    chan struct{}
	all     sync.WaitGroup
	counts  []atomic.Int64
}

const hotEvery = 20

// startLoad provisions n devices, with a rule that raises an alarm whenever one is hot, and has them measure. A device of which
// more than most measurements are not stored waits: on a machine that is busy with other things the load is what it can carry.
func (w *World) startLoad(n int, every time.Duration, most int) *load {
	w.Helper()
	w.Type("pump")
	w.Rule("pump", "temperature > 80", monitor.Warning)
	l := &load{w: w, stop: make(chan struct{}), counts: make([]atomic.Int64, n)}
	for i := range n {
		l.devices = append(l.devices, w.Provision("pump", fmt.Sprintf("P-%d", i), "plant"))
	}
	for i, d := range l.devices {
		l.all.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for {
				select {
				case <-l.stop:
					return
				case <-tick.C:
				}
				if d.Pending() > most {
					continue
				}
				count, temperature := l.counts[i].Load(), 20.0
				if count%hotEvery == hotEvery-1 {
					temperature = 99
				}
				if _, err := d.Measure(time.Now(), map[string]any{"rpm": float64(count), "temperature": temperature}); err != nil {
					w.Errorf("measure: %v", err)
					return
				}
				l.counts[i].Add(1)
			}
		})
	}
	return l
}

// pending is how many measurements are not acknowledged as stored.
func (l *load) pending() (n int) {
	for _, d := range l.devices {
		n += d.Pending()
	}
	return n
}

// goesOn returns what tells whether more of each device is stored than it has measured by now.
func (l *load) goesOn() func() bool {
	by := make([]int64, len(l.devices))
	for i := range by {
		by[i] = l.counts[i].Load()
	}
	return func() bool {
		for i, d := range l.devices {
			if l.counts[i].Load()-int64(d.Pending()) <= by[i] {
				return false
			}
		}
		return true
	}
}

// raises returns what tells whether an alarm was raised since now.
func (l *load) raises() func() bool {
	since := time.Now()
	return func() bool {
		list, err := l.w.Admin.ListAlarms(l.w.Context(), api.AlarmQuery{})
		return err == nil && len(list.Items) > 0 && list.Items[0].RaisedAt.After(since)
	}
}

// aim is after how long work goes on, whatever has gone.
const aim = 5 * time.Second

// stuck is when work that does not go on is taken not to go on at all. It is far beyond every aim: a machine may be busy with
// other things, and what is slow then is no fault of the platform.
const stuck = time.Minute

// within polls until ok, says how long it took, and when that was longer than the aim, which counts on a machine with nothing
// else to do. It fails the test when it is stuck.
func (w *World) within(aim time.Duration, what string, ok func() bool) {
	w.Helper()
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > stuck {
			w.Fatalf("after %s it is still not so: %s", stuck, what)
		}
		<-time.After(10 * time.Millisecond)
	}
	took := time.Since(begin).Round(time.Millisecond)
	if took <= aim {
		w.Logf("%s: after %s", what, took)
		return
	}
	w.Logf("%s: after %s, which is more than %s, the aim", what, took, aim)
	fmt.Fprintf(os.Stderr, "SLOW: %s: %s: after %s, the aim is %s\n", w.Name(), what, took, aim) // also when the test passes
}

// check ends the load: every measurement is in history once, and every hot spell has one alarm, which is over.
func (l *load) check() {
	w := l.w
	w.Helper()
	close(l.stop)
	l.all.Wait()
	for i, d := range l.devices {
		w.Drained(d)
		seen := map[any]int{}
		for _, r := range w.History(d.Twin(), "rpm") {
			for _, s := range r.Samples {
				if s.Property == "rpm" {
					seen[s.Value]++
				}
			}
		}
		count := l.counts[i].Load()
		for n := range count {
			if seen[float64(n)] != 1 {
				w.Fatalf("reading %d of %s is %d times in history, want once", n, d.Twin(), seen[float64(n)])
			}
		}
		hot, ended := int(count/hotEvery), count%hotEvery > 0
		w.within(30*time.Second, fmt.Sprintf("%s has its %d alarms", d.Twin(), hot), func() bool {
			alarms := w.Alarms(d.Twin())
			if len(alarms) != hot {
				return false
			}
			for k, a := range alarms {
				if a.State != monitor.Cleared && (k > 0 || ended) {
					return false
				}
			}
			return true
		})
	}
}

// One replica of the operational gateway dies under load: its devices come back through the other. So does one event
// connector: alarms are raised by the other. Nothing acknowledged is lost, nothing is done twice.
func TestAReplicaDiesUnderLoad(t *testing.T) {
	w := NewWorld(t, func(c *Settings) { c.Processes = true })
	l := w.startLoad(12, 20*time.Millisecond, 50)
	for round := range 2 {
		for name, victim := range map[string]*cluster.Process{"gateway": w.Cluster.Gateways[round], "event connector": w.Cluster.Events[round]} {
			w.within(aim, "alarms are raised before the "+name+" dies", l.raises())
			victim.Kill()
			goesOn, raises := l.goesOn(), l.raises()
			w.within(aim, "what every device measures after the "+name+" died is stored", goesOn)
			w.within(aim, "alarms are raised after the "+name+" died", raises)
			w.must(victim.Start(), name)
		}
	}
	l.check()
}

// outage is how long a store is away: longer than anybody waits for the answer to a batch.
const outage = 35 * time.Second

// MongoDB, NATS or the object store is gone for a while under load: nobody loses anything, and it recovers by itself.
func TestAStoreIsGone(t *testing.T) {
	for name, of := range map[string]func(*cluster.Cluster) []*cluster.Link{
		"MongoDB":                   func(c *cluster.Cluster) []*cluster.Link { return []*cluster.Link{c.Mongo} },
		"NATS and the object store": func(c *cluster.Cluster) []*cluster.Link { return []*cluster.Link{c.NATS, c.Objects} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits most of its time
			w := NewWorld(t, func(c *Settings) { c.Processes = true })
			l := w.startLoad(4, 100*time.Millisecond, math.MaxInt)
			w.within(aim, "everything goes well", func() bool { return l.pending() < 10 })
			for _, k := range of(w.Cluster) {
				k.Cut()
			}
			retries := 0
			for gone := time.Now(); time.Since(gone) < outage; <-time.After(500 * time.Millisecond) {
				asking, cancel := context.WithTimeout(w.Context(), 10*time.Second)
				_, err := w.Admin.ListAlarms(asking, api.AlarmQuery{})
				cancel()
				if errors.Is(err, api.ErrUnavailable) {
					retries++
				} else if err != nil && asking.Err() == nil {
					t.Errorf("while %s is away a person is told %v, not to try again", name, err)
				}
			}
			if name != "MongoDB" {
				if err := w.announce("while it is away"); !errors.Is(err, api.ErrUnavailable) {
					t.Errorf("a file that is announced without an object store: %v, want to be told to try again", err)
				}
			}
			if name == "MongoDB" && retries == 0 {
				t.Error("while MongoDB is away nobody is told to try again")
			}
			for _, k := range of(w.Cluster) {
				k.Mend()
			}
			w.within(aim, "the backlog is stored after "+name+" is back", func() bool { return l.pending() < 10 })
			l.check()
			w.Cluster.Calm(true) // an announcement that chaos makes twice is two
			w.Eventually("files can be announced", func() bool { return w.announce("afterwards") == nil })
		})
	}
}

// announce announces a file, which begins its upload in the object store.
func (w *World) announce(name string) error {
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	_, err := w.Admin.CreateArtifact(ctx, api.NewArtifact{Name: name, Owner: "plant", Size: 6, SHA256: strings.Repeat("0", 64)})
	return err
}
