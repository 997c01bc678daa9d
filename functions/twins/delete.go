package twins

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// delete makes of a twin a tombstone: from that write on nobody sees it, and its device's messages are refused. Those who
// hold something of it (certificate and mapping, place at a gateway, rules, alarms, runs) drop it on event twin.deleted. Its
// history goes here; what is left of that, and the tombstone, go with the sweep. Deleting again goes on where it ended.
func (f *function) delete(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	data := c.Query.Get("data")
	if err := checkData("data", data); err != nil {
		return faas.None{}, err
	}
	return faas.None{}, f.bury(ctx, hand{caller: c.Caller}, twin.ID(c.Var("id")), data)
}

// checkData refuses what cannot become of a deleted twin's data.
func checkData(field, data string) error {
	if data != "" && data != "archive" && data != "erase" {
		return api.Invalid("%s %.40q must be archive or erase", field, data)
	}
	return nil
}

// bury deletes one twin.
func (f *function) bury(ctx context.Context, h hand, id twin.ID, data string) error {
	t, err := f.change(ctx, h, id, event.TwinDeleted, func(t *twin.Twin) error {
		if !t.Deleted.IsZero() {
			return store.Unchanged
		}
		if err := f.empty(ctx, t); err != nil {
			return err
		}
		t.Deleted = f.p.Time()
		t.Kind = ""
		t.Live = twin.Live{Generation: t.Live.Generation}
		t.Definition = twin.Definition{Owner: t.Definition.Owner, Version: t.Definition.Version + 1, Updated: t.Deleted} // who may delete again
		return nil
	})
	if err != nil || h.dry {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, wipeFor)
	defer cancel()
	if err := f.wipe(soon, t.ID); err != nil {
		f.p.Log.InfoContext(ctx, "history left for the sweep", "function", f.p.Part, "twin", t.ID, "error", err)
	}
	return nil
}

// empty refuses a type that has instances and an aggregate that has parts.
func (f *function) empty(ctx context.Context, t *twin.Twin) error {
	index, field, what := "by-type", "definition.type", "type %s still has instances; delete them first"
	switch t.Kind {
	case twin.Instance:
		return nil
	case twin.Aggregate:
		index, field, what = "by-aggregate", "definition.aggregates", "aggregate %s still has parts; take them out first"
	}
	_, err := f.twins.FindOne(ctx, store.Query{Index: index, Filter: store.Eq(field, t.ID), Fields: []string{"kind"}})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%w: "+what, api.ErrConflict, t.ID)
	}
	return err
}

// wipeFor bounds how long one call removes history; the next sweep goes on.
const wipeFor = 5 * time.Second

// wipe removes a twin's history and what is parked of it.
func (f *function) wipe(ctx context.Context, id twin.ID) error {
	const chunk = 2000
	for {
		n, err := f.history.DeleteRange(ctx, store.Query{Limit: chunk,
			Filter: store.And(store.Gte("_id", string(id)+"|"), store.Lt("_id", string(id)+"}"))}) // '}' comes after '|'
		if err != nil {
			return err
		}
		if n < chunk {
			break
		}
	}
	for {
		n, err := f.parked.DeleteRange(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", id), Limit: chunk})
		if err != nil || n < chunk {
			return err
		}
	}
}

// purge removes the last of a tombstone whose events are out. Its history goes once more: a batch may have been on its way.
func (f *function) purge(ctx context.Context, t twin.Twin) error {
	if err := f.wipe(ctx, t.ID); err != nil {
		return err
	}
	err := f.twins.DeleteIf(ctx, string(t.ID), store.And(store.Eq("deleted", t.Deleted), store.Exists("outbox.since", false)))
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
		return nil // somebody else did it, or its events are not out
	}
	return err
}

// sweep publishes what a crash or an outage left, and removes what deleted twins left.
func (f *function) sweep(ctx context.Context, _ *faas.Call, _ faas.None) (api.Swept, error) {
	before := f.p.Time().Add(-settled)
	n, err := f.outbox.Sweep(ctx, before)
	faults := []error{err}
	page, err := f.twins.Find(ctx, store.Query{Index: "by-deleted", Limit: 1000,
		Filter: store.And(store.Gt("deleted", time.UnixMilli(0)), store.Lte("deleted", before))})
	faults = append(faults, err)
	for _, t := range page.Items {
		faults = append(faults, f.purge(ctx, t))
	}
	return api.Swept{Repaired: n}, errors.Join(faults...)
}
