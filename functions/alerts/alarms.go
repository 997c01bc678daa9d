package alerts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

func (f *function) getAlarm(ctx context.Context, c *faas.Call, _ faas.None) (api.Alarm, error) {
	a, err := f.alarm(ctx, c, access.Read)
	return a.Alarm, err
}

// alarm returns the alarm of the call's path if the caller may use right on its twin.
func (f *function) alarm(ctx context.Context, c *faas.Call, right access.Right) (alarm, error) {
	id := c.Var("id")
	missing := platform.NotFound("alarm", id)
	if len(id) > 256 || !utf8.ValidString(id) || strings.ContainsRune(id, 0) {
		return alarm{}, missing
	}
	a, err := f.alarms.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return a, missing
	}
	if err != nil {
		return a, err
	}
	twins, err := f.present(ctx, []alarm{a})
	if err != nil {
		return alarm{}, err
	}
	if err := f.p.May(ctx, c.Caller, right, a.object(twins[a.Twin]), "alarm"); errors.Is(err, api.ErrNotFound) {
		return alarm{}, missing
	} else if err != nil {
		return alarm{}, err
	}
	return a, nil
}

func (f *function) acknowledgeAlarm(ctx context.Context, c *faas.Call, in api.Acknowledge) (api.Alarm, error) {
	if utf8.RuneCountInString(in.Note) > 1000 || strings.ContainsFunc(in.Note, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
		return api.Alarm{}, api.Invalid("note must be at most 1,000 characters, without control characters other than new lines")
	}
	if _, err := f.alarm(ctx, c, access.Write); err != nil {
		return api.Alarm{}, err
	}
	by := c.Caller.String()
	a, err := f.alarms.Update(ctx, c.Var("id"), func(a *alarm) error {
		if _, err := f.follow(ctx, a); err != nil {
			return err
		}
		switch {
		case a.State == monitor.Cleared:
			return fmt.Errorf("%w: the alarm is over, there is nothing to take on", api.ErrConflict)
		case a.State == monitor.Acknowledged && a.AcknowledgedBy == by && a.Note == in.Note:
			return store.Unchanged // the same call again
		case a.State == monitor.Acknowledged && a.AcknowledgedBy != by:
			return fmt.Errorf("%w: %s has taken the alarm on already", api.ErrConflict, a.AcknowledgedBy)
		}
		now := f.p.Time()
		a.State, a.AcknowledgedBy, a.AcknowledgedAt, a.Note, a.Updated = monitor.Acknowledged, by, now, in.Note, now
		a.note()
		return nil
	})
	if err != nil {
		return a.Alarm, err
	}
	if err := f.tell(ctx, a); err != nil {
		f.p.Log.WarnContext(ctx, "that an alarm is taken on is left for the sweep to tell", "function", f.p.Part, "alarm", a.ID, "error", err)
	}
	return a.Alarm, nil
}

// releaseAlarm lets go of an alarm that the caller has taken on: it is raised again, for others to take on. One that is held by
// somebody who may do nothing about it any more is anybody's to let go who may; maintainers let go of all.
func (f *function) releaseAlarm(ctx context.Context, c *faas.Call, _ faas.None) (api.Alarm, error) {
	held, err := f.alarm(ctx, c, access.Write)
	if err != nil {
		return api.Alarm{}, err
	}
	by, lost := c.Caller.String(), c.Caller.Is(access.Maintainer)
	if !lost && held.AcknowledgedBy != "" && held.AcknowledgedBy != by {
		d, err := f.p.API.Check(ctx, api.Check{Subject: held.AcknowledgedBy, Object: access.TwinName(held.Twin), Right: access.Write})
		if err != nil {
			return api.Alarm{}, err
		}
		lost = !d.Allowed
	}
	a, err := f.alarms.Update(ctx, held.ID, func(a *alarm) error {
		moved, err := f.follow(ctx, a)
		switch {
		case err != nil:
			return err
		case a.State == monitor.Raised && moved:
			return nil
		case a.State == monitor.Raised:
			return store.Unchanged
		case a.State == monitor.Cleared:
			return fmt.Errorf("%w: the alarm is over, there is nothing to let go of", api.ErrConflict)
		case a.AcknowledgedBy != by && !(lost && a.AcknowledgedBy == held.AcknowledgedBy):
			return fmt.Errorf("%w: %s has taken the alarm on; they let go of it, or a maintainer does", api.ErrConflict, a.AcknowledgedBy)
		}
		a.Updated = f.p.Time()
		a.letGo()
		return nil
	})
	if err != nil {
		return a.Alarm, err
	}
	if err := f.tell(ctx, a); err != nil {
		f.p.Log.WarnContext(ctx, "that an alarm is let go of is left for the sweep to tell", "function", f.p.Part, "alarm", a.ID, "error", err)
	}
	return a.Alarm, nil
}

func (f *function) listDeliveries(ctx context.Context, c *faas.Call, _ faas.None) (page api.Page[api.Delivery], err error) {
	page.Items = []api.Delivery{}
	limit, err := c.Limit()
	if err != nil {
		return page, err
	}
	a, err := f.alarm(ctx, c, access.Read)
	if err != nil {
		return page, err
	}
	q := store.Query{Index: "by-alarm", Filter: store.Eq("alarm", a.ID), Limit: limit, Cursor: c.Query.Get("cursor")}
	if !c.Caller.Is(access.Maintainer) {
		// How another group is told, and whether that works, is that group's affair.
		q.Filter = store.And(q.Filter, store.In("owner", c.Caller.Groups...))
	}
	found, err := f.deliveries.Find(ctx, q)
	for _, d := range found.Items {
		page.Items = append(page.Items, d.Delivery)
	}
	page.Next = found.Next
	return page, err
}
