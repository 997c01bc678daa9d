package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/layout"
	"github.com/castor-iot/castor/shared/driver/sandbox"
)

// A kit is what a maker begins a driver of a kind with: castor driver new. All kits read the same frame.
type kit struct {
	name     string
	kind     driver.Kind
	language string
	driver   *driver.Driver
}

// kits makes the folders by the program itself, and builds the modules. Those that cannot be built here are said to be missing.
func (b *bench) kits(ctx context.Context) (all []kit, err error) {
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, "kits")
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	for _, k := range []kit{{name: "declarative", kind: driver.Declarative}, {name: "JavaScript", kind: driver.JavaScript},
		{name: "WebAssembly in C", kind: driver.WASM, language: "c"}, {name: "WebAssembly in Go", kind: driver.WASM, language: "go"}} {
		folder := "kit-" + string(k.kind) + k.language
		args := []string{"driver", "new", folder, "--kind", string(k.kind)}
		if k.language != "" {
			args = append(args, "--language", k.language)
		}
		steps := [][]string{append([]string{b.castor}, args...)}
		if k.kind == driver.WASM {
			steps = append(steps, []string{"make", "-C", folder})
		}
		if _, err := os.Stat(filepath.Join(dir, folder)); err == nil {
			steps = nil // another section has made it
		}
		for _, step := range steps {
			c := exec.CommandContext(ctx, step[0], step[1:]...)
			c.Dir, c.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
			if said, failed := c.CombinedOutput(); failed != nil {
				fmt.Printf("left out: a driver in %s, which was not built: %v: %s\n", k.name, failed, lastLine(said))
				folder = ""
				break
			}
		}
		if folder == "" {
			continue
		}
		if k.driver, err = layout.Folder(filepath.Join(dir, folder)); err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}

func lastLine(said []byte) string {
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	return lines[len(lines)-1]
}

// decode is the extraction of the kits, written in Go: the floor.
func decode(b []byte) driver.Result {
	if len(b) < 3 {
		return driver.Result{Errors: []string{fmt.Sprintf("the frame has %d bytes, 3 are needed", len(b))}}
	}
	return driver.Result{Data: map[string]any{"temperature": float64(int16(b[0])<<8|int16(b[1])) / 100, "humidity": float64(b[2]) / 2}}
}

// inGo is the floor as a codec.
type inGo struct{}

func (inGo) Run(_ context.Context, calls []driver.Call) ([]driver.Result, error) {
	results := make([]driver.Result, len(calls))
	for i := range calls {
		results[i] = decode(calls[i].Bytes)
	}
	return results, nil
}

const (
	together    = 100 // messages of a call, as connectors gather them under load
	decodingFor = 1500 * time.Millisecond
)

// measureDrivers measures what payload drivers cost: time, memory, bytes on the wire, and whether they are exact.
func measureDrivers(ctx context.Context, b *bench) error {
	kits, err := b.kits(ctx)
	if err != nil {
		return err
	}
	floor, err := speedOf(ctx, inGo{})
	if err != nil {
		return err
	}
	for _, k := range kits {
		pool, err := newPool(sandbox.Config{})
		if err != nil {
			return err
		}
		codec, err := pool.Open(k.driver)
		var s speed
		if err == nil {
			s, err = speedOf(ctx, codec)
		}
		pool.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		const is = "the same extraction in Go"
		b.add(Figure{Name: "driver, " + k.name + ": decodes per second and core", Value: s.rate, Unit: "/s", Floor: floor.rate, FloorIs: is})
		b.add(Figure{Name: fmt.Sprintf("driver, %s: a batch of %d, all cores busy with it, p99", k.name, together), Value: ms(s.p99), Unit: "ms", Floor: ms(floor.p99), FloorIs: is,
			Note: fmt.Sprintf("p50 %.2f ms", ms(s.p50))})
	}
	if err := b.measureHeld(ctx, kits); err != nil {
		return err
	}
	if err := b.measureExact(ctx, kits); err != nil {
		return err
	}
	return b.measureWire()
}

func newPool(c sandbox.Config) (*sandbox.Pool, error) {
	c.Log = slog.New(slog.DiscardHandler)
	return sandbox.New(c)
}

// speed is how fast a codec is.
type speed struct {
	rate     float64 // calls per second of processor time, of this process and the workers
	p50, p99 time.Duration
}

func speedOf(ctx context.Context, c driver.Codec) (s speed, err error) {
	calls := make([]driver.Call, together)
	for i := range calls {
		calls[i] = driver.Call{Op: driver.DecodeUplink, Bytes: []byte{8, 0x98 + byte(i), 100}, Port: 1, Time: time.Now()}
	}
	var took []time.Duration
	var mu sync.Mutex
	run := func(lasts time.Duration) error {
		return each(ctx, runtime.NumCPU(), func(ctx context.Context, _ int) error {
			for began := time.Now(); time.Since(began) < lasts; {
				at := time.Now()
				results, err := c.Run(ctx, calls)
				if err != nil {
					return err
				}
				if !results[together-1].OK() {
					return fmt.Errorf("a call failed: %+v", results[together-1])
				}
				mu.Lock()
				took = append(took, time.Since(at))
				mu.Unlock()
			}
			return nil
		})
	}
	if err := run(300 * time.Millisecond); err != nil { // workers have begun, and have the driver
		return s, err
	}
	took = took[:0]
	before, err := usedByAll()
	if err != nil {
		return s, err
	}
	if err := run(decodingFor); err != nil {
		return s, err
	}
	after, err := usedByAll()
	s.rate = float64(len(took)*together) / (after - before).Seconds()
	s.p50, s.p99 = percentile(took, 50), percentile(took, 99)
	return s, err
}

// usedByAll is the processor time of this process and its children, those that have ended too.
func usedByAll() (time.Duration, error) {
	var ended syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &ended); err != nil {
		return 0, err
	}
	sum := usedHere() + time.Duration(ended.Utime.Nano()+ended.Stime.Nano())
	for _, pid := range children() {
		if u, err := used(pid); err == nil { // else it has just ended
			sum += u
		}
	}
	return sum, nil
}

// children are the processes that this one has started and that run.
func children() (pids []int) {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
