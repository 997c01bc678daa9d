package main

import (
	"context"
	"errors"
	"fmt"
	"net"
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
	start := time.Now()
	stop, sent := flow(ctx, conns[1:], peers[1:])
	defer stop()
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
	all := float64(sent() + samples)
	rate := all / time.Since(start).Seconds()
	after, callsErr := c.calls(ctx, "twin-ingest")
	stop()
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

// flow publishes 1,000 messages per second over all connections, until stop is called or ctx ends; sent is how many they are so far.
func flow(ctx context.Context, conns []net.Conn, peers []peer) (stop func(), sent func() int64) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	var n atomic.Int64
	for i, conn := range conns {
		all.Go(func() {
			every := time.NewTicker(time.Second * time.Duration(len(conns)) / pace)
			defer every.Stop()
			_ = flood.Publish(conn, "castor/"+peers[i].ref+"/telemetry", 1_000_000, window, func(i int) []byte {
				select {
				case <-every.C:
				case <-ctx.Done():
					conn.Close()
				}
				n.Add(1)
				return payload(i)
			}, nil)
		})
	}
	return func() { cancel(); all.Wait() }, n.Load
}
