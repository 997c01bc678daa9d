package drivers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// Bounds of what waits.
const (
	gapFor    = 10 * time.Minute // the bus brings what is missing again within five minutes
	maxBehind = 10_000           // messages of a twin may wait, then the oldest are passed over
	readWaits = 100              // stretches that are read at a time
	keepFor   = 5 * time.Second  // to store what waits, also when the call's time is over
)

var errGap = errors.New("a message before it has not come yet")

// A waiting stretch is one that on_event has not come to: its version is slow, a message before it is missing, or something is away. It goes
// some time after it was dealt with.
type waiting struct {
	ID   string    `bson:"_id"` // of twin and number, so that it is one however often it comes
	Twin twin.ID   `bson:"twin"`
	At   time.Time `bson:"at"`

	Stretch stretch `bson:"stretch"`
}

func waitingID(id twin.ID, number int64) string { return fmt.Sprintf("%s|%019d", id, max(number, 0)) }

// waits are the stretches of a twin that wait behind a number.
func waits(id twin.ID, after int64) store.Filter {
	return store.And(store.Gt("_id", waitingID(id, after)), store.Lt("_id", string(id)+"|~"))
}

// todo is what comes next of a twin, in order: of what waits and of what has come. What waited and is done goes.
func (r *reactor) todo(ctx context.Context, v *reaction, came stretches) (stretches, error) {
	todo := came.beyond(v.Number)
	if !v.Waits && len(came) > 0 && (len(todo) == 0 || todo[0].follows(v)) {
		return todo, nil
	}
	done := store.And(store.Gt("_id", string(v.Twin)+"|"), store.Lte("_id", waitingID(v.Twin, v.Number)))
	if _, err := r.waiting.DeleteRange(ctx, store.Query{Filter: done}); err != nil {
		return nil, err
	}
	page, err := r.waiting.Find(ctx, store.Query{Filter: waits(v.Twin, v.Number), Limit: readWaits})
	if err != nil {
		return nil, err
	}
	for i := range page.Items {
		todo = append(todo, page.Items[i].Stretch)
	}
	return todo.beyond(v.Number), nil
}

// gap tells how many messages before a stretch have been waited for long enough, and says so. It returns errGap where one is waited for yet.
// That the stretch is old itself tells nothing: after an outage all are.
func (b *round) gap(ctx context.Context, u *api.UsedDriver, v *reaction, s stretch) (missed int64, err error) {
	since, now := v.Gap, b.r.f.p.Time()
	if since.Before(b.r.began) && !now.Before(b.r.began) { // while the platform was down, what is missing could not come
		since = b.r.began
	}
	switch {
	case s.follows(v):
		return 0, nil
	case v.Gap.IsZero() || now.Sub(since) < gapFor:
		return 0, errGap
	}
	many := "what the twin said before this"
	if v.Number > 0 {
		missed = s.from() - v.Number
		many = fmt.Sprintf("%d messages before this", missed)
	}
	b.r.f.p.Log.WarnContext(ctx, "a driver does not hear all: events of the twin did not come", "function", b.r.f.p.Part, "twin", u.Twin, "after", v.Number, "before", s.from())
	if u.Reacts {
		b.say(u.Twin, "gap", "warn", fmt.Sprintf("%s has not heard all: %s did not come within %s and are passed over; history has them", versionOf(u), many, gapFor))
	}
	return missed, nil
}

// keep stores what has come and cannot be dealt with now, and brings v to what is stored then. It tells whether somebody else has dealt with
// something meanwhile, so that it may be dealt with after all.
func (b *round) keep(ctx context.Context, u *api.UsedDriver, v *reaction, came stretches, why error) (moved bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepFor)
	defer cancel()
	r, now := b.r, b.r.f.p.Time()
	if !errors.Is(why, errSlow) && !errors.Is(why, errGap) && !errors.Is(why, errOver) && !errors.Is(why, errGrave) && r.said.may(string(v.Twin)+" waits", now) {
		r.f.p.Log.WarnContext(ctx, "what a driver is to react to waits", "function", r.f.p.Part, "twin", v.Twin, "error", why)
	}
	newest, err := r.insert(ctx, v, came, now)
	if err != nil {
		return false, fmt.Errorf("what waits for the driver of twin %s is not stored: %w", v.Twin, err)
	}
	upto, missed, err := r.tooMany(ctx, v, newest)
	if err != nil {
		return false, err
	}
	was := v.Number
	*v, err = r.docs.Upsert(ctx, string(v.Twin), func(v *reaction, exists bool) error {
		if !exists {
			*v = reaction{Twin: v.Twin, Begun: now}
		}
		before := *v
		if v.Waits = true; v.Number != was {
			moved = true
		} else if missed > 0 {
			v.Number, v.Missed, v.Gap = upto, v.Missed+missed, time.Time{}
		} else if errors.Is(why, errGap) && (v.Gap.IsZero() || v.Gap.After(now)) { // a clock that was ahead is no reason to wait for it
			v.Gap = now
		}
		if exists && before.Waits && v.Number == before.Number && v.Gap.Equal(before.Gap) {
			return store.Unchanged
		}
		return nil
	})
	if err == nil && missed > 0 && !moved {
		b.say(v.Twin, "missed", "warn", fmt.Sprintf("%s has not heard all: of more than %d messages that it has not come to yet the oldest are passed over, %d until now; history has them",
			versionOf(u), maxBehind, v.Missed))
	}
	return moved, err
}

// insert stores what has come, as it came, and returns the newest number.
func (r *reactor) insert(ctx context.Context, v *reaction, came stretches, now time.Time) (newest int64, err error) {
	var docs []waiting
	for _, s := range came {
		if s.Number > v.Number {
			newest = max(newest, s.Number)
			docs = append(docs, waiting{ID: waitingID(v.Twin, s.Number), Twin: v.Twin, At: now, Stretch: s})
		}
	}
	errs, err := r.waiting.InsertMany(ctx, docs)
	for _, e := range errs {
		if e != nil && err == nil && !errors.Is(e, store.ErrExists) {
			err = e
		}
	}
	return newest, err
}

// tooMany tells up to which number messages of a twin are to be passed over because too many wait, and how many those are. How far numbers
// are apart does not tell: what is between may not have come.
func (r *reactor) tooMany(ctx context.Context, v *reaction, newest int64) (upto, missed int64, err error) {
	if upto = newest - maxBehind; upto <= v.Number {
		return 0, 0, nil
	}
	oldest, err := r.waiting.FindOne(ctx, store.Query{Filter: waits(v.Twin, v.Number)})
	from := oldest.Stretch.from()
	if err != nil || from >= upto {
		return 0, 0, err
	}
	if v.Number > 0 {
		from = v.Number
	}
	return upto, upto - from, nil
}

// settled notes that nothing of a twin waits any more. That something came at this moment is found by the sweep.
func (r *reactor) settled(ctx context.Context, v *reaction) error {
	if !v.Waits {
		return nil
	}
	_, err := r.docs.Update(ctx, string(v.Twin), func(v *reaction) error { v.Waits = false; return nil })
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// drop removes what waits of a twin that is gone, up to a number.
func (r *reactor) drop(ctx context.Context, id twin.ID, number int64) error {
	_, err := r.waiting.DeleteRange(ctx, store.Query{Filter: store.And(store.Gt("_id", string(id)+"|"), store.Lte("_id", waitingID(id, number)))})
	return err
}

// behind is how many messages of a twin wait.
func (r *reactor) behind(ctx context.Context, v *reaction) (int64, error) {
	q := store.Query{Filter: waits(v.Twin, v.Number)}
	oldest, err := r.waiting.FindOne(ctx, q)
	if err == nil {
		q.Reverse = true
		var newest waiting
		newest, err = r.waiting.FindOne(ctx, q)
		return newest.Stretch.Number - max(oldest.Stretch.from(), v.Number), err
	}
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return 0, err
}
