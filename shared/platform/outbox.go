package platform

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/store"
)

// An Outbox publishes the events that the documents of one collection hold back (see event.Outbox).
type Outbox[T any] struct {
	P *Platform
	C *store.Collection[T]

	// Of returns a document's id and its outbox.
	Of func(*T) (id string, box *event.Outbox)

	// Index is over "outbox.since", or wherever Of's outbox lies; Field is that path.
	Index, Field string
}

// Flush publishes what docs hold back and then clears it from the stored documents. What cannot be published stays for
// Sweep: an error means "later", not "lost".
func (o Outbox[T]) Flush(ctx context.Context, docs ...T) error {
	type pending struct {
		id     string
		events []event.Event
	}
	var all []event.Event
	var todo []pending
	for i := range docs {
		id, box := o.Of(&docs[i])
		if len(box.Pending) > 0 {
			all = append(all, box.Pending...)
			todo = append(todo, pending{id, box.Pending})
		}
	}
	if len(all) == 0 {
		return nil
	}
	if err := o.P.Bus.Publish(ctx, all...); err != nil {
		return err
	}
	for _, t := range todo {
		_, err := o.C.Update(ctx, t.id, func(v *T) error {
			_, box := o.Of(v)
			before := len(box.Pending)
			box.Clear(t.events)
			if len(box.Pending) == before {
				return store.Unchanged
			}
			return nil
		})
		if err != nil && !errors.Is(err, store.ErrNotFound) { // somebody else was faster, and the document is gone
			return err
		}
	}
	return nil
}

// Sweep flushes documents that have held events back since before, at most 1,000 of them: what a crash or an outage left.
func (o Outbox[T]) Sweep(ctx context.Context, before time.Time) (int, error) {
	page, err := o.C.Find(ctx, store.Query{Index: o.Index, Limit: 1000,
		Filter: store.And(store.Gt(o.Field, time.UnixMilli(0)), store.Lte(o.Field, before))})
	if err != nil {
		return 0, err
	}
	o.measure(page.Items)
	return len(page.Items), o.Flush(ctx, page.Items...)
}

// measure tells how much was held back, and for how long.
func (o Outbox[T]) measure(docs []T) {
	var oldest time.Time
	for i := range docs {
		if _, box := o.Of(&docs[i]); oldest.IsZero() || box.Since.Before(oldest) {
			oldest = box.Since
		}
	}
	metrics.Outbox(o.P.Part, len(docs), oldest, time.Now())
}
