package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

const (
	idlers    = 1000 // streams on which nothing happens
	onlookers = 50   // people who look at everything while figures of the stream are taken
	sights    = 300  // values that are followed to the screen
)

// measureConsole measures what people see: the stream of changes alone, the way of a value from a device to the screen, and
// the console's pages with a fleet of 100,000.
func measureConsole(ctx context.Context, b *bench) error {
	w, err := b.openBrowser(ctx)
	if err != nil {
		return err
	}
	if w != nil {
		defer w.close()
	}
	if err := b.measureStream(ctx, w); err != nil {
		return err
	}
	if w == nil {
		return nil
	}
	c, _, err := b.stock(ctx, filepath.Join(b.dir, "console", "fleet", "data"))
	if err != nil {
		return err
	}
	defer c.stop()
	return b.measurePages(ctx, c, w)
}

// measureStream has a platform with the devices of the section "latency".
func (b *bench) measureStream(ctx context.Context, w *browser) error {
	c, err := b.up(ctx, filepath.Join(b.dir, "console", "data"), "")
	if err != nil {
		return err
	}
	defer c.stop()
	tokens, err := c.onlookers(ctx, onlookers)
	if err != nil {
		return err
	}
	if err := b.measureIdle(ctx, c, tokens); err != nil {
		return err
	}
	return b.measureSight(ctx, c, tokens, w)
}

// measureIdle tells what open streams take, beside as many connections without one.
func (b *bench) measureIdle(ctx context.Context, c *castor, tokens []string) error {
	// What the first ones need once is there already.
	if _, _, err := c.taken(ctx, func() (*audience, error) { return c.gather(ctx, tokens, idlers) }); err != nil {
		return err
	}
	bare, _, err := c.taken(ctx, func() (*audience, error) { return c.idle(ctx, idlers) })
	if err != nil {
		return err
	}
	held, grown, err := c.taken(ctx, func() (*audience, error) { return c.gather(ctx, tokens, idlers) })
	if err != nil {
		return err
	}
	b.add(Figure{Name: "memory per open stream, idle", Value: held / idlers / 1000, Unit: "KB", Floor: bare / idlers / 1000, FloorIs: "a connection on which nothing is asked",
		Note: fmt.Sprintf("heap and stacks, of %d; resident memory grew by %.0f KB each", idlers, grown/idlers/1000)})
	return nil
}

// taken is what the platform takes while an audience is there: on its heap and stacks, and of resident memory.
func (c *castor) taken(ctx context.Context, open func() (*audience, error)) (held, grown float64, err error) {
	heldBefore, err1 := c.held(ctx)
	before, err2 := c.settled(ctx)
	if err := errors.Join(err1, err2); err != nil {
		return 0, 0, err
	}
	a, err := open()
	if err != nil {
		return 0, 0, err
	}
	defer func() { a.leave(); <-time.After(2 * time.Second) }()
	<-time.After(2 * time.Second) // all have had their first frame
	held, err1 = c.held(ctx)
	grown, err2 = c.settled(ctx)
	return held - heldBefore, grown - before, errors.Join(err1, err2)
}

// measurePages has the console open on a fleet of 100,000 twins.
func (b *bench) measurePages(ctx context.Context, c *castor, w *browser) error {
	o := order{URL: c.url, Name: "admin", Password: c.password, View: "/"}
	var load struct {
		Interactive []float64 // ms, one per visit
		Script      float64   // bytes over the wire
		All         float64
		Files       int
		Requests    int
	}
	o.Do = "load"
	if err := w.ask(o, &load); err != nil {
		return err
	}
	slices.Sort(load.Interactive)
	b.add(Figure{Name: "first load: JavaScript over the wire", Value: load.Script / 1000, Unit: "KB",
		Note: fmt.Sprintf("%d files; with styles, type and answers %.0f KB in %d requests", load.Files, load.All/1000, load.Requests)})
	b.add(Figure{Name: "first load: table of 100,000 twins can be used, p50", Value: load.Interactive[len(load.Interactive)/2], Unit: "ms",
		Note: fmt.Sprintf("cold cache, signed in, of %d; the longest %.0f ms", len(load.Interactive), load.Interactive[len(load.Interactive)-1])})
	var scroll struct {
		Rows       int       // passed
		Seconds    float64   // that it took
		Pages      []float64 // ms, how long each took to arrive
		Wheel, End tasks
		Ended      float64 // ms from pressing End to the last row
	}
	o.Do = "scroll"
	if err := w.ask(o, &scroll); err != nil {
		return err
	}
	const longest = "100,000 twins, %s: longest task, processor time"
	b.add(Figure{Name: fmt.Sprintf(longest, "wheel"), Value: scroll.Wheel.LongestWork, Unit: "ms",
		Note: fmt.Sprintf("%d rows in %.0f s; %s", scroll.Rows, scroll.Seconds, scroll.Wheel)})
	b.add(Figure{Name: fmt.Sprintf(longest, "to the last row"), Value: scroll.End.LongestWork, Unit: "ms", Note: scroll.End.String()})
	b.add(Figure{Name: "100,000 twins: key End to the last row", Value: scroll.Ended / 1000, Unit: "s", Note: "read from the end"})
	slices.Sort(scroll.Pages)
	at := func(p int) float64 { return scroll.Pages[min(len(scroll.Pages)-1, len(scroll.Pages)*p/100)] }
	b.add(Figure{Name: "100,000 twins: a page of rows arrives, p50", Value: at(50), Unit: "ms", Note: fmt.Sprintf("%d pages of 200 or 500, p99 %.0f ms", len(scroll.Pages), at(99))})
	return nil
}

// tasks are what a page's main thread did, in ms: a task lasts longer by the clock than it works when other programs want the CPUs.
type tasks struct {
	Longest, LongestWork float64
	Over, OverWork, Long int // over 50 ms: by the clock, by processor time, and as the browser tells pages
}

func (t tasks) String() string {
	return fmt.Sprintf("over 50 ms: %d by processor time, %d by the clock (longest %.0f ms), %d long tasks told to the page", t.OverWork, t.Over, t.Longest, t.Long)
}
