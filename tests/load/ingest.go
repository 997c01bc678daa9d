package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/tests/load/flood"
)

const (
	publishers = 100
	window     = 50      // messages of a publisher that wait for their acknowledgement
	size       = 256     // bytes of a payload
	rounds     = 3       // of platform and floor in turn, so that both see the same machine
	perRound   = 100_000 // messages of all publishers
	messages   = rounds * perRound
)

// payload is a telemetry message of 256 bytes, the one with number i from 0.
func payload(i int) []byte {
	b := fmt.Appendf(make([]byte, 0, size), `{"time":%q,"epoch":1,"seq":%d,"data":{"rpm":%d,"temperature":20.5,"note":"`,
		time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), i+1, i)
	for len(b) < size-3 {
		b = append(b, 'x')
	}
	return append(b, `"}}`...)
}

// connect connects as all peers. The connections end with ctx, so that nothing waits for ever.
func connect(ctx context.Context, peers []peer) (conns []net.Conn, err error) {
	for _, p := range peers {
		conn, err := tls.Dial("tcp", p.addr, p.tls)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() })
			err = flood.Hello(conn, p.ref)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.ref, err)
		}
		conns = append(conns, conn)
	}
	return conns, nil
}

// publishAll publishes the next messages of all peers, from number first of each, and returns when all are acknowledged.
func publishAll(conns []net.Conn, peers []peer, first, total int) error {
	errs := make([]error, len(conns))
	var all sync.WaitGroup
	for i, conn := range conns {
		all.Go(func() {
			errs[i] = flood.Publish(conn, "castor/"+peers[i].ref+"/telemetry", total/len(conns), window,
				func(n int) []byte { return payload(first + n) }, nil)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// A tally is what a flood took: of the clock, and of processors on either side.
type tally struct{ clock, served, played time.Duration }

// measure adds what do takes, of which process pid does the serving.
func (t *tally) measure(pid int, do func() error) error {
	served, err := used(pid)
	if err != nil {
		return err
	}
	played, began := usedHere(), time.Now()
	if err := do(); err != nil {
		return err
	}
	t.clock += time.Since(began)
	t.played += usedHere() - played
	after, err := used(pid)
	t.served += after - served
	return err
}

func (t *tally) rate() float64 { return messages / t.clock.Seconds() }

func measureIngest(ctx context.Context, b *bench) error {
	broker, err := b.startBroker(ctx)
	if err != nil {
		return err
	}
	defer broker.stop()
	c, err := b.up(ctx, filepath.Join(b.dir, "ingest", "data"), "")
	if err != nil {
		return err
	}
	defer c.stop()
	peers, err := c.peers(ctx, publishers)
	if err != nil {
		return err
	}
	bare := broker.peers(publishers)
	conns, err1 := connect(ctx, peers)
	bareConns, err2 := connect(ctx, bare)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	var ours, floor tally
	var calls float64
	profiled := c.profile(ctx, b, 15)
	for round := range rounds {
		first := round * perRound / publishers
		if err := floor.measure(broker.cmd.Process.Pid, func() error { return publishAll(bareConns, bare, first, perRound) }); err != nil {
			return fmt.Errorf("the bare broker: %w", err)
		}
		before, err := c.calls(ctx, "twin-ingest")
		if err != nil {
			return err
		}
		if err := ours.measure(c.cmd.Process.Pid, func() error {
			if err := publishAll(conns, peers, first, perRound); err != nil {
				return err
			}
			return c.visible(ctx, peers, first+perRound/publishers-1)
		}); err != nil {
			return err
		}
		after, err := c.calls(ctx, "twin-ingest")
		if err != nil {
			return err
		}
		calls += after - before
	}
	if err := profiled(); err != nil {
		return err
	}
	stored, err := c.stored(ctx, peers)
	if err != nil {
		return err
	}
	if stored != messages {
		return fmt.Errorf("history shows %d messages, %d were acknowledged", stored, messages)
	}
	const broke = "bare broker, one subscriber that does nothing"
	b.add(Figure{Name: "ingest: QoS 1, 256 B, 100 devices, to visible in history", Value: ours.rate(), Unit: "msg/s", Floor: floor.rate(), FloorIs: broke,
		Note: fmt.Sprintf("sent %d, stored %d", messages, stored)})
	b.add(Figure{Name: "ingest: messages per call of twin-ingest", Value: messages / calls, Unit: "msg"})
	b.add(Figure{Name: "ingest: the same per second of processor time, publishers' too", Value: messages / (ours.served + ours.played).Seconds(), Unit: "msg/s",
		Floor: messages / (floor.served + floor.played).Seconds(), FloorIs: broke})
	b.add(Figure{Name: "ingest: processor time per message", Value: perMessage(ours.served), Unit: "µs", Floor: perMessage(floor.served), FloorIs: broke})
	return nil
}

func perMessage(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / messages }

// visible asks history for the newest message of each peer until it is the one with the number.
func (c *castor) visible(ctx context.Context, peers []peer, number int) error {
	for _, p := range peers {
		for {
			page, err := c.admin.History(ctx, api.HistoryQuery{Twin: p.twin, Property: "rpm", From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), Limit: 1, Reverse: true})
			if err != nil {
				return err
			}
			if len(page.Items) == 1 && len(page.Items[0].Samples) == 1 && page.Items[0].Samples[0].Value == float64(number) {
				break
			}
		}
	}
	return nil
}

// stored counts the messages of all peers in history.
func (c *castor) stored(ctx context.Context, peers []peer) (sum int, err error) {
	for _, p := range peers {
		q := api.HistoryQuery{Twin: p.twin, Property: "rpm", From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), Step: 2 * time.Hour, Agg: "count"}
		buckets, err := c.admin.Aggregate(ctx, q)
		if err != nil {
			return 0, err
		}
		for _, b := range buckets.Items {
			sum += b.Count
		}
	}
	return sum, nil
}
