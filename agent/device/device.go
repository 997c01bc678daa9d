// Package device plays devices: each is a real agent with its own key, certificate and spool that measures what it is
// told, and whose link can be cut. Replays of recorded data, load and end-to-end tests are made of it; one process carries
// hundreds. It measures nothing of its own.
package device

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// Config says who a device is.
type Config struct {
	Claim  api.ClaimFile // not needed if Dir holds a provisioned device
	Serial string
	MAC    string // "" = none
	Model  string
	Facts  map[string]string

	// Dir keeps the device for a later Start; "" keeps it in memory, which is the cheapest.
	Dir string

	Commands map[string]agent.Handler // what it can be told to do, beside ping

	SpoolBytes    int64                // 0 = 64 MiB
	AnswerTimeout time.Duration        // see agent.Config; 0 = 30s
	Progress      func(agent.Progress) // nil = nobody
	Log           *slog.Logger         // nil = none
}

// A Device runs until it is closed. Its methods may be called by several goroutines.
type Device struct {
	agent *agent.Agent
	link  Link
	stop  context.CancelFunc

	done chan struct{} // closed when it has ended
	err  error         // why; set before done is closed
}

// Start switches a device on. It returns at once; Ready waits for the device to be provisioned.
func Start(cfg Config) (*Device, error) {
	d := &Device{done: make(chan struct{})}
	var claim agent.ClaimSource
	if cfg.Claim.Token != "" {
		claim = agent.Claim(cfg.Claim)
	}
	a, err := agent.New(agent.Config{
		Dir: cfg.Dir, Claim: claim, Serial: cfg.Serial, MAC: cfg.MAC, Model: cfg.Model, Facts: cfg.Facts,
		Commands: cfg.Commands, SpoolBytes: cfg.SpoolBytes, AnswerTimeout: cfg.AnswerTimeout, Dial: d.link.Dial, Log: cfg.Log, Progress: cfg.Progress,
		// Whoever plays devices waits for them.
		Retry: agent.Retry{Min: 20 * time.Millisecond, Max: time.Second},
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	d.agent, d.stop = a, stop
	go func() {
		defer close(d.done)
		d.err = errors.Join(a.Run(ctx), a.Close())
	}()
	return d, nil
}

// StartAll starts devices and waits until all are ready, with at most parallel (0 = 16) on their way at once. If one
// cannot come in, all are closed and its error is returned. ready, if not nil, is called for each that is ready, by
// several goroutines.
func StartAll(ctx context.Context, cfgs []Config, parallel int, ready func(*Device)) ([]*Device, error) {
	if parallel <= 0 {
		parallel = 16
	}
	all := make([]*Device, len(cfgs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i := range cfgs {
		g.Go(func() error {
			if err := gctx.Err(); err != nil {
				return err
			}
			d, err := Start(cfgs[i])
			if err != nil {
				return err
			}
			all[i] = d
			if err := d.Ready(gctx); err != nil {
				return err
			}
			if ready != nil {
				ready(d)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		CloseAll(all)
		return nil, err
	}
	return all, nil
}

// CloseAll closes devices; nil ones are left out.
func CloseAll(all []*Device) error {
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, d := range all {
		if d != nil {
			wg.Go(func() { errs[i] = d.Close() })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Ready waits until the device is connected and confirmed. It returns agent.ErrRejected, with the reason, if the platform
// does not want it, or ctx's error with what it last waited for.
func (d *Device) Ready(ctx context.Context) error {
	select {
	case <-d.agent.Operational():
		return nil
	case <-d.done:
		if d.err == nil {
			return errors.New("the device was closed")
		}
		return d.err
	case <-ctx.Done():
		p := d.agent.Phase()
		return errors.Join(ctx.Err(), errors.New(string(p.Phase)+": "+p.Detail))
	}
}

// Measure keeps values measured at a time; they are sent when the link allows. It returns the order they got.
func (d *Device) Measure(at time.Time, data map[string]any) (twin.Order, error) {
	return d.agent.Measure(at, data)
}

// Event keeps something that happened; see agent.Event.
func (d *Device) Event(at time.Time, name string, data map[string]any) (twin.Order, error) {
	return d.agent.Event(at, name, data)
}

// LogLine keeps a line of an app's log; see agent.LogLine.
func (d *Device) LogLine(at time.Time, app, level, text string) (twin.Order, error) {
	return d.agent.LogLine(at, app, level, text)
}

// CutOff cuts the device's link. It goes on measuring.
func (d *Device) CutOff() { d.link.Cut() }

// Reconnect joins the link again.
func (d *Device) Reconnect() { d.link.Join() }

// Pending is how many messages are not acknowledged as stored.
func (d *Device) Pending() int { return d.agent.Pending() }

// Drain waits until every message is acknowledged as stored.
func (d *Device) Drain(ctx context.Context) error { return d.agent.Drain(ctx) }

// Changed returns a channel that is closed when Pending may have changed.
func (d *Device) Changed() <-chan struct{} { return d.agent.Changed() }

// Ref and Twin are what the platform calls the device; "" before it is provisioned.
func (d *Device) Ref() device.Ref { ref, _ := d.agent.Identity(); return ref }

// Twin is the id of the device's twin.
func (d *Device) Twin() twin.ID { _, id := d.agent.Identity(); return id }

// Phase is how far the device has come.
func (d *Device) Phase() agent.Progress { return d.agent.Phase() }

// Close switches the device off and returns the error it ended with. With a Dir, what is not acknowledged is sent after
// the next Start.
func (d *Device) Close() error {
	d.stop()
	<-d.done
	return d.err
}
