package up

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shirou/gopsutil/v4/disk"
)

const (
	healthBucket = "CASTOR_HEALTH"
	healthEvery  = 5 * time.Second
	healthTries  = 3
	enoughDisk   = 64 << 20 // bytes
)

// watchBus writes to the bus now and then. A disk that was full can leave JetStream refusing writes after there is room
// again; only a new start mends that, so it ends the platform with a reason. While the disk is full it says so.
func (c *Castor) watchBus(ctx context.Context) error {
	bucket, err := c.base.Bus.Bucket(ctx, healthBucket)
	if err != nil {
		return err
	}
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for failures, told := 0, false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		writing, cancel := context.WithTimeout(ctx, healthEvery)
		_, err := bucket.Put(writing, "written", []byte(c.config.Now().UTC().Format(time.RFC3339)))
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
			return errors.Join(errors.New("the bus does not take writes though the disk has room: start the platform again"), err)
		}
	}
}
