// Package sandbox runs the engines of payload drivers in worker processes, which are this program started anew: they have no
// environment, no files, bounded memory, and are killed when a call computes for too long, also inside a built-in function of
// the engine's language (paper A9). A killed worker costs the guilty call; its neighbours are made again elsewhere. What a
// worker loses it gets again, because it keeps nothing that matters: state is in calls and results.
package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/declarative"
)

// Config says what a pool has. A zero field has the default given.
type Config struct {
	// Command starts a program that calls Work when it is told to be a worker: this one.
	Command []string

	Workers   int           // processes: one more than there are processors, at least 3
	Megabytes int           // memory of a worker: 512
	Drivers   int           // that a worker holds at a time: 200; a WebAssembly module counts as one more for each 128 KiB
	Limit     time.Duration // of a call, where the driver says none: 100 ms
	Penalty   time.Duration // for which a driver that cost a worker has the last one only: 1 min

	Log *slog.Logger     // slog.Default() if nil
	Now func() time.Time // time.Now if nil
}

func (c Config) withDefaults() (Config, error) {
	if len(c.Command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return c, fmt.Errorf("driver workers: this program is not found: %w", err)
		}
		c.Command = []string{self}
	}
	or(&c.Workers, max(runtime.GOMAXPROCS(0)+1, 3))
	or(&c.Megabytes, 512)
	or(&c.Drivers, 200)
	or(&c.Limit, raceTime*100*time.Millisecond)
	or(&c.Penalty, time.Minute)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

func or[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// A Pool is a number of workers that all drivers of a process share. Workers are started when they are needed.
type Pool struct {
	config Config

	mu      sync.Mutex
	queues  map[string]*queue // of drivers that have calls waiting, or have had lately
	wake    *sync.Cond
	serving []*process // by place; nil = none runs there
	closed  bool
	started sync.WaitGroup
	killed  atomic.Uint64
}

// New makes a pool. Close ends its workers.
func New(c Config) (*Pool, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Pool{config: c, queues: make(map[string]*queue), serving: make([]*process, c.Workers)}
	p.wake = sync.NewCond(&p.mu)
	for i := range c.Workers {
		p.started.Go(func() { p.work(i) })
	}
	return p, nil
}

// Close ends the workers, with the calls that are under way, and calls that wait.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	for _, w := range p.serving {
		if w != nil {
			w.kill()
		}
	}
	p.mu.Unlock()
	p.wake.Broadcast()
	p.started.Wait()
}

// Killed is how many workers drivers have cost so far.
func (p *Pool) Killed() uint64 { return p.killed.Load() }

var errClosed = errors.New("the pool of driver workers is closed")

// Open makes a driver ready, with its port. Declarative ones run in this process, since each of their loops is bounded by the message; the others
// in the pool's workers, where code that cannot be loaded is told by the first call.
func (p *Pool) Open(d *driver.Driver) (driver.Codec, error) {
	switch d.Kind {
	case driver.Declarative:
		program, err := declarative.Parse(d.Code)
		if err != nil {
			return nil, err
		}
		return driver.Ported(program, d.Port), nil
	case driver.JavaScript, driver.WASM:
		return driver.Ported(p.Codec(d), d.Port), nil
	default:
		return nil, fmt.Errorf("kind %q is not known: declarative, javascript, wasm", d.Kind)
	}
}

// Codec is a driver's code that runs in the pool's workers, whatever its kind.
func (p *Pool) Codec(d *driver.Driver) driver.Codec {
	sum := sha256.Sum256(append([]byte(d.Kind+"\x00"), d.Code...))
	c := &codec{pool: p, key: hex.EncodeToString(sum[:]), kind: d.Kind, code: d.Code, limit: d.Limit}
	or(&c.limit, p.config.Limit)
	return c
}

type codec struct {
	pool  *Pool
	key   string
	kind  driver.Kind
	code  []byte
	limit time.Duration
}

// weight is the codec's share of what a worker holds.
func (c *codec) weight() int {
	if c.kind == driver.WASM {
		return 1 + len(c.code)>>17
	}
	return 1
}

// Run is driver.Codec's.
func (c *codec) Run(ctx context.Context, calls []driver.Call) ([]driver.Result, error) {
	j := &job{codec: c, calls: calls, results: make([]driver.Result, len(calls)), done: make(chan struct{})}
	if len(calls) == 0 {
		return nil, nil
	}
	if err := c.pool.put(j); err != nil {
		return nil, err
	}
	select {
	case <-j.done:
		return j.results, j.err
	case <-ctx.Done():
		c.pool.leave(j)
		<-j.done // what is under way ends soon: a call has its limit
		if j.left() == 0 && j.err == nil {
			return j.results, nil
		}
		return nil, ctx.Err()
	}
}
