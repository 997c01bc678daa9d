package main

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store/embedded"
	"github.com/castor-iot/castor/shared/twin"
)

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[min(len(all)-1, len(all)*p/100)]
}

const fleet = 100_000

// measureFleet has a platform with 100,000 twins that say nothing: each like one that was provisioned and has reported.
func measureFleet(ctx context.Context, b *bench) error {
	dir := filepath.Join(b.dir, "fleet", "data")
	c, without, err := b.stock(ctx, dir)
	if err != nil {
		return err
	}
	defer c.stop()
	b.add(Figure{Name: "start with 100,000 twins", Value: c.took.Seconds(), Unit: "s"})
	if n, err := c.admin.CountTwins(ctx, api.TwinQuery{}); err != nil || n.Instances < fleet {
		return fmt.Errorf("%d instances: %w", n.Instances, err)
	}
	select { // what starting needed is given back
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(20 * time.Second):
	}
	full, err := resident(c)
	if err != nil {
		return err
	}
	disk, err := diskUse(filepath.Join(dir, "store"))
	if err != nil {
		return err
	}
	b.add(Figure{Name: "memory per idle twin", Value: (full - without.memory) / fleet, Unit: "B", Note: fmt.Sprintf("%.0f MB resident, %.0f MB without them", full/1e6, without.memory/1e6)})
	b.add(Figure{Name: "disk per idle twin", Value: (disk - without.disk) / fleet, Unit: "B", Note: fmt.Sprintf("%.0f MB in all", disk/1e6)})
	return nil
}

// A footprint is what a platform takes, in bytes.
type footprint struct{ memory, disk float64 }

// stock starts a platform in dir that has 100,000 twins; without is what it took before they were there.
func (b *bench) stock(ctx context.Context, dir string) (c *castor, without footprint, err error) {
	if c, err = b.up(ctx, dir, ""); err != nil {
		return nil, without, err
	}
	if without.memory, err = resident(c); err != nil {
		return nil, without, err
	}
	id, err := c.one(ctx)
	if err != nil {
		return nil, without, err
	}
	if err := c.stop(); err != nil {
		return nil, without, err
	}
	store := filepath.Join(dir, "store")
	if without.disk, err = diskUse(store); err != nil {
		return nil, without, err
	}
	if err := copyTwins(ctx, store, id); err != nil {
		return nil, without, err
	}
	c, err = b.up(ctx, dir, c.password)
	return c, without, err
}

// one brings one device in, has it report and go away, and returns its twin.
func (c *castor) one(ctx context.Context) (twin.ID, error) {
	configs, err := c.enrol(ctx, "F", 1, nil)
	if err != nil {
		return "", err
	}
	all, err := device.StartAll(ctx, configs, 1, nil)
	if err != nil {
		return "", err
	}
	d := all[0]
	if _, err := d.Measure(time.Now(), map[string]any{"rpm": 1450.0, "temperature": 61.5}); err != nil {
		return "", err
	}
	if err := d.Drain(ctx); err != nil {
		return "", err
	}
	return d.Twin(), d.Close()
}

// copyTwins puts twins like one into the store of a platform that does not run.
func copyTwins(ctx context.Context, dir string, id twin.ID) error {
	db, err := embedded.Open(dir)
	if err != nil {
		return err
	}
	defer db.Close()
	twins, err := platform.OpenTwins(ctx, db)
	if err != nil {
		return err
	}
	like, err := twins.Get(ctx, string(id))
	if err != nil {
		return err
	}
	const chunk = 1000
	for i := 0; i < fleet; i += chunk {
		many := make([]twin.Twin, chunk)
		for k := range many {
			many[k] = other(like)
			many[k].ID = twin.ID(fmt.Sprintf("idle-%06d", i+k))
		}
		if _, err := twins.InsertMany(ctx, many); err != nil {
			return err
		}
	}
	return nil
}

// other is a twin like t that another device has reported to: copies alone would be compressed to nothing.
func other(t twin.Twin) twin.Twin {
	t.Live.Reported = slices.Clone(t.Live.Reported)
	late := time.Duration(rand.Int64N(1e9)) * time.Millisecond
	for i := range t.Live.Reported {
		r := &t.Live.Reported[i]
		r.Value, r.At, r.Order = rand.Float64(), r.At.Add(late), twin.Order{Epoch: rand.Int64(), Seq: rand.Int64N(1e6)}
	}
	p := &t.Live.Presence
	p.Session, p.Since, p.LastSeen = fmt.Sprintf("%016x", rand.Uint64()), p.Since.Add(late), p.LastSeen.Add(late)
	return t
}

// resident is the memory of the platform's process, in bytes.
func resident(c *castor) (float64, error) { return residentOf(c.cmd.Process.Pid) }

func residentOf(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kb); err == nil {
			return kb * 1024, nil
		}
	}
	return 0, fmt.Errorf("the system does not tell the memory of process %d", pid)
}

func diskUse(dir string) (sum float64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			sum += float64(info.Size())
		}
		return err
	})
	return sum, err
}
