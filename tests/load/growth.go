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

	agent "github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// newcomers is how many devices of the new type come in.
const newcomers = 10

// measureGrowth adds a type, a provisioning model and a gateway while 1,000 devices of another type report (paper 6): is any of
// their messages lost or late?
func measureGrowth(ctx context.Context, b *bench) error {
	n := b.of(1000)
	if err := needFiles(2*n + 1000); err != nil {
		return err
	}
	nats, err := free()
	if err != nil {
		return err
	}
	c, all, err := b.populate(ctx, filepath.Join(b.dir, "growth", "data"), n, []device.Kind{device.Certificate}, "--nats", nats)
	if err != nil {
		return err
	}
	defer c.stop()
	if err := b.buildConnector(ctx); err != nil { // not while others are measured
		return err
	}
	peers := all[device.Certificate]
	conns := make([]net.Conn, n)
	err = storm(ctx, n, new(atomic.Int64), func(ctx context.Context, i int) (err error) {
		conns[i], err = peers[i].connect(ctx, from(knownDevices, i))
		return err
	})
	if err := errors.Join(err, c.online(ctx, n)); err != nil {
		return err
	}
	flow := steady(ctx, conns, peers, max(10, n/2))
	defer flow.end()
	before, err := pass(ctx, 3*time.Second, 10*time.Second)
	if err != nil {
		return err
	}
	during := span{from: time.Now()}
	stop, err := c.grow(ctx, b, nats)
	if err != nil {
		return err
	}
	defer stop()
	grown := time.Since(during.from)
	during.to = time.Now()
	if rest := 5*time.Second - grown; rest > 0 { // what is new goes on working
		s, err := pass(ctx, 0, rest)
		if err != nil {
			return err
		}
		during.to = s.to
	}
	after, err := pass(ctx, 0, 10*time.Second)
	if err != nil {
		return err
	}
	sent, err := flow.stop()
	if err != nil {
		return err
	}
	stored, err := c.stored(ctx, peers)
	if err != nil {
		return err
	}
	note := fmt.Sprintf("%d devices, %d messages sent, %d stored", n, len(sent), stored)
	b.add(Figure{Name: "growth: messages lost", Value: float64(len(sent) - stored), Unit: "msg", Note: note})
	b.add(Figure{Name: "growth: a type, a model, a gateway and 10 devices of them added in", Value: grown.Seconds(), Unit: "s"})
	quiet := took(sent, before)
	for _, w := range []struct {
		name string
		span
	}{{"during", during}, {"after", after}} {
		b.add(Figure{Name: "growth: publish to stored, p99 " + w.name, Value: ms(percentile(took(sent, w.span), 99)), Unit: "ms", Floor: ms(percentile(quiet, 99)), FloorIs: "before"})
	}
	return nil
}

// grow adds what is new, has devices of it come in at the new gateway, and fails unless they did and have reported.
func (c *castor) grow(ctx context.Context, b *bench, nats string) (stop func(), err error) {
	way, err := c.admin.GetModel(ctx, "automatic")
	if err != nil {
		return nil, err
	}
	way.ID, way.Version = "for-vans", 0
	if _, err = c.admin.PutModel(ctx, way); err != nil {
		return nil, err
	}
	_, err = c.admin.CreateTwin(ctx, api.NewTwin{ID: "van", Kind: twin.Type, Definition: twin.Definition{Model: &twin.Model{Provisioning: way.ID,
		Properties: []twin.Property{{Name: "speed", Unit: "km/h"}}}}})
	if err != nil {
		return nil, err
	}
	stop, err = b.startGateway(ctx, c, "operational-2", "north", nats)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	claim, err := c.admin.CreateClaim(ctx, api.NewClaim{Type: "van", Owner: "plant", MaxUses: newcomers, Serials: "V-*", Location: &twin.Location{Region: "north"}})
	if err != nil {
		return stop, err
	}
	configs := make([]agent.Config, newcomers)
	for i := range configs {
		configs[i] = agent.Config{Claim: claim, Serial: fmt.Sprintf("V-%d", i)}
		if _, err = c.admin.CreateIdentity(ctx, device.Identity{Serial: configs[i].Serial}); err != nil {
			return stop, err
		}
	}
	vans, err := agent.StartAll(ctx, configs, newcomers, nil)
	if err != nil {
		return stop, err
	}
	var all sync.WaitGroup
	errs := make([]error, newcomers)
	for i, van := range vans {
		all.Go(func() {
			_, err := van.Measure(time.Now(), map[string]any{"speed": 50})
			place, err2 := c.admin.GetAssignment(ctx, van.Ref())
			if err2 == nil && place.Gateway != "operational-2" {
				err2 = fmt.Errorf("%s has its place at %s: %s", van.Ref(), place.Gateway, place.Reason)
			}
			errs[i] = errors.Join(err, err2, van.Drain(ctx))
		})
	}
	all.Wait()
	return stop, errors.Join(errors.Join(errs...), agent.CloseAll(vans))
}
