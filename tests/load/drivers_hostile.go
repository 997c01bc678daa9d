package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/sandbox"
)

const (
	slowest     = 2 * time.Second         // that a call of a vector may compute here, on a machine that is busy with other work
	besideFor   = 1500 * time.Millisecond // of each turn
	besideTurns = 10                      // short ones, so that what else the machine does falls on all alike
	besidePace  = 10 * time.Millisecond   // between two messages of the type that does nothing wrong
)

// looping computes for ever: every other call in a built-in, where the engine does not look at its limit, so that it costs a worker.
const looping = `function decodeUplink(i) { if (i.bytes[0] % 2) [].indexOf.call({length: 2 ** 53 - 1}, 1); for (;;) {} }`

// measureHostile measures how long the messages of one type take to be decoded while the driver of another type loops for ever, and
// while a program that means no harm keeps the same cores as busy.
func measureHostile(ctx context.Context, b *bench) error {
	kits, err := b.kits(ctx)
	if err != nil {
		return err
	}
	var alone, beside, harmless []time.Duration
	var loops, cores float64
	for range besideTurns {
		// A pool anew each turn: how a driver is found out is part of what it costs.
		pool, err := newPool(sandbox.Config{})
		if err != nil {
			return err
		}
		if err := b.besideAll(ctx, pool, kits[1].driver, &alone, &beside, &harmless, &loops, &cores); err != nil {
			pool.Close()
			return err
		}
		pool.Close()
	}
	cores, loops = cores/besideTurns, loops/besideTurns
	is := fmt.Sprintf("a loop that means no harm keeps as many cores busy (%.1f)", cores)
	for _, p := range []int{99, 50} {
		b.add(Figure{Name: fmt.Sprintf("hostile driver: another type's message is decoded, p%d", p), Value: ms(percentile(beside, p)), Unit: "ms", Floor: ms(percentile(harmless, p)), FloorIs: is,
			Note: fmt.Sprintf("%.2f with nothing beside; the driver cost %.0f workers in %v", ms(percentile(alone, p)), loops, besideFor)})
	}
	return nil
}

// besideAll is one turn: with nothing beside, with a driver that loops, with a loop that means no harm.
func (b *bench) besideAll(ctx context.Context, pool *sandbox.Pool, good *driver.Driver, alone, beside, harmless *[]time.Duration, loops, cores *float64) error {
	codec, err := pool.Open(good)
	if err != nil {
		return err
	}
	if _, err := decoded(ctx, codec, besideFor/8); err != nil { // workers have begun
		return err
	}
	took, err := decoded(ctx, codec, besideFor/2)
	if err != nil {
		return err
	}
	*alone = append(*alone, took...)

	evil, err := pool.Open(&driver.Driver{Name: "loop", Version: "1.0.0", Kind: driver.JavaScript, Code: []byte(looping)})
	if err != nil {
		return err
	}
	going, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	for range 2 { // more than one shard of a connector
		all.Go(func() {
			calls := make([]driver.Call, together)
			for i := range calls {
				calls[i] = driver.Call{Op: driver.DecodeUplink, Bytes: []byte{byte(i)}}
			}
			for going.Err() == nil {
				_, _ = evil.Run(going, calls) // it never has an answer
			}
		})
	}
	killed, before, begun := pool.Killed(), childrenUsed(), time.Now()
	took, err = decoded(ctx, codec, besideFor)
	busy := (childrenUsed() - before).Seconds() / time.Since(begun).Seconds()
	*loops += float64(pool.Killed() - killed)
	stop()
	all.Wait()
	if err != nil {
		return err
	}
	*beside = append(*beside, took...)
	*cores += busy

	spin := exec.CommandContext(ctx, b.program, "-spin", strconv.FormatFloat(busy, 'f', 2, 64))
	if err := spin.Start(); err != nil {
		return err
	}
	took, err = decoded(ctx, codec, besideFor)
	_ = spin.Process.Kill()
	_ = spin.Wait()
	*harmless = append(*harmless, took...)
	return err
}

// decoded has a message decoded at a steady pace and tells how long each took, the wait for a worker included.
func decoded(ctx context.Context, c driver.Codec, lasts time.Duration) (took []time.Duration, err error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	tick := time.NewTicker(besidePace)
	defer tick.Stop()
	end := time.After(lasts)
	for going := true; going; {
		select {
		case <-ctx.Done():
			going = false
		case <-end:
			going = false
		case <-tick.C:
			all.Go(func() {
				at := time.Now()
				r, failed := c.Run(ctx, []driver.Call{{Op: driver.DecodeUplink, Bytes: []byte{8, 0x98, 100}, Port: 1, Time: at}})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case failed != nil:
					err = failed
				case !r[0].OK():
					err = fmt.Errorf("a driver that does nothing wrong failed: %+v", r[0])
				}
				took = append(took, time.Since(at))
			})
		}
	}
	all.Wait()
	return took, err
}

// childrenUsed is the processor time of the workers, those that were killed too.
func childrenUsed() time.Duration {
	all, err := usedByAll()
	if err != nil {
		return 0
	}
	return all - usedHere()
}

// keepBusy keeps a number of cores busy until it is killed: of 1.3, one all the time and another for 3 of 10 ms.
func keepBusy(ctx context.Context, cores float64) {
	var all sync.WaitGroup
	for ; cores > 0; cores-- {
		share := min(cores, 1)
		all.Go(func() {
			const turn = 10 * time.Millisecond
			for ctx.Err() == nil {
				for began := time.Now(); time.Since(began) < time.Duration(share*float64(turn)); {
				}
				if rest := time.Duration((1 - share) * float64(turn)); rest > 0 {
					<-time.After(rest)
				}
			}
		})
	}
	all.Wait()
}
