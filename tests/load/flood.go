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
	var calm, bare, hard []span
	var ours, floor tally
	var told toll
	under := func(address string, spans *[]span, t *tally, serves int) error {
		done := make(chan error, 1)
		go func() {
			s, err := pass(ctx, time.Second, hammerFor)
			*spans = append(*spans, s)
			done <- err
		}()
		return t.measure(serves, func() (err error) {
			told, err = b.siege(ctx, address, clients, perSecond, hammerFor+time.Second)
			return errors.Join(err, <-done)
		})
	}
	for range hammerRounds {
		s, err := pass(ctx, time.Second, hammerFor/2)
		if err != nil {
			return err
		}
		calm = append(calm, s)
		if err := under(d.closes, &bare, &floor, c.cmd.Process.Pid); err != nil {
			return err
		}
		barely := told
		if err := under(c.provisioning, &hard, &ours, c.cmd.Process.Pid); err != nil {
			return err
		}
		if barely.Failed+told.Failed+barely.Skipped+told.Skipped > (barely.Tries+told.Tries)/20 {
			return fmt.Errorf("the attackers were no match: %+v at the bare listener, %+v at the gateway", barely, told)
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
	const is = "the same attackers at a listener that accepts and closes"
	quietly := took(all, calm...)
	for _, p := range []int{50, 99} {
		b.add(Figure{Name: fmt.Sprintf("flood: operational publish to stored, p%d", p), Value: ms(percentile(took(all, hard...), p)), Unit: "ms",
			Floor: ms(percentile(took(all, bare...), p)), FloorIs: is, Note: fmt.Sprintf("%d attackers, %d connections/s; %.1f ms while there are none", clients, perSecond, ms(percentile(quietly, p)))})
	}
	b.add(Figure{Name: "flood: processor time of the platform per second", Value: ms(ours.served) / ours.clock.Seconds(), Unit: "ms", Floor: ms(floor.served) / floor.clock.Seconds(), FloorIs: is,
		Note: fmt.Sprintf("sent %d, stored %d", len(all), stored)})
	return nil
}
