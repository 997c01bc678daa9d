package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/sandbox"
)

// measureHeld measures the memory of a worker, and what each driver that it holds adds: a pooled instance of a module, or a codec in
// JavaScript with the engine that it shares.
func (b *bench) measureHeld(ctx context.Context, kits []kit) error {
	const room = 1 << 30
	for _, k := range kits {
		n := 100
		if k.language == "go" {
			n = 8 // each is compiled, for 0.6 s
		}
		if k.kind == driver.Declarative {
			continue // they are in the process that calls them
		}
		before := children()
		pool, err := newPool(sandbox.Config{Workers: 1, Megabytes: 4096, Drivers: 1 << 20, Limit: 5 * time.Second})
		if err != nil {
			return err
		}
		first, err := held(ctx, pool, k, 0, 1, before)
		var all float64
		if err == nil {
			all, err = held(ctx, pool, k, 1, n+1, before)
		}
		pool.Close()
		if err != nil {
			return fmt.Errorf("memory of %s: %w", k.name, err)
		}
		one := (all - first) / float64(n)
		b.add(Figure{Name: "driver, " + k.name + ": memory of a worker with one driver", Value: first / (1 << 20), Unit: "MiB"})
		b.add(Figure{Name: fmt.Sprintf("driver, %s: memory of each more, of %d", k.name, n), Value: one / (1 << 10), Unit: "KiB",
			Note: fmt.Sprintf("%.0f fit in a worker of 1 GiB", (room-first)/one)})
	}
	return nil
}

// held has the pool's worker hold a kit's driver in the variants from to to, and tells its memory.
func held(ctx context.Context, pool *sandbox.Pool, k kit, from, to int, before []int) (float64, error) {
	for i := from; i < to; i++ {
		d := *k.driver
		d.Code = variant(d.Kind, d.Code, i)
		codec, err := pool.Open(&d)
		if err != nil {
			return 0, err
		}
		r, err := codec.Run(ctx, []driver.Call{{Op: driver.DecodeUplink, Bytes: []byte{8, 0x98, 100}, Port: 1}})
		if err != nil {
			return 0, err
		}
		if !r[0].OK() {
			return 0, fmt.Errorf("variant %d failed: %+v", i, r[0])
		}
	}
	for _, pid := range children() {
		if !slices.Contains(before, pid) {
			return residentOf(pid)
		}
	}
	return 0, fmt.Errorf("the system does not tell which process is the worker")
}

// variant is code that does the same and is another driver.
func variant(kind driver.Kind, code []byte, i int) []byte {
	mark := fmt.Sprintf("variant %d", i)
	if kind == driver.JavaScript {
		return append(slices.Clone(code), "\n// "+mark+"\n"...)
	}
	section := binary.AppendUvarint(nil, uint64(len(mark))) // of a module, a custom section: its name and a byte
	section = append(append(section, mark...), 0)
	out := append(slices.Clone(code), 0)
	return append(binary.AppendUvarint(out, uint64(len(section))), section...)
}
