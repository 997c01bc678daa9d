package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/castor-iot/castor/tests/load/flood"
)

// measureSight follows values from their device to where they are seen, at 1,000 messages per second, with 50 people who look on.
func (b *bench) measureSight(ctx context.Context, c *castor, tokens []string, w *browser) error {
	peers, err := c.peers(ctx, 21)
	if err != nil {
		return err
	}
	conns, err := connect(ctx, peers)
	if err != nil {
		return err
	}
	broker, err := b.startBroker(ctx)
	if err != nil {
		return err
	}
	defer broker.stop()
	bare := broker.peers(1)
	bareConns, err := connect(ctx, bare)
	if err != nil {
		return err
	}
	began := time.Now()
	stop, sent := flow(ctx, conns[1:], peers[1:])
	defer stop()
	<-time.After(5 * time.Second)
	alone, err := c.settled(ctx)
	if err != nil {
		return err
	}
	people, err := c.gather(ctx, tokens, onlookers)
	if err != nil {
		return err
	}
	defer people.leave()
	f := follower{c: c, w: w, token: tokens[0], device: line{conns[0], peers[0]}, bare: line{bareConns[0], bare[0]}}
	views := []struct{ name, path string }{{"a table whose 21 rows all move", "/?presence=online"}, {"the twin's page", "/twins/" + string(peers[0].twin)}}
	if w == nil {
		views = views[:1] // the stream alone, once
	}
	profiled := c.profile(ctx, b, 15)
	for _, v := range views {
		s, err := f.follow(ctx, v.path)
		if err != nil {
			return err
		}
		s.report(b, v.name, fmt.Sprintf("at %.0f msg/s, %d streams, %d values", float64(sent())/time.Since(began).Seconds(), onlookers, sights))
	}
	if err := profiled(); err != nil {
		return err
	}
	return b.measureBusy(ctx, c, people, alone)
}

// measureBusy tells what the platform takes with streams open under load, and what of it is left when they have gone.
func (b *bench) measureBusy(ctx context.Context, c *castor, people *audience, before float64) error {
	full, err := c.settled(ctx)
	if err != nil {
		return err
	}
	people.leave()
	<-time.After(5 * time.Second)
	after, err := c.settled(ctx)
	if err != nil {
		return err
	}
	b.add(Figure{Name: "resident with 50 streams at 1,000 msg/s", Value: full / 1e6, Unit: "MB", Floor: after / 1e6, FloorIs: "the same load, after they have gone",
		Note: fmt.Sprintf("%.0f MB before they came, with less history", before/1e6)})
	return nil
}

// A line is a connection of a device.
type line struct {
	conn net.Conn
	peer
}

// A follower publishes values of one twin and sees where they get to. They go on from view to view, so that none is taken for one
// of before.
type follower struct {
	c     *castor
	w     *browser // nil = there is none
	token string
	next  int

	device, bare line
}

// ways are how long values took to each place.
type ways struct{ broker, stored, stream, screen []time.Duration }

func (f *follower) follow(ctx context.Context, view string) (s ways, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	id, first := f.device.twin, f.next
	f.next += sights
	if f.w != nil {
		if err := f.w.ask(order{Do: "watch", URL: f.c.url, Name: "admin", Password: f.c.password, View: view, Twin: string(id)}, nil); err != nil {
			return s, err
		}
	}
	watching, enough := context.WithCancel(ctx)
	defer enough()
	watched, err := f.c.watch(watching, f.token, id, first+sights-1)
	if err != nil {
		return s, err
	}
	beside := make(chan error, 1)
	go func() { beside <- f.bare.publish(first, nil, &s.broker) }()
	published := make([]time.Time, sights)
	if err := errors.Join(f.device.publish(first, published, &s.stored), <-beside); err != nil {
		return s, err
	}
	told, err := watched()
	if err != nil {
		return s, fmt.Errorf("the stream: %w", err)
	}
	if s.stream, err = delays(first, published, told); err != nil || f.w == nil {
		return s, err
	}
	var seen []sighting
	if err := f.w.ask(order{Do: "seen", Value: first + sights - 1}, &seen); err != nil {
		return s, err
	}
	s.screen, err = delays(first, published, seen)
	return s, err
}

// publish publishes values from first on, some six a second so that each has time to be seen; took are the times to their
// acknowledgement. The pauses differ, or they could keep step with what is measured.
func (l line) publish(first int, published []time.Time, took *[]time.Duration) error {
	var began time.Time
	return flood.Publish(l.conn, "castor/"+l.ref+"/telemetry", sights, 1, func(n int) []byte {
		<-time.After(100*time.Millisecond + rand.N(100*time.Millisecond))
		p := payload(first + n)
		began = time.Now()
		if published != nil {
			published[n] = began
		}
		return p
	}, func(int) { *took = append(*took, time.Since(began)) })
}

func (s *ways) report(b *bench, view, note string) {
	const ack = "the bare broker's acknowledgement, meanwhile"
	for _, p := range []int{50, 99} {
		broker := ms(percentile(s.broker, p))
		name := func(what string) string { return fmt.Sprintf("%s, p%d", what, p) }
		b.add(Figure{Name: name("change on a device to stored"), Value: ms(percentile(s.stored, p)), Unit: "ms", Floor: broker, FloorIs: ack, Note: note})
		b.add(Figure{Name: name("change on a device to a bare reader of the stream"), Value: ms(percentile(s.stream, p)), Unit: "ms", Floor: broker, FloorIs: ack, Note: note})
		if s.screen != nil {
			b.add(Figure{Name: name("change on a device to pixel, " + view), Value: ms(percentile(s.screen, p)), Unit: "ms",
				Floor: ms(percentile(s.stream, p)), FloorIs: "the same values at a bare reader of the stream", Note: note})
		}
	}
}
