package twins_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// BenchmarkABridgeGoesWithItsDevices is a bridge and the 5,000 devices that it speaks for, each archived, with schedule and sweep as often as one
// can, until nothing is left of any. What another twin's reader waits meanwhile is read-p99-ms.
func BenchmarkABridgeGoesWithItsDevices(b *testing.B) {
	const n = 5000
	w := withDevices(b)
	for round := 0; b.Loop(); round++ {
		b.StopTimer()
		hub := twin.ID(fmt.Sprintf("hub-%d", round))
		c := w.enrolled(hub, 1)
		id := func(i int) twin.ID { return twin.ID(fmt.Sprintf("lamp-%d-%d", round, i)) }
		for i := range n {
			w.relayed(id(i), c.Ref)
		}
		w.said("other", 1, 0)
		b.StartTimer()
		_, err := w.Admin().Decommission(ctx, hub, api.NewDecommission{Reason: "closed", Data: twin.Archive, WithDevices: true})
		must(b, err)
		w.out(c.Ref)
		stop, waited := make(chan struct{}), make(chan []time.Duration)
		go func() { waited <- w.reads("other", stop) }()
		peak, calls := uint64(0), 0
		for over := false; !over; calls++ {
			w.SetTime(w.Now().Add(2 * time.Second))
			w.alive()
			must(b, w.Tick("twins", w.Now()))
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
			v, err := w.Admin().GetDecommission(ctx, hub)
			must(b, err)
			over = v.State == api.DecommissionDone
		}
		begun := b.Elapsed()
		for i := range n {
			for {
				v, err := w.Admin().GetDecommission(ctx, id(i))
				must(b, err)
				if v.State == api.DecommissionDone && v.Archive != "" && v.With == hub {
					break
				}
				w.SetTime(w.Now().Add(2 * time.Second))
				must(b, w.Tick("twins", w.Now()))
				calls++
			}
			if _, err := w.Admin().GetTwin(ctx, id(i)); !errors.Is(err, api.ErrNotFound) {
				b.Fatalf("%s is there still: %v", id(i), err)
			}
		}
		close(stop)
		all := <-waited
		slices.Sort(all)
		b.ReportMetric(begun.Seconds(), "s-until-bridge-is-gone")
		b.ReportMetric(float64(calls), "schedules")
		b.ReportMetric(float64(peak>>20), "heap-MB")
		b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "read-p50-ms")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "read-p99-ms")
	}
}

// reads is how long somebody waits who reads a twin again and again.
func (w *world) reads(id twin.ID, stop chan struct{}) (took []time.Duration) {
	for {
		begin := time.Now()
		if _, err := w.Part("twin-provision", "").GetTwin(ctx, id); err != nil {
			w.t.Error(err)
		}
		took = append(took, time.Since(begin))
		select {
		case <-stop:
			return took
		case <-time.After(20 * time.Millisecond):
		}
	}
}
