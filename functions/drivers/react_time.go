package drivers

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

var errOver = errors.New("the time of this call is over, so what is left waits")

// withTime gives a call a time of its own; a variable for tests.
var withTime = func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, errOver)
}

// over tells whether a call's own time is over, which is no fault: its caller waits yet.
func over(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errOver) }

// turn goes on with one twin if there is time. What there is none for is stored if it is not yet; the sweeps go on with it.
func (b *round) turn(ctx context.Context, id twin.ID, came stretches) error {
	if !over(ctx) {
		if err := b.twin(ctx, id, came); err == nil || !over(ctx) {
			return err
		}
	}
	u := b.used[id]
	if u == nil || len(came) == 0 { // it is gone, or all of it is stored
		return nil
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), b.keepBy)
	defer cancel()
	v, err := b.r.of(ctx, id)
	if err == nil {
		_, err = b.keep(ctx, u, &v, came, errOver)
	}
	return err
}
