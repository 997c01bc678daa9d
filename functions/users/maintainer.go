package users

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
)

// A mark holds others back for markCounts, and its maker has markActs of it to act: the difference is what clocks of
// replicas may differ.
const (
	markCounts = time.Minute
	markActs   = 30 * time.Second
)

// change changes a user, unless that would take the last maintainer. Two maintainers who delete each other at the same time
// write different documents, so a count alone would let both through: who would stop being a maintainer is marked first,
// and the marked do not count. At worst both are refused.
func (u *users) change(ctx context.Context, id string, change func(*user) error) (user, error) {
	var marked time.Time
	apply := func(v *user) error {
		before, mark := v.maintains(), v.Leaving
		if err := change(v); err != nil {
			return err
		}
		if !before || v.maintains() {
			v.Leaving = mark
			return nil
		}
		if marked.IsZero() || !mark.Equal(marked) || u.p.Time().Sub(marked) > markActs {
			return errMarkFirst
		}
		v.Leaving = time.Time{}
		return nil
	}
	v, err := u.users.Update(ctx, id, apply)
	if !errors.Is(err, errMarkFirst) {
		return v, err
	}
	marked = u.p.Time()
	if _, err := u.users.Update(ctx, id, func(v *user) error {
		if u.p.Time().Sub(v.Leaving) < markCounts {
			return fmt.Errorf("%w: user %q is being changed by somebody else; try again in a minute", api.ErrConflict, id)
		}
		v.Leaving = marked
		return nil
	}); err != nil {
		return user{}, err
	}
	left, err := u.staying(ctx)
	if err == nil && left == 0 {
		err = fmt.Errorf("%w: user %q is the last maintainer; make another one first", api.ErrConflict, id)
	}
	if err == nil {
		if v, err = u.users.Update(ctx, id, apply); err == nil {
			return v, nil
		}
	}
	_, undo := u.users.Update(context.WithoutCancel(ctx), id, func(v *user) error {
		if !v.Leaving.Equal(marked) {
			return store.Unchanged
		}
		v.Leaving = time.Time{}
		return nil
	})
	if undo != nil {
		u.p.Log.WarnContext(ctx, "mark of a leaving maintainer not removed; it ends by itself", "user", id, "error", undo)
	}
	if errors.Is(err, errMarkFirst) {
		err = fmt.Errorf("%w: it took too long; try again", api.ErrUnavailable)
	}
	return user{}, err
}

var errMarkFirst = errors.New("mark first")

// staying counts the maintainers who are not about to stop being one.
func (u *users) staying(ctx context.Context) (n int, err error) {
	now := u.p.Time()
	err = u.users.Scan(ctx, store.Query{Index: "by-role", Filter: store.Eq("roles", string(access.Maintainer))}, func(v user) error {
		if v.maintains() && now.Sub(v.Leaving) >= markCounts {
			n++
		}
		return nil
	})
	return n, err
}
