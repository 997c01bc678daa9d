package twinhistory

import (
	"context"
	"slices"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
)

// Bounds of the work for one page of records: how many times the store is asked, and the size of the answer, in bytes.
const (
	maxRounds = 200
	maxBytes  = 16 << 20
)

// raw answers records as they are. A page may be shorter than its limit, even empty, and still have a next one: then a
// bound was met first.
func (f *function) raw(ctx context.Context, q query) (api.Page[api.Record], error) {
	out := api.Page[api.Record]{Items: []api.Record{}}
	filters := []store.Filter{q.span()}
	if len(q.kinds) > 0 {
		filters = append(filters, store.In("k", q.kinds...))
	}
	if q.property != "" {
		filters = append(filters, store.Eq("d.p", q.property))
	}
	find := store.Query{Filter: store.And(filters...), Reverse: q.reverse, Cursor: q.cursor, Partial: true}
	size, chunk := 0, 20 // a record may be large: begin with few
	for range maxRounds {
		find.Limit = min(chunk, q.limit-len(out.Items))
		page, err := f.history.Find(ctx, find)
		if err != nil {
			return out, err
		}
		for _, r := range page.Items {
			if q.property != "" {
				r.Samples = slices.DeleteFunc(r.Samples, func(s telemetry.Sample) bool { return s.Property != q.property })
			}
			if r.Samples == nil {
				r.Samples = []telemetry.Sample{}
			}
			size += sizeOf(&r)
			out.Items = append(out.Items, r)
		}
		if find.Cursor = page.Next; find.Cursor == "" {
			return out, nil
		}
		if len(out.Items) == q.limit || size > maxBytes {
			break
		}
		if size < maxBytes/16 {
			chunk = min(chunk*4, 1000)
		}
	}
	out.Next = q.next(find.Cursor)
	return out, nil
}

// sizeOf is about how large a record is in an answer.
func sizeOf(r *api.Record) int {
	n := 200
	for _, s := range r.Samples {
		text, _ := s.Value.(string)
		n += 30 + len(s.Property) + len(text)
	}
	return n
}
