package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

const (
	reporting    = 400  // messages per second of devices that work
	hammering    = 1000 // connections per second of attackers
	hammerRounds = 6    // at the platform and at the bare listener in turn, so that both see the same machine
	hammerFor    = 4 * time.Second
)

// measureFlood has 2,000 hostile clients at the provisioning gateway while devices report at the operational one: how much later
// are messages stored than while the same attackers are at a listener that accepts and closes?
func measureFlood(ctx context.Context, b *bench) error {
	clients, perSecond := b.of(2000), b.of(hammering)
	if err := needFiles(9000); err != nil {
		return err
	}
	d, err := b.startDoor(ctx)
	if err != nil {
		return err
	}
	defer d.stop()
	c, err := b.up(ctx, filepath.Join(b.dir, "flood", "data"), "")
	if err != nil {
		return err
	}
	defer c.stop()
	peers, err := c.peers(ctx, 20)
	if err != nil {
		return err
	}
	conns, err := connect(ctx, peers)
	if err != nil {
		return err
	}
	flow := steady(ctx, conns, peers, reporting)
	defer flow.end()
	targets := []*target{{address: d.closes}, {address: d.shakes}, {address: c.provisioning}}
	var calm []span
	for range hammerRounds {
		s, err := pass(ctx, time.Second, hammerFor/2)
		if err != nil {
			return err
		}
		calm = append(calm, s)
		for _, t := range targets {
			if err := t.hammer(ctx, b, clients, perSecond, c.cmd.Process.Pid); err != nil {
				return err
			}
		}
	}
	all, err := flow.stop()
	if err != nil {
		return err
	}
	stored, err := c.stored(ctx, peers)
	if err != nil {
		return err
	}
	if stored != len(all) {
		return fmt.Errorf("history shows %d messages, %d were acknowledged", stored, len(all))
	}
	bare, shaken, ours := targets[0], targets[1], targets[2]
	const is = "the same attackers at a listener that accepts and closes"
	note := fmt.Sprintf("%d attackers, %d connections/s", clients, perSecond)
	for _, p := range []int{50, 99} {
		at := func(s []span) float64 { return ms(percentile(took(all, s...), p)) }
		b.add(Figure{Name: fmt.Sprintf("flood: operational publish to stored, p%d", p), Value: at(ours.spans), Unit: "ms", Floor: at(bare.spans), FloorIs: is,
			Note: fmt.Sprintf("%s; %.1f ms at a listener that makes the TLS handshake and closes, %.1f ms while there are none", note, at(shaken.spans), at(calm))})
	}
	b.add(Figure{Name: "flood: processor time of the platform per second", Value: ours.served(), Unit: "ms", Floor: bare.served(), FloorIs: is,
		Note: fmt.Sprintf("%.0f ms while others are at a listener that makes the handshake; sent %d, stored %d", shaken.served(), len(all), stored)})
	b.add(Figure{Name: "flood: processor time of the attackers per second", Value: ours.attacked(), Unit: "ms", Floor: bare.attacked(), FloorIs: is,
		Note: fmt.Sprintf("%.0f ms at a listener that makes the handshake", shaken.attacked())})
	return nil
}

// A target is what attackers go at, and what came of it.
type target struct {
	address string
	spans   []span // in which they did
	tally          // of the platform, meanwhile
	toll
}

// hammer has them go at it once, while process pid serves the devices that work.
func (t *target) hammer(ctx context.Context, b *bench, clients, perSecond, pid int) error {
	passed := make(chan error, 1)
	go func() {
		s, err := pass(ctx, time.Second, hammerFor)
		t.spans = append(t.spans, s)
		passed <- err
	}()
	return t.measure(pid, func() error {
		told, err := b.siege(ctx, t.address, clients, perSecond, hammerFor+time.Second)
		if t.add(told); told.Failed+told.Skipped > told.Tries/10 {
			err = errors.Join(err, fmt.Errorf("the attackers were no match: %+v at %s", told, t.address))
		}
		return errors.Join(err, <-passed)
	})
}

// served and attacked are the processor time of either side, in ms per second.
func (t *target) served() float64   { return ms(t.tally.served) / t.clock.Seconds() }
func (t *target) attacked() float64 { return ms(t.used) / t.clock.Seconds() }
