package up

import (
	"context"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/event"
	"github.com/shirou/gopsutil/v4/disk"
)

const (
	healthEvery = 10 * time.Second
	healthTries = 2
	enoughDisk  = 64 << 20 // bytes
)

// watchBus publishes an event now and then that nobody takes. A disk that was full can leave JetStream refusing writes after there is room
// again; only a new start mends that, so it ends the platform with a reason. While the disk is full it says so.
func (c *Castor) watchBus(ctx context.Context) error {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for failures, told := 0, false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		writing, cancel := context.WithTimeout(ctx, healthEvery)
		now := time.Now()
		err := c.base.Bus.Publish(writing, event.New("health#"+now.UTC().Format(time.RFC3339Nano), event.Health, "", now, nil))
		cancel()
		usage, diskErr := disk.UsageWithContext(ctx, c.dir.path)
		full := diskErr == nil && usage.Free < enoughDisk
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failures, told = 0, false
			continue
		case full && !told:
			told = true
			c.config.Tell(Phase{Name: "disk", Err: err, Detail: fmt.Sprintf("%s is full: devices wait until there is room", c.dir.path)})
		case !full:
			failures++
		}
		if failures >= healthTries {
			return fmt.Errorf("the bus does not take writes though the disk has room: start the platform again (%w)", err)
		}
	}
}
