package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/store"
)

// ban refuses devices, by their keys. Who came in by an admission already is not touched.
func (f *function) ban(ctx context.Context, c *faas.Call, in api.Ban) (api.Decided, error) {
	if bad(in.Reason, maxDeviceText) {
		return api.Decided{}, api.Invalid("reason must be a text of at most %d bytes", maxDeviceText)
	}
	if counts, err := f.counts(ctx); err != nil {
		return api.Decided{}, err
	} else if counts.Banned >= maxWaiting {
		return api.Decided{}, fmt.Errorf("%w: %d devices are banned, which is the most; forget some first", api.ErrConflict, counts.Banned)
	}
	return f.many(ctx, in.IDs, in.All, "banned", func(id string) error {
		claim := ""
		_, err := f.changeWaiting(ctx, id, func(w *waiting, now time.Time) error {
			if w.State == api.WaitingBanned {
				return store.Unchanged
			}
			claim = w.unused()
			w.State, w.By, w.Reason, w.At = api.WaitingBanned, c.Caller.String(), in.Reason, now
			return nil
		})
		return errors.Join(err, f.endClaim(ctx, claim))
	})
}

// unban has devices wait again, also those that were admitted and have not come yet.
func (f *function) unban(ctx context.Context, c *faas.Call, in api.Ban) (api.Decided, error) {
	if in.All != nil {
		return api.Decided{}, api.Invalid("all: name the ids of those to unban")
	}
	if bad(in.Reason, maxDeviceText) {
		return api.Decided{}, api.Invalid("reason must be a text of at most %d bytes", maxDeviceText)
	}
	return f.many(ctx, in.IDs, nil, "unbanned", func(id string) error {
		claim := ""
		_, err := f.changeWaiting(ctx, id, func(w *waiting, now time.Time) error {
			switch {
			case w.State == api.WaitingNow:
				return store.Unchanged
			case w.State == api.WaitingAdmitted && w.Run != "" && !w.Asked:
				return fmt.Errorf("%w: it came in by run %s; reset that instead", api.ErrConflict, w.Run)
			}
			claim = w.unused()
			w.unadmit(in.Reason)
			w.By, w.At, w.Last = c.Caller.String(), now, now
			return nil
		})
		return errors.Join(err, f.endClaim(ctx, claim))
	})
}

// unused is the claim that an admission has made and nobody has used.
func (w *waiting) unused() string {
	if w.State == api.WaitingAdmitted && !w.Asked && w.Run == "" {
		return w.Claim
	}
	return ""
}

func (f *function) endClaim(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	err := f.p.API.RevokeClaim(ctx, id)
	if errors.Is(err, api.ErrNotFound) {
		err = nil
	}
	return err
}

const (
	atMost  = 500              // devices of one call
	manyFor = 40 * time.Second // how long one call begins with more of them
)

// many does something to each device that is meant, a few at a time, and tells for which it could not be done.
func (f *function) many(ctx context.Context, ids []string, all *api.WaitingFilter, what string, do func(id string) error) (out api.Decided, err error) {
	switch {
	case (len(ids) == 0) == (all == nil):
		return out, api.Invalid("one of ids and all must be set")
	case len(ids) > atMost:
		return out, api.Invalid("ids: at most %d at a time, not %d", atMost, len(ids))
	}
	for _, id := range ids {
		if !waitingID.MatchString(id) {
			return out, api.Invalid("ids: %.80q is none of a waiting device", id)
		}
	}
	if all != nil {
		if ids, out.More, err = f.meant(ctx, all); err != nil {
			return out, err
		}
	}
	begin := time.Now()
	var mu sync.Mutex
	err = each(ids, func(id string) error {
		if time.Since(begin) > manyFor {
			mu.Lock()
			defer mu.Unlock()
			out.More = true
			return nil
		}
		err := do(id)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			out.Done++
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			out.Faults = append(out.Faults, api.WaitingFault{ID: id, Reason: reason(err)})
		}
		return nil
	})
	metrics.DecidedBy(what, out.Done)
	slices.SortFunc(out.Faults, func(a, b api.WaitingFault) int { return slices.Index(ids, a.ID) - slices.Index(ids, b.ID) })
	return out, err
}
