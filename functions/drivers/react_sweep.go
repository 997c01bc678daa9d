package drivers

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

const goOnFor = 10 * time.Second // of one sweep

// maxGoOn is how many twins one sweep looks at; a variable for tests.
var maxGoOn = 1000

// goOn has drivers react to what waits since a time, and returns with how many twins they came further. What they are still too slow for, and
// what there is no time for, goes on waiting.
func (r *reactor) goOn(ctx context.Context, until time.Time) (moved int, err error) {
	ctx, cancel := withTime(ctx, goOnFor)
	defer cancel()
	said, err := r.whoWaits(ctx, until)
	if err != nil {
		return 0, err
	}
	return r.react(ctx, said)
}

// whoWaits are twins of which something waits since a time: after those that the last call was about, so that all have their turn.
func (r *reactor) whoWaits(ctx context.Context, until time.Time) (map[twin.ID]stretches, error) {
	r.swept.Lock()
	defer r.swept.Unlock()
	found := map[twin.ID]stretches{}
	for range maxGoOn {
		w, err := r.waiting.FindOne(ctx, store.Query{Filter: store.Gt("_id", r.swept.after)})
		if errors.Is(err, store.ErrNotFound) {
			r.swept.after = ""
			break
		}
		if err != nil {
			return nil, err
		}
		if r.swept.after = string(w.Twin) + "|~"; !w.At.After(until) {
			found[w.Twin] = nil
		}
	}
	return found, nil
}
