package authorization

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

// events keeps audit records, and takes back the grants on twins that are no more: an id may come to name another device.
func (a *authorization) events(ctx context.Context, events []event.Event) error {
	var records []access.Record
	for _, e := range events {
		ctx := e.Context(ctx)
		switch e.Topic {
		case event.Audit:
			var r access.Record
			if err := e.Decode(&r); err != nil || r.ID == "" {
				// It will not get better: having it delivered again would hold all others up.
				a.p.Log.ErrorContext(ctx, "audit record not readable", "event", e.ID, "error", err)
				continue
			}
			r.At = r.At.UTC()
			records = append(records, r)
		case event.TwinDeleted:
			if err := a.takeAll(ctx, e); err != nil {
				return err
			}
		}
	}
	for len(records) > 0 {
		n := min(len(records), store.MaxLimit)
		errs, err := a.audit.InsertMany(ctx, records[:n])
		if err != nil {
			return err
		}
		for _, err := range errs {
			if err != nil && !errors.Is(err, store.ErrExists) { // delivered before
				return err
			}
		}
		records = records[n:]
	}
	return nil
}

// takeAll takes back the grants on a deleted twin that were made before its end.
func (a *authorization) takeAll(ctx context.Context, e event.Event) error {
	var ids []string
	old := func(g access.Grant) bool { return !g.Created.After(e.At) }
	q := store.Query{Index: "by-object", Filter: store.And(store.Eq("object", "twin:"+e.Subject), store.Exists("deleted", false))}
	if err := a.grants.Scan(ctx, q, func(g access.Grant) error {
		if old(g) {
			ids = append(ids, g.ID)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, id := range ids {
		if err := a.take(ctx, id, old); err != nil {
			return err
		}
	}
	return nil
}

// listAudit pages through who changed what, newest first.
func (a *authorization) listAudit(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[access.Record], error) {
	out := api.Page[access.Record]{Items: []access.Record{}}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	q := store.Query{Reverse: true, Limit: limit, Cursor: c.Query.Get("cursor"), Partial: true}
	var filter []store.Filter
	for _, f := range []string{"caller", "function"} {
		v := c.Query.Get(f)
		if v == "" {
			continue
		}
		if len(v) > 256 || !utf8.ValidString(v) {
			return out, api.Invalid("%s may have 256 bytes of text", f)
		}
		if q.Index == "" {
			q.Index = "by-" + f
		}
		filter = append(filter, store.Eq(f, v))
	}
	q.Filter = store.And(filter...)
	page, err := a.audit.Find(ctx, q)
	out.Items, out.Next = append(out.Items, page.Items...), page.Next
	return out, err
}
