package twins

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/store"
	"golang.org/x/sync/errgroup"
)

const (
	endingsPerRun = 100 // that one run of schedule goes on with: those that are due the longest
	endingsAtOnce = 8   // most of an ending is waiting for what was written to be synced

	// headStart is how much sooner than the others it is the turn of one whose devices are just going along: they wait for it, too, and stand in
	// the same queue. Nobody waits longer than this for such ones, however many there are.
	headStart = 5 * time.Minute
)

// after is when one that waits is looked at again: the later, the longer it has waited, so that those that wait for long do not hold up those
// whose turn it is. Who waits for its data is told of them (see clearOne).
func (v *decommission) after(now time.Time) time.Time {
	return now.Add(min(max(now.Sub(v.Asked)/4, 2*time.Second), time.Minute))
}

// workEndings goes on with those that are due.
func (f *function) workEndings(ctx context.Context) error {
	page, err := f.ended.Find(ctx, store.Query{Index: "by-due", Limit: endingsPerRun,
		Filter: store.And(store.Gt("due", time.UnixMilli(0)), store.Lte("due", f.p.Time()))})
	faults := make([]error, len(page.Items))
	var g errgroup.Group
	g.SetLimit(endingsAtOnce)
	for i, v := range page.Items {
		g.Go(func() error { _, faults[i] = f.goOnEnding(ctx, v.ID); return nil })
	}
	_ = g.Wait()
	return errors.Join(append(faults, err)...)
}
