package drivers

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// Bounds of one call with events.
const (
	reactFor    = 25 * time.Second // what is left by then waits
	reactAtOnce = 8                // twins
	maxRaces    = 5                // how often others may come first with a twin
)

var errRaced = errors.New("somebody else has dealt with it meanwhile")

// A round is one call with events on its way.
type round struct {
	r      *reactor
	used   map[twin.ID]*api.UsedDriver
	keepBy time.Time // until when what there was no time for is stored

	mu      sync.Mutex
	moved   map[twin.ID]bool // whose driver has come further
	tallies map[versionKey]*tally
	lines   []api.LogLine
}

// events has drivers react to what twins have said, and forgets twins that are gone. Twins do not wait for each other: what cannot be done
// now is stored, so that the bus need not bring it again.
func (r *reactor) events(ctx context.Context, events []event.Event) error {
	ctx, cancel := withTime(ctx, reactFor)
	defer cancel()
	said, gone := map[twin.ID]stretches{}, []event.Event(nil)
	for _, e := range events {
		switch e.Topic {
		case event.TwinDeleted:
			gone = append(gone, e)
		case event.TwinHeard:
			var h api.TwinHeard
			err := e.Decode(&h)
			n := int64(len(h.Records))
			if err != nil || h.Twin.Valid() != nil || n == 0 || n > api.MaxHeard || h.Number < n || h.After != 0 && h.Number-h.After != n {
				r.f.p.Log.WarnContext(ctx, "an event that cannot be one is passed over", "function", r.f.p.Part, "event", e.ID, "error", err)
				continue
			}
			said[h.Twin] = append(said[h.Twin], stretch{First: h.After == 0, Number: h.Number, Records: h.Records})
		}
	}
	_, err := r.react(ctx, said)
	faults := []error{err}
	for _, e := range gone {
		faults = append(faults, r.deleted(ctx, e))
	}
	return errors.Join(faults...)
}

// react goes on with twins: with what waits, and what they have said now. Moved is with how many it came further.
func (r *reactor) react(ctx context.Context, said map[twin.ID]stretches) (moved int, err error) {
	if len(said) == 0 {
		return 0, nil
	}
	b := &round{r: r, used: map[twin.ID]*api.UsedDriver{}, keepBy: time.Now().Add(reactFor + keepFor), moved: map[twin.ID]bool{}, tallies: map[versionKey]*tally{}}
	ids := make([]twin.ID, 0, len(said))
	for id := range said {
		ids = append(ids, id)
	}
	for some := range slices.Chunk(ids, maxResolve) {
		used, err := r.f.used(ctx, some)
		if err != nil {
			return 0, err
		}
		for i := range used {
			b.used[used[i].Twin] = &used[i]
		}
	}
	faults := b.all(ctx, ids, said)
	b.end(ctx)
	return len(b.moved), errors.Join(faults...)
}

// twin goes on with one twin as far as it can now; the rest is stored, and waits.
func (b *round) twin(ctx context.Context, id twin.ID, came stretches) error {
	u := b.used[id]
	if u == nil { // it is gone
		return b.r.drop(ctx, id, math.MaxInt64)
	}
	v, err := b.r.of(ctx, id)
	for races := 0; err == nil; {
		away := b.r.send(ctx, &v, b.say) // what an earlier message wanted sent is sent before; v is what is stored then
		var todo stretches
		if todo, err = b.r.todo(ctx, &v, came); err != nil {
			break
		}
		if len(todo) == 0 {
			return errors.Join(away, b.r.settled(ctx, &v))
		}
		if err = away; err == nil {
			err = b.next(ctx, u, &v, todo[0])
		}
		if errors.Is(err, errRaced) && races < maxRaces {
			races++
			v, err = b.r.of(ctx, id)
		} else if err != nil {
			var moved bool
			if moved, err = b.keep(ctx, u, &v, came, err); !moved || away != nil {
				return errors.Join(away, err)
			}
		}
	}
	return err
}

// next has the driver react to what comes next of the twin, and brings v to what is stored then.
func (b *round) next(ctx context.Context, u *api.UsedDriver, v *reaction, s stretch) error {
	missed, err := b.gap(ctx, u, v, s)
	if err != nil {
		return err
	}
	d, err := b.call(ctx, u, v, s)
	if err != nil {
		return err
	}
	d.missed = missed
	now, err := b.r.store(ctx, v, d)
	if err != nil {
		return err
	}
	*v = now
	b.mu.Lock()
	b.moved[u.Twin] = true
	b.mu.Unlock()
	b.tell(u, d)
	return nil
}

// of is what is kept of a twin.
func (r *reactor) of(ctx context.Context, id twin.ID) (reaction, error) {
	v, err := r.docs.Get(ctx, string(id))
	if errors.Is(err, store.ErrNotFound) {
		return reaction{Twin: id}, nil
	}
	return v, err
}

// store writes what came of messages, unless somebody else has dealt with them since v was read.
func (r *reactor) store(ctx context.Context, was *reaction, d *deed) (reaction, error) {
	now := r.f.p.Time()
	return r.docs.Upsert(ctx, string(was.Twin), func(v *reaction, exists bool) error {
		if v.Number != was.Number || v.Forgets != was.Forgets {
			return errRaced
		}
		if !exists || d.first {
			*v = reaction{Twin: was.Twin, Begun: now, Forgets: was.Forgets, Waits: v.Waits}
		}
		d.apply(v, now)
		return nil
	})
}
