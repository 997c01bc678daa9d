package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/tests/load/flood"
)

const (
	pace    = 1000 // messages per second while latency is measured
	samples = 300
)

// measureLatency publishes 1,000 messages per second, and asks for a twin until it shows what was just published.
func measureLatency(ctx context.Context, b *bench) error {
	c, err := b.up(ctx, filepath.Join(b.dir, "latency", "data"), "")
	if err != nil {
		return err
	}
	defer c.stop()
	peers, err := c.peers(ctx, 21)
	if err != nil {
		return err
	}
	conns, err := connect(ctx, peers)
	if err != nil {
		return err
	}
	before, err := c.calls(ctx, "twin-ingest")
	if err != nil {
		return err
	}
	loading, stop := context.WithCancel(ctx)
	defer stop()
	var load sync.WaitGroup
	var sent atomic.Int64
	start := time.Now()
	for i, conn := range conns[1:] {
		load.Go(func() {
			every := time.NewTicker(time.Second * time.Duration(len(conns)-1) / pace)
			defer every.Stop()
			_ = flood.Publish(conn, "castor/"+peers[i+1].ref+"/telemetry", 1_000_000, window, func(n int) []byte {
				select {
				case <-every.C:
				case <-loading.Done():
					conn.Close()
				}
				sent.Add(1)
				return payload(n)
			}, nil)
		})
	}
	var took []time.Duration
	var began [samples]time.Time
	err = flood.Publish(conns[0], "castor/"+peers[0].ref+"/telemetry", samples, 1, func(n int) []byte {
		<-time.After(20 * time.Millisecond)
		p := payload(n)
		began[n] = time.Now()
		return p
	}, func(n int) {
		for {
			t, err := c.admin.GetTwin(ctx, peers[0].twin)
			if err != nil {
				return
			}
			if r, ok := t.Live.Reading("rpm"); ok && r.Value == float64(n) {
				took = append(took, time.Since(began[n]))
				return
			}
		}
	})
	all := float64(sent.Load() + samples)
	rate := all / time.Since(start).Seconds()
	after, callsErr := c.calls(ctx, "twin-ingest")
	stop()
	load.Wait()
	if err := errors.Join(err, callsErr); err != nil {
		return err
	}
	if len(took) != samples {
		return fmt.Errorf("%d of %d samples were seen", len(took), samples)
	}
	p50, p99 := percentile(took, 50), percentile(took, 99)
	note := fmt.Sprintf("at %.0f msg/s, %d samples, one request included", rate, samples)
	b.add(Figure{Name: "publish to visible in the twin, p50", Value: ms(p50), Unit: "ms", Note: note})
	b.add(Figure{Name: "publish to visible in the twin, p99", Value: ms(p99), Unit: "ms", Note: note})
	b.add(Figure{Name: "messages per call of twin-ingest, meanwhile", Value: all / (after - before), Unit: "msg"})
	return nil
}
