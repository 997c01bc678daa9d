package twins

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"golang.org/x/sync/errgroup"
)

// delete makes of a twin a tombstone: from that write on nobody sees it, and its device's messages are refused. Those who
// hold something of it (certificate and mapping, place at a gateway, rules, alarms, runs) drop it on event twin.deleted. Its
// document and history are archived and then removed, or removed at once; what is left of that, and the tombstone, go with
// the schedule and the sweep. Deleting again goes on where it ended; deleting again with ?data=erase ends a wait for an archive.
func (f *function) delete(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	data := c.Query.Get("data")
	if err := checkData("data", data); err != nil {
		return faas.None{}, err
	}
	return faas.None{}, f.bury(ctx, hand{caller: c.Caller}, twin.ID(c.Var("id")), data)
}

// checkData refuses what cannot become of a deleted twin's data.
func checkData(field, data string) error {
	if data != "" && data != twin.Archive && data != twin.Erase {
		return api.Invalid("%s %.40q must be archive or erase", field, data)
	}
	return nil
}

// bury deletes one twin.
func (f *function) bury(ctx context.Context, h hand, id twin.ID, data string) error {
	t, err := f.change(ctx, h, id, event.TwinDeleted, func(t *twin.Twin) error {
		if !t.Deleted.IsZero() {
			if data != twin.Erase || t.Remains == nil || t.Remains.Data == twin.Erase {
				return store.Unchanged
			}
			t.Remains.Data, t.Remains.Document = twin.Erase, nil
			return nil
		}
		if err := errors.Join(f.empty(ctx, t), f.alone(ctx, h.caller, t)); err != nil {
			return err
		}
		var err error
		if t.Remains, err = f.remains(ctx, t, data, h.caller.String()); err != nil {
			return err
		}
		t.Deleted = f.p.Time()
		t.Kind = ""
		t.Live = twin.Live{Generation: t.Live.Generation}
		t.Definition = twin.Definition{Owner: t.Definition.Owner, Version: t.Definition.Version + 1, Updated: t.Deleted} // who may delete again
		return nil
	})
	if err != nil || h.dry || archives(&t) {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, wipeFor)
	defer cancel()
	if err := f.wipe(soon, t.ID); err != nil {
		f.p.Log.InfoContext(ctx, "history left for the sweep", "function", f.p.Part, "twin", t.ID, "error", err)
	}
	return nil
}

// gone says how a twin went.
func gone(how, by string, at time.Time) string {
	return fmt.Sprintf("%s by %s on %s", how, by, at.UTC().Format(time.DateOnly))
}

// archives tells whether the data of a deleted twin have to be archived before they may go.
func archives(t *twin.Twin) bool { return t.Remains != nil && t.Remains.Data == twin.Archive }

// remains is what is kept of a twin that is just being deleted. What becomes of its data the call says, else its type, else
// they are archived. A device that never came as far as to say anything leaves nothing worth it.
func (f *function) remains(ctx context.Context, t *twin.Twin, data, by string) (*twin.Remains, error) {
	d := &t.Definition
	r := &twin.Remains{Data: data, By: by, Kind: t.Kind, Type: d.Type, Name: d.Name}
	model := d.Model
	if data == "" && t.Kind == twin.Instance {
		if t.Live.Messages == 0 && (d.Phase == twin.Onboarding || d.Phase == twin.Provisioning) {
			r.Data = twin.Erase
			return r, nil
		}
		of, err := f.twins.Get(ctx, string(d.Type))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		model = of.Definition.Model
	}
	if r.Data == "" && model != nil {
		r.Data = model.OnDelete
	}
	r.Data = cmp.Or(r.Data, twin.Archive)
	if r.Data == twin.Erase {
		return r, nil
	}
	var err error
	r.Document, err = json.Marshal(t)
	return r, err
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
	n, err := f.outbox.Sweep(ctx, f.p.Time().Add(-settled))
	m, missing := f.mend(ctx)
	return api.Swept{Repaired: n + m}, errors.Join(err, missing, f.clear(ctx), f.forgetArchives(ctx))
}

const (
	clearFor    = 10 * time.Second // how long one run stays at it; the next goes on
	clearAtOnce = 4                // deleted twins; each that is archived has a part of its archive in memory
)

// clear removes what is left of deleted twins, and archives first what has to be.
func (f *function) clear(ctx context.Context) error {
	q := store.Query{Index: "by-deleted", Limit: 100,
		Filter: store.And(store.Gt("deleted", time.UnixMilli(0)), store.Lte("deleted", f.p.Time().Add(-settled)))}
	until := time.Now().Add(clearFor)
	var faults []error
	for {
		page, err := f.twins.Find(ctx, q)
		if err != nil {
			return errors.Join(append(faults, err)...)
		}
		now := make([]error, len(page.Items))
		var g errgroup.Group
		g.SetLimit(clearAtOnce)
		for i, t := range page.Items {
			g.Go(func() error {
				if err := f.clearOne(ctx, t, until); err != nil {
					now[i] = fmt.Errorf("twin %s: %w", t.ID, err)
				}
				return nil
			})
		}
		_ = g.Wait()
		now = slices.DeleteFunc(now, func(err error) bool { return err == nil })
		faults = append(faults, now[:min(len(now), maxFaults-len(faults))]...)
		if q.Cursor = page.Next; q.Cursor == "" || ctx.Err() != nil || time.Now().After(until) {
			return errors.Join(faults...)
		}
	}
}

// clearOne removes what is left of one, unless time is up, and ends its decommissioning, which has waited for that.
func (f *function) clearOne(ctx context.Context, t twin.Twin, until time.Time) error {
	if time.Now().After(until) {
		return nil
	}
	if archives(&t) {
		if done, err := f.archive(ctx, &t); err != nil || !done {
			return err
		}
	}
	if err := f.purge(ctx, t); err != nil {
		return err
	}
	v, err := f.newest(ctx, t.ID)
	if err == nil && v.State == api.DecommissionData {
		_, err = f.goOnEnding(ctx, v.ID)
	}
	if errors.Is(err, api.ErrNotFound) {
		return nil // it was deleted without
	}
	return err
}
