package platform

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

// An Operation is one kind of asynchronous operation that a function owns, for function twin-watchdog to watch.
type Operation interface {
	list(ctx context.Context, p *Platform, cursor string, limit int) (api.Page[api.Overdue], error)
	retry(ctx context.Context, p *Platform, id string) (api.Retried, error)
	kind() string
}

// Operations are the documents of one collection that stand for asynchronous operations of one kind.
type Operations[T any] struct {
	Kind string
	C    *store.Collection[T]

	// Index is over Field, the time at which somebody is to go on with an operation; there is none on one that has ended. It
	// is overdue when Grace has passed since.
	Index, Field string
	Grace        time.Duration

	// Of says what of a document concerns the watchdog; the zero Since says that the operation has ended.
	Of func(*T) api.Overdue

	// Retry goes on with an operation, if it is still time to.
	Retry func(ctx context.Context, id string) error
}

// Watched adds to a function's routes those by which function twin-watchdog watches its operations: GET and POST /overdue.
// The function advertises the capability "operations".
func Watched(p *Platform, r faas.Routes, operations ...Operation) faas.Routes {
	watchdog := access.Parts("twin-watchdog")
	r["GET /overdue"] = faas.Op(p, watchdog, func(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[api.Overdue], error) {
		return overdue(ctx, p, c, operations)
	})
	r["POST /overdue"] = faas.Op(p, watchdog, func(ctx context.Context, _ *faas.Call, in api.RetryOverdue) (api.Retried, error) {
		for _, o := range operations {
			if o.kind() == in.Kind {
				return o.retry(ctx, p, in.ID)
			}
		}
		return api.Retried{}, NotFound("kind of operation", in.Kind)
	}).Quiet()
	return r
}

// overdue pages through the operations of one kind after the other. A cursor is the kind's number and its own cursor.
func overdue(ctx context.Context, p *Platform, c *faas.Call, operations []Operation) (out api.Page[api.Overdue], err error) {
	out.Items = []api.Overdue{}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	kind, cursor, _ := strings.Cut(c.Query.Get("cursor"), ":")
	found := kind == ""
	for i, o := range operations {
		if !found && o.kind() != kind {
			continue
		}
		found = true
		page, err := o.list(ctx, p, cursor, limit-len(out.Items))
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, page.Items...)
		cursor = ""
		switch {
		case page.Next != "":
			out.Next = o.kind() + ":" + page.Next
			return out, nil
		case len(out.Items) >= limit && i+1 < len(operations):
			out.Next = operations[i+1].kind() + ":"
			return out, nil
		}
	}
	if !found {
		return out, api.Invalid("cursor: this is not one; take it from the page before")
	}
	return out, nil
}

func (o Operations[T]) kind() string { return o.Kind }

func (o Operations[T]) list(ctx context.Context, p *Platform, cursor string, limit int) (out api.Page[api.Overdue], err error) {
	page, err := o.C.Find(ctx, store.Query{Index: o.Index, Limit: limit, Cursor: cursor, Partial: true,
		Filter: store.And(store.Gt(o.Field, time.UnixMilli(0)), store.Lte(o.Field, p.Time().Add(-o.Grace)))})
	for i := range page.Items {
		if v := o.Of(&page.Items[i]); !v.Since.IsZero() {
			v.Kind = o.Kind
			out.Items = append(out.Items, v)
		}
	}
	out.Next = page.Next
	return out, err
}

func (o Operations[T]) retry(ctx context.Context, p *Platform, id string) (out api.Retried, err error) {
	is, err := o.overdue(ctx, p, id)
	if err != nil || !is {
		return out, err
	}
	failure := o.Retry(ctx, id)
	if out.Overdue, err = o.overdue(ctx, p, id); out.Overdue && failure != nil {
		out.Reason = p.Problem(failure).Error()
	}
	return out, err
}

func (o Operations[T]) overdue(ctx context.Context, p *Platform, id string) (bool, error) {
	v, err := o.C.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	since := o.Of(&v).Since
	return !since.IsZero() && !since.After(p.Time().Add(-o.Grace)), nil
}
