package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/shared/api"
)

// measureProvisioning brings devices in that all come at once, each from its first request to its confirmation on the operational
// gateway, and then counts in the store what was made for them.
func measureProvisioning(ctx context.Context, b *bench) error {
	n := b.of(1000)
	if err := needFiles(4 * n); err != nil {
		return err
	}
	d, err := b.startDoor(ctx)
	if err != nil {
		return err
	}
	defer d.stop()
	var floor tally
	bare := make([]time.Duration, n)
	err = floor.measure(d.cmd.Process.Pid, func() error {
		return each(ctx, n, func(ctx context.Context, i int) error {
			began := time.Now()
			err := d.enrol(ctx, i)
			bare[i] = time.Since(began)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("the floor: %w", err)
	}

	c, err := b.up(ctx, filepath.Join(b.dir, "provisioning", "data"), "")
	if err != nil {
		return err
	}
	defer c.stop()
	configs, err := c.enrol(ctx, "D", n, nil)
	if err != nil {
		return err
	}
	var ours tally
	took := make([]time.Duration, n)
	profiled := c.profile(ctx, b, 10)
	err = ours.measure(c.cmd.Process.Pid, func() error {
		return each(ctx, n, func(ctx context.Context, i int) (err error) {
			took[i], err = comeIn(ctx, configs[i], i)
			return err
		})
	})
	if err := errors.Join(err, profiled()); err != nil {
		return err
	}
	if err := c.quiet(ctx); err != nil {
		return err
	}
	if err := c.stop(); err != nil {
		return err
	}
	if err := census(ctx, c.dir, n); err != nil {
		return err
	}

	const is = "2 TLS handshakes, a key, a signed certificate, 5 synced writes each"
	rate := func(t tally) float64 { return float64(n) / t.clock.Seconds() }
	b.add(Figure{Name: "automatic provisionings, request to operational", Value: rate(ours), Unit: "1/s", Floor: rate(floor), FloorIs: is,
		Note: fmt.Sprintf("%d devices at once, their keys and TLS on the same CPUs; in the store each has one certificate, place, twin, run and use of a claim", n)})
	for _, p := range []int{50, 99} {
		b.add(Figure{Name: fmt.Sprintf("one provisioning of %d at once, p%d", n, p), Value: percentile(took, p).Seconds(), Unit: "s", Floor: percentile(bare, p).Seconds(), FloorIs: is})
	}
	b.add(Figure{Name: "processor time per provisioning, devices' too", Value: ms(ours.served+ours.played) / float64(n), Unit: "ms",
		Floor: ms(floor.served+floor.played) / float64(n), FloorIs: is, Note: fmt.Sprintf("of it the platform's %.1f", ms(ours.served)/float64(n))})
	return nil
}

// quiet waits until no run is under way.
func (c *castor) quiet(ctx context.Context) error {
	for {
		open, err := c.admin.ListRuns(ctx, api.RunQuery{Open: "true", Limit: 1})
		if err != nil || len(open.Items) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// comeIn is a whole device, from its key to its confirmation; it goes when it has come in.
func comeIn(ctx context.Context, c device.Config, i int) (time.Duration, error) {
	a, err := agent.New(agent.Config{Claim: agent.Claim(c.Claim), Serial: c.Serial, Model: c.Model, AnswerTimeout: time.Minute,
		Dial: from(newDevices, i).DialContext, Retry: agent.Retry{Min: 20 * time.Millisecond, Max: time.Second}})
	if err != nil {
		return 0, err
	}
	defer a.Close()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- a.Run(ctx) }()
	defer cancel()
	select {
	case <-a.Operational():
		took := time.Since(began)
		cancel()
		return took, <-ended
	case err := <-ended:
		cause := a.Phase()
		return 0, errors.Join(fmt.Errorf("%s: %s: %s", c.Serial, cause.Phase, cause.Detail), err)
	}
}
