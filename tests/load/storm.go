package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/tests/load/flood"
)

// spread is the time in which all devices of a storm begin to connect.
const spread = 2 * time.Second

// measureStorm has 5,000 devices come back at once after an outage, with certificates and then others with tokens, until the
// platform has stored of each that it is there.
func measureStorm(ctx context.Context, b *bench) error {
	n := b.of(5000)
	if err := needFiles(n + 1000); err != nil {
		return err
	}
	kinds := []device.Kind{device.Certificate, device.Token}
	c, all, err := b.populate(ctx, filepath.Join(b.dir, "storm", "data"), n, kinds)
	if err != nil {
		return err
	}
	defer c.stop()
	d, err := b.startDoor(ctx)
	if err != nil {
		return err
	}
	defer d.stop()
	for _, kind := range kinds {
		var floor, ours tally
		bare := make([]*tls.Config, n)
		for i := range bare {
			if bare[i] = d.tls(); kind == device.Certificate {
				key, _, err := certify(d.ca, fmt.Sprint("device-", i))
				if err != nil {
					return err
				}
				bare[i].Certificates = []tls.Certificate{key}
			}
		}
		err := floor.measure(d.cmd.Process.Pid, func() error {
			return storm(ctx, n, nil, func(ctx context.Context, i int) error { return shake(ctx, from(knownDevices, i), d.shakes, bare[i]) })
		})
		if err != nil {
			return fmt.Errorf("the floor: %w", err)
		}
		var again atomic.Int64
		var letIn time.Duration
		conns := make([]net.Conn, n)
		err = ours.measure(c.cmd.Process.Pid, func() error {
			began := time.Now()
			err := storm(ctx, n, &again, func(ctx context.Context, i int) (err error) {
				conns[i], err = all[kind][i].connect(ctx, from(knownDevices, i))
				return err
			})
			letIn = time.Since(began)
			return errors.Join(err, c.online(ctx, n))
		})
		if err != nil {
			return err
		}
		for _, conn := range conns {
			_ = conn.Close()
		}
		if err := c.online(ctx, 0); err != nil {
			return err
		}
		const is = "the same TLS handshakes with a listener that closes then"
		b.add(Figure{Name: fmt.Sprintf("reconnect storm: %d devices with a %s, until all are operational", n, kind), Value: ours.clock.Seconds(), Unit: "s",
			Floor: floor.clock.Seconds(), FloorIs: is, Note: fmt.Sprintf("they begin within %v; all let in after %.1f s, %d tried again; the rest until each twin shows it", spread, letIn.Seconds(), again.Load())})
		b.add(Figure{Name: fmt.Sprintf("reconnect storm, %s: processor time of the serving side per device", kind), Value: ms(ours.served) / float64(n), Unit: "ms",
			Floor: ms(floor.served) / float64(n), FloorIs: is})
	}
	return nil
}

// storm has n devices connect, each at a time of its own and until it succeeds, as agents do.
func storm(ctx context.Context, n int, again *atomic.Int64, connect func(ctx context.Context, i int) error) error {
	return each(ctx, n, func(ctx context.Context, i int) error {
		pause := rand.N(spread)
		for retry := 100 * time.Millisecond; ; retry = min(2*retry, 2*time.Second) {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return ctx.Err()
			}
			err := connect(ctx, i)
			if err == nil || ctx.Err() != nil || again == nil {
				return err
			}
			again.Add(1)
			pause = retry/2 + rand.N(retry/2)
		}
	})
}

// connect begins a session. It ends with ctx, so that nothing waits for ever.
func (p *peer) connect(ctx context.Context, from *net.Dialer) (net.Conn, error) {
	conn, err := (&tls.Dialer{NetDialer: from, Config: p.tls}).DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	user := ""
	if p.secret != "" {
		user = p.ref
	}
	if err := flood.Login(conn, p.ref, user, p.secret); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, conn.SetDeadline(time.Time{})
}

// online waits until the platform has stored that n devices are connected.
func (c *castor) online(ctx context.Context, n int) error {
	for {
		counts, err := c.admin.CountTwins(ctx, api.TwinQuery{})
		if err != nil || counts.Online == n {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d devices are known to be connected: %w", counts.Online, n, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}
