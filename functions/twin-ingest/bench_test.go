package twiningest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// BenchmarkBatch is one call with 500 messages of 100 twins, five samples each, as a connector makes it, beside its floor:
// the same documents written by the store alone. Each iteration is one batch.
func BenchmarkBatch(b *testing.B) {
	const twins, each = 100, 5
	var ids []twin.ID
	for i := range twins {
		ids = append(ids, twin.ID(fmt.Sprintf("pump-%03d", i)))
	}
	prepare := func(b *testing.B) (*world, func(n int) []telemetry.Message) {
		w := newWorld(b, twin.Model{OfflineAfter: twin.Duration(time.Hour)}, ids...)
		for i := range 5 {
			w.rule(fmt.Sprintf("rule-%d", i), "pump", fmt.Sprintf("p%d > 1000000 for 1m", i))
		}
		return w, func(n int) (all []telemetry.Message) {
			for k := range each {
				for _, id := range ids {
					m := measured(id, n*each+k+1, "p0", n)
					m.Order.Seq = int64(n*each + k + 1)
					for p := 1; p < 5; p++ {
						m.Samples = append(m.Samples, telemetry.Sample{Property: fmt.Sprintf("p%d", p), Value: float64(n + p)})
					}
					all = append(all, m)
				}
			}
			return all
		}
	}
	b.Run("ingest", func(b *testing.B) {
		w, batch := prepare(b)
		n := 0
		w.stored(batch(n)...)
		for b.Loop() {
			n++
			w.SetTime(noon.Add(time.Duration(n*each) * time.Second))
			w.stored(batch(n)...)
		}
		b.ReportMetric(float64(b.N*twins*each)/b.Elapsed().Seconds(), "msg/s")
	})
	b.Run("floor", func(b *testing.B) {
		w, batch := prepare(b)
		ctx := context.Background()
		w.stored(batch(0)...)
		n := 0
		for b.Loop() {
			n++
			var records []api.Record
			for _, m := range batch(n) {
				records = append(records, api.Record{ID: fmt.Sprintf("%s|%015d|%d", m.Twin, m.Time.UnixMilli(), m.Order.Seq), Twin: m.Twin, Kind: m.Kind,
					At: m.Time, Received: m.Received, Order: m.Order, Samples: m.Samples})
			}
			if _, err := w.history.InsertMany(ctx, records); err != nil {
				b.Fatal(err)
			}
			var names []string
			for _, id := range ids {
				names = append(names, string(id))
			}
			docs, err := w.twins.Load(ctx, names)
			must(b, err)
			for _, d := range docs {
				d.Value.Live.Version++
			}
			if _, err := w.twins.ReplaceMany(ctx, docs); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N*twins*each)/b.Elapsed().Seconds(), "msg/s")
	})
}
