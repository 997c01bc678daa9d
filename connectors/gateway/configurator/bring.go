package configurator

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"golang.org/x/sync/errgroup"
)

// bring brings every change to the target until it has it, and compares the two from time to time.
func (k *Configurator) bring(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	k.all.Store(true)
	var compared time.Time
	for ctx.Err() == nil {
		now := time.Now()
		if k.told.Load() && (k.all.Swap(false) || now.Sub(compared) >= k.config.Reconcile) {
			if compared = now; !k.compare(ctx) {
				compared = now.Add(min(0, k.config.Backoff-k.config.Reconcile)) // soon again
			}
		}
		var under errgroup.Group
		under.SetLimit(k.width())
		for _, c := range k.book.due(now) {
			if ctx.Err() != nil {
				break
			}
			under.Go(func() error { k.change(ctx, c); return nil })
		}
		_ = under.Wait() // it reports none: what failed is due again
		select {
		case <-ctx.Done():
		case <-k.changed:
		case <-tick.C:
			k.expire()
		}
	}
}

// width is how many changes may be under way at the target.
func (k *Configurator) width() int {
	if w, ok := k.config.Target.(Wide); ok {
		return max(1, w.Width())
	}
	return 1
}

// change makes one change at the target.
func (k *Configurator) change(ctx context.Context, c change) {
	call, cancel := context.WithTimeout(ctx, k.config.Call)
	defer cancel()
	applied := api.GatewayApplied{Gateway: k.config.Gateway.ID, Client: c.Client, Revision: c.Revision}
	a, in := k.book.get(c.Client)
	var err error
	applied.Removed = !in || a.Suspended()
	keeper, keeps := k.config.Target.(Keeper)
	_, apart := k.config.Target.(Separator)
	switch {
	case in && a.Topics != nil && !apart:
		if err = k.config.Target.Remove(call, c.Client); err == nil && !applied.Removed {
			err = errTopics
		}
	case in && !k.over(a) && !a.Suspended():
		err = k.config.Target.Apply(call, a.Admission)
	case in && !k.over(a) && keeps:
		err = keeper.Suspend(call, a.Admission)
	default:
		err = k.config.Target.Remove(call, c.Client)
	}
	switch {
	case errors.Is(err, ErrLost):
		k.log.Warn("gateway cannot let a device in", "client", c.Client, "error", err)
		if applied.Lost = err.Error(); c.Revision == 0 { // it was good, and is not any more
			applied.Revision = a.Revision
		}
	case err != nil:
		if ctx.Err() != nil {
			return // it is tried after the next start
		}
		if c.tries%10 == 0 {
			k.log.Warn("gateway has not taken over a change, it is tried again", "client", c.Client, "tries", c.tries+1, "error", err)
		}
		k.book.failed(c, time.Now().Add(min(k.config.Backoff, 100*time.Millisecond<<min(c.tries, 10))))
		return
	}
	k.book.done(c, applied)
	signal(k.applied)
}

// over tells whether an admission has run out.
func (k *Configurator) over(a admission) bool {
	return !a.Expires.IsZero() && !k.config.Now().Before(a.Expires)
}

// expire has the target forget whose admission runs out.
func (k *Configurator) expire() {
	k.book.mu.Lock()
	defer k.book.mu.Unlock()
	for client, a := range k.book.known {
		if _, open := k.book.open[client]; !open && !a.ended && k.over(a) {
			a.ended = true
			k.book.known[client] = a
			k.book.open[client] = change{Client: client}
		}
	}
}

// compare has the target told of whom it has and should not have, and of whom it has not and should have; of everybody, if it
// has lost what it was told.
func (k *Configurator) compare(ctx context.Context) bool {
	call, cancel := context.WithTimeout(ctx, k.config.Call)
	defer cancel()
	epoch, err := k.config.Target.State(call)
	var has []string
	if err == nil {
		has, err = k.config.Target.List(call)
	}
	if err != nil {
		k.log.Warn("gateway does not tell whom it lets in", "error", err)
		return false
	}
	slices.Sort(has)
	b := k.book
	b.mu.Lock()
	defer b.mu.Unlock()
	lost := epoch != b.epoch
	if lost && len(b.known) > 0 {
		k.log.Info("gateway is told anew of everybody it lets in", "clients", len(b.known))
	}
	open := func(client string) {
		if _, ok := b.open[client]; !ok {
			b.open[client], b.dirty = change{Client: client}, true
		}
	}
	for client, a := range b.known {
		if _, there := slices.BinarySearch(has, client); lost || !there && !k.over(a) && !a.Suspended() {
			open(client)
		}
	}
	for _, client := range has {
		if a, ok := b.known[client]; !ok || a.Suspended() {
			open(client)
		}
	}
	b.epoch, b.dirty = epoch, b.dirty || lost
	return true
}
