package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/shared/api"
	identity "github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/twin"
)

// Config says what to replay.
type Config struct {
	// API is a configurator's way in: identities and a claim are made by it.
	API *api.Client

	Rows    []Row
	Type    twin.TypeID
	Owner   string // group the devices will belong to
	Devices int
	Prefix  string // of the serials: PREFIX-1 … PREFIX-N

	// Speed is how much faster than recorded it goes: 1 = as recorded, 60 = a minute in a second; 0 = as fast as it is taken.
	Speed float64

	// Shift moves the recording so that it ends now, so that it shows as live data.
	Shift bool

	Log *slog.Logger // nil = none

	// Progress is told now and then what has been stored; nil = nobody. Phase is "provisioning" (done and total count
	// devices) or "replaying" (messages).
	Progress func(phase string, done, total int)
}

// Result is what a replay did.
type Result struct {
	Devices  int
	Twins    []twin.ID
	Messages int // all acknowledged as stored
	Took     time.Duration
}

// window is how many messages a device may have unacknowledged before the replay waits: it bounds memory.
const window = 5000

// Run provisions the devices and replays the series through each of them. It returns when everything is acknowledged as stored,
// or with the first error.
func Run(ctx context.Context, c Config) (Result, error) {
	switch {
	case c.Devices < 1 || c.Devices > 1000:
		return Result{}, api.Invalid("devices must be 1 to 1000, not %d", c.Devices)
	case c.Speed < 0:
		return Result{}, api.Invalid("speed must be 0 (as fast as it goes) or more, not %g", c.Speed)
	case len(c.Rows) == 0:
		return Result{}, api.Invalid("there is nothing to replay")
	}
	if c.Progress == nil {
		c.Progress = func(string, int, int) {}
	}
	configs, err := c.enrol(ctx)
	if err != nil {
		return Result{}, err
	}
	var ready atomic.Int64
	c.Progress("provisioning", 0, c.Devices)
	devices, err := device.StartAll(ctx, configs, 0, func(*device.Device) { c.Progress("provisioning", int(ready.Add(1)), c.Devices) })
	if err != nil {
		return Result{}, fmt.Errorf("provision: %w", err)
	}
	defer device.CloseAll(devices)
	begin := time.Now()
	if err := c.play(ctx, devices); err != nil {
		return Result{}, err
	}
	r := Result{Devices: len(devices), Messages: len(c.Rows) * len(devices), Took: time.Since(begin)}
	for _, d := range devices {
		r.Twins = append(r.Twins, d.Twin())
	}
	return r, nil
}

// enrol makes identities and one claim for all devices.
func (c *Config) enrol(ctx context.Context) ([]device.Config, error) {
	if c.Prefix == "" {
		c.Prefix = fmt.Sprintf("replay-%x", time.Now().UnixMilli())
	}
	configs := make([]device.Config, c.Devices)
	for i := range configs {
		serial := fmt.Sprintf("%s-%d", c.Prefix, i+1)
		_, err := c.API.CreateIdentity(ctx, identity.Identity{Serial: serial, Model: "replay"})
		if err != nil && !errors.Is(err, api.ErrExists) {
			return nil, fmt.Errorf("identity %s: %w", serial, err)
		}
		configs[i] = device.Config{Serial: serial, Model: "replay", Log: c.Log}
	}
	claim, err := c.API.CreateClaim(ctx, api.NewClaim{Type: c.Type, Owner: c.Owner, MaxUses: int64(c.Devices), Serials: c.Prefix + "-*", Expires: twin.Duration(time.Hour)})
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	for i := range configs {
		configs[i].Claim = claim
	}
	return configs, nil
}

// play sends every row through every device, at the recorded pace divided by Speed.
func (c *Config) play(ctx context.Context, devices []*device.Device) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var sent atomic.Int64
	total := len(c.Rows) * len(devices)
	stored := func() int {
		pending := 0
		for _, d := range devices {
			pending += d.Pending()
		}
		return max(0, int(sent.Load())-pending)
	}
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			c.Progress("replaying", stored(), total)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	var playing sync.WaitGroup
	for _, d := range devices {
		playing.Go(func() {
			if err := c.playOne(ctx, d, &sent); err != nil {
				cancel(fmt.Errorf("device %s: %w", d.Ref(), err))
			}
		})
	}
	playing.Wait()
	err := context.Cause(ctx)
	cancel(nil)
	watching.Wait()
	if err == nil {
		c.Progress("replaying", total, total)
	}
	return err
}

// Moved is by how much the recording is moved if it is played at now; 0 where it is played as it is.
func (c *Config) Moved(now time.Time) time.Duration {
	if !c.Shift {
		return 0
	}
	return now.Sub(c.Rows[len(c.Rows)-1].At)
}

func (c *Config) playOne(ctx context.Context, d *device.Device, sent *atomic.Int64) error {
	begin, first := time.Now(), c.Rows[0].At
	shift := c.Moved(begin)
	for _, row := range c.Rows {
		if c.Speed > 0 {
			due := begin.Add(time.Duration(float64(row.At.Sub(first)) / c.Speed))
			if !pause.For(ctx, time.Until(due)) {
				return context.Cause(ctx)
			}
		}
		for d.Pending() >= window {
			changed := d.Changed()
			if d.Pending() < window {
				break
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if _, err := d.Measure(row.At.Add(shift), row.Data); err != nil {
			return err
		}
		sent.Add(1)
	}
	return d.Drain(ctx)
}
