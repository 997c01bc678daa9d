package drivers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// send asks for the commands that are pending, and brings v to what is stored then. A command that was asked for already is the same one,
// because its key is. What is refused is dropped, and the twin's log says so; what is away has the error be api.ErrUnavailable, and the
// rest stays pending.
func (r *reactor) send(ctx context.Context, v *reaction, say func(id twin.ID, about, level, text string)) error {
	if len(v.Pending) == 0 {
		return nil
	}
	var away error
	sent, refused := map[string]bool{}, map[string]bool{}
	for _, w := range v.Pending {
		_, err := r.f.p.API.SendCommand(ctx, api.NewCommand{Twin: v.Twin, Name: w.Name, Input: w.Input, Timeout: twin.Duration(w.Timeout), Key: w.Key, By: w.By})
		switch {
		case err == nil:
			sent[w.Key] = true
		case final(err):
			refused[w.Key] = true
			say(v.Twin, "refused", "error", fmt.Sprintf("command %s of %s is not sent: %v", w.Name, w.By, err))
		default:
			away = fmt.Errorf("%w: command %s of twin %s: %w", api.ErrUnavailable, w.Name, v.Twin, err)
		}
		if away != nil {
			break
		}
	}
	now, err := r.docs.Update(ctx, string(v.Twin), func(v *reaction) error {
		before := len(v.Pending)
		v.Pending = slices.DeleteFunc(v.Pending, func(w wanted) bool {
			switch {
			case sent[w.Key]:
				v.Sent++
			case refused[w.Key]:
				v.Dropped++
			default:
				return false
			}
			return true
		})
		if len(v.Pending) == before {
			return store.Unchanged // another replica has sent them, too
		}
		if len(v.Pending) == 0 {
			v.Pending, v.PendingSince = nil, time.Time{}
		}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) { // the twin is gone
		*v = reaction{Twin: v.Twin, Number: v.Number}
		return away
	}
	if err == nil {
		*v = now
	}
	return errors.Join(away, err)
}

// final tells whether asking for a command again would be refused again.
func final(err error) bool {
	for _, why := range []error{twin.ErrInvalid, api.ErrConflict, api.ErrTooMany, api.ErrTooLarge, api.ErrNotFound, access.ErrDenied} {
		if errors.Is(err, why) {
			return true
		}
	}
	return false
}

// leftovers sends what a crash or an outage left pending.
func (r *reactor) leftovers(ctx context.Context, until time.Time) (done int, err error) {
	page, err := r.docs.Find(ctx, store.Query{Index: "by-pending", Limit: atOnce,
		Filter: store.And(store.Gt("pendingSince", time.UnixMilli(0)), store.Lte("pendingSince", until))})
	faults := []error{err}
	var lines []api.LogLine
	for i := range page.Items {
		if ctx.Err() != nil {
			break
		}
		err := r.send(ctx, &page.Items[i], func(id twin.ID, _, level, text string) {
			lines = append(lines, api.LogLine{Twin: id, At: r.f.p.Time(), App: "driver", Level: level, Text: text})
		})
		if faults = append(faults, err); err == nil {
			done++
		}
	}
	r.write(ctx, lines[:min(len(lines), maxLinesOut)])
	return done, errors.Join(faults...)
}
