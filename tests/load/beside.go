package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

const (
	besideRounds = 5                       // times -scale
	besideSpan   = 2500 * time.Millisecond // of each figure in each round: short, so that what else the machine does falls on all alike
	besideRate   = 80                      // messages per second of each type that is measured
	hostileRate  = 20                      // of all hostile devices: workers bear 5 to 10, so something always waits
	hostileTypes = 8                       // each with one device and a driver of its own; of the harmless type there are as many devices
	crowdOf      = 6                       // devices of the type whose driver comes into quarantine
)

// measureBeside measures how long messages take from being published to being acknowledged, which is when they are stored and their twin
// shows them, through a whole platform, while devices of other types have drivers that do their worst; and while drivers that mean no harm
// keep the workers as busy. Each hostile type has one device: ten failures are no load, and what ends a driver after ten goes on working.
func measureBeside(ctx context.Context, b *bench) error {
	c, err := b.up(ctx, filepath.Join(b.dir, "beside", "data"), "")
	if err != nil {
		return err
	}
	defer c.stop()
	t, err := c.settleIn(ctx)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx) // all connections end with it
	defer end()
	var flows [len(calm)]*stream
	for i := range calm {
		if flows[i], err = t.calm[i].talk(ctx, besideRate, window, func(int) []byte { return calm[i].payload }); err != nil {
			return err
		}
		defer flows[i].end()
	}
	for range 2 { // the first time workers begin, and read the drivers
		if t.cost, err = c.costOfBusy(ctx, t); err != nil {
			return err
		}
	}
	profiled := c.profile(ctx, b, 30)
	var spans [len(hostilities)][]turn
	for round := range b.of(besideRounds) {
		for i, h := range hostilities {
			marker := byte(1 + round*len(hostilities) + i)
			turn, err := c.turn(ctx, t, h, marker, spans[i])
			if err != nil {
				return err
			}
			spans[i] = append(spans[i], turn)
		}
	}
	if err := profiled(); err != nil {
		return err
	}
	ended, after, err := c.ended(ctx, t)
	if err != nil {
		return err
	}
	var all [len(calm)][]delivery
	for i, f := range flows {
		if all[i], err = f.stop(); err != nil {
			return err
		}
	}
	for i, h := range hostilities {
		for k := range calm {
			b.addBeside(h.name, calm[k].name, all[k], spans[i])
		}
	}
	b.add(Figure{Name: "beside: a driver that fails gravely is in quarantine after", Value: ended.Seconds(), Unit: "s",
		Note: fmt.Sprintf("p99 of the 5 s after: %s", listed(all, after))})
	return nil
}

// A turn is one round beside one kind of hostility: nothing beside, the hostile drivers, the harmless ones.
type turn struct {
	alone, hostile, busy         span
	hostileCores, busyCores, ran float64
}

// turn measures the next round beside a hostility, in which who comes first changes. Harmless messages come from as many devices, at the same
// rate, and each takes as much of the processor as a hostile one did.
func (c *castor) turn(ctx context.Context, t *tenants, h hostility, marker byte, before []turn) (m turn, err error) {
	if err := c.arm(ctx, h, marker); err != nil {
		return m, err
	}
	if m.alone, err = pass(ctx, time.Second/2, besideSpan/2); err != nil {
		return m, err
	}
	steps := []func() error{func() (err error) {
		m.hostile, m.hostileCores, m.ran, err = c.beside(ctx, t.hostile, []byte{marker, 0, 0})
		return err
	}, func() (err error) {
		var cores, ran float64
		for _, k := range append([]turn{m}, before...) {
			cores, ran = cores+k.hostileCores, ran+k.ran
		}
		each := time.Duration(cores * float64(besideSpan) / max(ran, 1))
		m.busy, m.busyCores, _, err = c.beside(ctx, t.busy, busyFor(each, t.cost))
		return err
	}}
	if len(before)%2 == 1 {
		slices.Reverse(steps)
	}
	return m, errors.Join(steps[0](), steps[1]())
}

// busyFor is a message that a harmless driver computes for so long with, where a unit costs it so much.
func busyFor(each, unit time.Duration) []byte {
	n := min(max(int(each/max(unit, 1)), 1), 1<<16-1)
	return []byte{0, byte(n >> 8), byte(n)}
}

// beside is a span in which the neighbours talk, how many cores the workers used in it, and how many of the messages were answered. It
// returns when all are, so that nothing of it is left for the next.
func (c *castor) beside(ctx context.Context, n *neighbours, message []byte) (s span, cores, answered float64, err error) {
	flow, err := n.talk(ctx, hostileRate, 1, func(int) []byte { return message })
	if err != nil {
		return s, 0, 0, err
	}
	defer n.leave()
	if s, err = pass(ctx, time.Second/2, 0); err != nil {
		return s, 0, 0, err
	}
	before := c.workersUsed()
	s, err = pass(ctx, 0, besideSpan)
	cores = (c.workersUsed() - before).Seconds() / besideSpan.Seconds()
	if err != nil {
		return s, 0, 0, err
	}
	all, err := flow.stop()
	return s, cores, float64(len(took(all, s))), err
}

// costOfBusy is the processor time of a unit of what a harmless driver computes.
func (c *castor) costOfBusy(ctx context.Context, t *tenants) (time.Duration, error) {
	const units = 30
	_, cores, n, err := c.beside(ctx, t.busy, busyFor(units, 1))
	if n == 0 && err == nil {
		err = errors.New("no message of a harmless driver was answered")
	}
	return time.Duration(cores * float64(besideSpan) / max(n, 1) / units), err
}

// ended is how long a driver that fails gravely with every message of several devices is used, and the time after.
func (c *castor) ended(ctx context.Context, t *tenants) (time.Duration, span, error) {
	began := time.Now()
	if _, err := t.crowd.talk(ctx, 200, window, func(int) []byte { return []byte{1, 0, 0} }); err != nil {
		return 0, span{}, err
	}
	defer t.crowd.leave()
	for {
		d, err := c.admin.GetDriver(ctx, crowdName)
		if err != nil {
			return 0, span{}, err
		}
		if slices.ContainsFunc(d.Versions, func(v api.DriverVersion) bool { return v.State == api.DriverQuarantined }) {
			break
		}
		if _, err := pass(ctx, 0, 20*time.Millisecond); err != nil {
			return 0, span{}, fmt.Errorf("the driver did not come into quarantine: %w", err)
		}
	}
	took := time.Since(began)
	after, err := pass(ctx, 0, 5*time.Second)
	return took, after, err
}

// addBeside adds the figure of a measured type beside a hostility: the median of the rounds' p99, and of their ratios.
func (b *bench) addBeside(hostility, kind string, all []delivery, turns []turn) {
	var hostile, busy, ratios, alone, cores, idle, ran []float64
	for _, t := range turns {
		h, q := ms(percentile(took(all, t.hostile), 99)), ms(percentile(took(all, t.busy), 99))
		hostile, busy, ratios = append(hostile, h), append(busy, q), append(ratios, h/q)
		alone, cores, idle = append(alone, ms(percentile(took(all, t.alone), 99))), append(cores, t.hostileCores), append(idle, t.busyCores)
		ran = append(ran, t.ran)
	}
	slices.Sort(ratios)
	b.add(Figure{Name: fmt.Sprintf("beside drivers that %s: %s, p99 to acknowledged", hostility, kind), Value: median(hostile), Unit: "ms", Floor: median(busy),
		FloorIs: fmt.Sprintf("harmless drivers that keep %.1f cores busy, the hostile %.1f", median(idle), median(cores)),
		Note: fmt.Sprintf("ratios of %d rounds %.2f–%.2f, median %.2f; %.1f with nothing beside; %.0f hostile messages each",
			len(turns), ratios[0], ratios[len(ratios)-1], median(ratios), median(alone), median(ran))})
}

func median(of []float64) float64 {
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/2]
}

func listed(all [len(calm)][]delivery, s span) string {
	text := ""
	for i := range calm {
		text += fmt.Sprintf("%s %.1f ms; ", calm[i].name, ms(percentile(took(all[i], s), 99)))
	}
	return text[:len(text)-2]
}

// neighbours are devices of which the topics are the platform's own.
type neighbours struct {
	peers []peer
	conns []net.Conn
}

// talk has them connect and report together at the rate.
func (n *neighbours) talk(ctx context.Context, rate, window int, body func(int) []byte) (*stream, error) {
	var err error
	if n.conns, err = connect(ctx, n.peers); err != nil {
		return nil, err
	}
	return steadily(ctx, n.conns, n.peers, rate, window, body), nil
}

func (n *neighbours) leave() {
	for _, conn := range n.conns {
		_ = conn.Close()
	}
}
