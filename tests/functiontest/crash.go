package functiontest

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// A Crash is a Base whose owner crashes after some writes: from then on nothing is written or published any more. What was
// written before stays in the world's store, so that another instance can go on.
type Crash struct {
	Base platform.Base

	// Writes counts the writes asked for (round trips, not documents), the crash's and later ones too.
	Writes atomic.Int64

	came  atomic.Bool
	after int64
	how   How
	w     *World
	alive map[string]faas.Func // the instances that served before
}

// How tells what is the last thing that succeeds.
type How int

// The ways to crash at a write.
const (
	Before    How = iota // the write before it; the bus takes nothing after that
	Published            // all up to it, what was published too
	Unsaid               // the write itself, but nobody is told
)

// Ways lists the ways to crash.
var Ways = []How{Before, Published, Unsaid}

// Crash returns a Base that crashes at the write after n others; n < 0 = never.
func (w *World) Crash(n int, how How) *Crash {
	w.t.Helper()
	c := &Crash{Base: w.Base, after: int64(n), how: how, w: w, alive: w.running()}
	c.Base.DB = store.New(crashDriver{w.Base.DB.Driver(), c})
	var err error
	if c.Base.Bus, err = bus.Connect(context.Background(), "", bus.InProcess(w.nats)); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Base.Bus.Close() })
	return c
}

// Run makes the instance that crashes serve the function in place of the present one.
func (c *Crash) Run(w *World, name string, build func(*platform.Platform) faas.Func) {
	w.run(c.Base, name, build)
}

// Came tells whether it has crashed, be it that nothing was to be written any more: a walk over all writes is at its end only when it
// has not.
func (c *Crash) Came() bool { return c.came.Load() }

// Over has the instances serve again that did before: replicas that ran beside the one that crashed. World.Add starts a new one.
func (c *Crash) Over() { c.w.serveBy(c.alive) }

var errCrash = fmt.Errorf("%w: crashed", store.ErrUnavailable)

// write runs do if the crash has not come yet.
func (c *Crash) write(do func() error) error {
	n := c.Writes.Add(1)
	switch {
	case c.after < 0 || n <= c.after:
		err := do()
		if n == c.after && c.how == Before {
			c.end()
		}
		return err
	case n == c.after+1 && c.how == Unsaid:
		_ = do()
	}
	c.end()
	return errCrash
}

// end is the crash: nothing is published from now on.
func (c *Crash) end() {
	c.came.Store(true)
	c.Base.Bus.Close()
}

type crashDriver struct {
	store.Driver
	c *Crash
}

func (d crashDriver) Table(ctx context.Context, name string, indexes []store.Index) (store.Table, error) {
	t, err := d.Driver.Table(ctx, name, indexes)
	return crashTable{t, d.c}, err
}

type crashTable struct {
	store.Table
	c *Crash
}

func (t crashTable) Write(ctx context.Context, writes []store.Write) ([]error, error) {
	var errs []error
	err := t.c.write(func() (err error) { errs, err = t.Table.Write(ctx, writes); return err })
	return errs, err
}

func (t crashTable) Apply(ctx context.Context, id string, guard store.Filter, add []store.Increment) (bson.Raw, error) {
	var doc bson.Raw
	err := t.c.write(func() (err error) { doc, err = t.Table.Apply(ctx, id, guard, add); return err })
	return doc, err
}
