package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	reactingDevices = 8
	reactingFor     = 5 * time.Second
	heardWithin     = 5 * time.Minute
)

// Frames of the drivers' templates: the first says 22 °C, of which on_event makes nothing; with the second it wants to heat, which is its
// state from then on.
var (
	warmFrame = frame
	coldFrame = []byte{0xff, 0x38, 100}
	heating   = []byte{1}
)

// measureReactions measures what it costs that a driver hears of each message of its devices: processor time, and how fast on_event keeps
// up. The floor is the same driver and as many devices of a type that does not let it react.
func measureReactions(ctx context.Context, b *bench) error {
	kits, err := b.kits(ctx)
	if err != nil {
		return err
	}
	var d *driver.Driver
	for _, k := range kits {
		if k.kind == driver.WASM && k.language == "c" {
			d = k.driver
		}
	}
	if d == nil {
		return nil // what is missing was said
	}
	c, err := b.up(ctx, filepath.Join(b.dir, "reactions", "data"), "")
	if err != nil {
		return err
	}
	defer c.stop()
	if _, err := c.admin.CreateGroup(ctx, api.Group{ID: "plant"}); err != nil {
		return err
	}
	if err := c.publish(ctx, d); err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	ears := [2]*neighbours{}
	for i, typ := range []string{"deaf", "hearing"} {
		if ears[i], err = c.provision(ctx, typ, &twin.Model{Driver: d.Name, Reacts: i == 1}, reactingDevices); err != nil {
			return err
		}
	}
	var deaf, hearing reacting
	for range 2 { // the first time workers begin
		if deaf, err = c.reacting(ctx, ears[0], false); err != nil {
			return err
		}
		if hearing, err = c.reacting(ctx, ears[1], true); err != nil {
			return err
		}
	}
	is := "the same where the type does not let it react"
	b.add(Figure{Name: "reactions: messages decoded, stored and heard per second", Value: hearing.perSecond(), Unit: "/s", Floor: deaf.perSecond(), FloorIs: is,
		Note: fmt.Sprintf("%d messages of %d devices; the last was heard %.1f s after it was stored", hearing.messages, reactingDevices, hearing.behind.Seconds())})
	b.add(Figure{Name: "reactions: processor time of a message that is heard", Value: hearing.each(), Unit: "µs", Floor: deaf.each(), FloorIs: is})
	return nil
}

// reacting is what came of messages of a type's devices.
type reacting struct {
	messages int
	took     time.Duration // until all were stored, and heard where they are
	behind   time.Duration // how much of that was after the last was stored
	cpu      time.Duration // of the platform with its workers
}

func (r reacting) perSecond() float64 { return float64(r.messages) / r.took.Seconds() }

// each is the processor time of one message, microseconds.
func (r reacting) each() float64 { return float64(r.cpu.Microseconds()) / float64(r.messages) }

// reacting has devices talk as fast as they may, and waits until what they said last was heard, where their type's driver reacts.
func (c *castor) reacting(ctx context.Context, n *neighbours, reacts bool) (r reacting, err error) {
	began, cpu := time.Now(), c.processor()
	if r.messages, err = n.say(ctx, warmFrame, reactingFor); err != nil {
		return r, err
	}
	stored := time.Now()
	if reacts {
		if err := n.forget(ctx, c.admin); err != nil {
			return r, err
		}
		last, err := n.say(ctx, coldFrame, 0)
		if err != nil {
			return r, err
		}
		r.messages, stored = r.messages+last, time.Now()
		if err := n.heard(ctx, c.admin); err != nil {
			return r, err
		}
	}
	r.took, r.behind, r.cpu = time.Since(began), time.Since(stored), c.processor()-cpu
	return r, nil
}

// processor is the time that the platform and its workers have computed.
func (c *castor) processor() time.Duration {
	own, _ := used(c.cmd.Process.Pid)
	return own + c.workersUsed()
}

// say has all devices send a frame again and again for so long, at least once each, and tells how many were stored.
func (n *neighbours) say(ctx context.Context, frame []byte, span time.Duration) (int, error) {
	until := time.Now().Add(span)
	flow, err := n.talk(ctx, 1_000_000, window, func(k int) []byte {
		if k > 0 && time.Now().After(until) {
			return nil
		}
		return frame
	})
	if err != nil {
		return 0, err
	}
	defer n.leave()
	flow.all.Wait()
	all, err := flow.stop()
	return len(all), err
}

// forget has the driver begin anew with all twins.
func (n *neighbours) forget(ctx context.Context, admin *api.Client) error {
	for _, p := range n.peers {
		if err := admin.ForgetReaction(ctx, p.twin); err != nil {
			return err
		}
	}
	return nil
}

// heard waits until the driver has come to the state that the last frame of each device leads to.
func (n *neighbours) heard(ctx context.Context, admin *api.Client) error {
	ctx, cancel := context.WithTimeout(ctx, heardWithin)
	defer cancel()
	for _, p := range n.peers {
		for {
			r, err := admin.GetReaction(ctx, p.twin)
			if err != nil {
				return fmt.Errorf("twin %s has not been heard: %w", p.twin, err)
			}
			if bytes.Equal(r.State, heating) {
				break
			}
			if _, err := pass(ctx, 0, 20*time.Millisecond); err != nil {
				return fmt.Errorf("twin %s has not been heard, the driver has come to %+v: %w", p.twin, r, err)
			}
		}
	}
	return nil
}
