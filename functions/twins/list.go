package twins

import (
	"context"
	"slices"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// Bounds of one page: how many twins are looked at for it, and how many readings it holds.
const (
	maxExamined = 10_000
	maxReadings = 50_000
)

// list pages through the twins the caller may see, by id or sorted by something else.
func (f *function) list(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[twin.Twin], error) {
	out := api.Page[twin.Twin]{Items: []twin.Twin{}}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	q, err := read(c.Query)
	if err != nil {
		return out, err
	}
	as, err := viewOf(c.Query)
	if err != nil {
		return out, err
	}
	after, err := decodeCursor(c.Query.Get("cursor"), q)
	if err != nil {
		return out, err
	}
	scope, err := f.p.Visible(ctx, c.Caller)
	if err != nil {
		return out, err
	}
	page := f.byID
	if s, _ := sortingOf(q.sort); s.by != "id" || s.down {
		page = f.sorted
	}
	places, next, err := page(ctx, scope, q, after, limit)
	if err != nil {
		return out, err
	}
	return f.fill(ctx, q, places, next, as)
}

// byID finds the places of a page sorted by id, and where the next page begins; nil at the end.
func (f *function) byID(ctx context.Context, scope access.Scope, q query, after place, limit int) (places []place, next *place, err error) {
	walk, err := f.walk(ctx, scope, q, after.id, min(limit+1, 200))
	if err != nil {
		return nil, nil, err
	}
	for examined := 0; len(places) < limit && examined < maxExamined; examined++ {
		t, err := walk.next(ctx)
		if t == nil || err != nil {
			return places, nil, err
		}
		at := place{id: string(t.ID)}
		if next = &at; q.matches(t) && scope.Allows(access.Twin(t)) {
			places = append(places, at)
		}
	}
	if t, err := walk.next(ctx); t == nil || err != nil {
		return places, nil, err
	}
	return places, next, nil
}

// fill reads the twins of a page. A page of twins with very many readings ends early.
func (f *function) fill(ctx context.Context, q query, places []place, next *place, as view) (api.Page[twin.Twin], error) {
	out := api.Page[twin.Twin]{Items: []twin.Twin{}}
	readings := 0
	for chunk := range slices.Chunk(places, 100) {
		if readings > maxReadings {
			break // next is the last place that was read
		}
		ids := make([]string, len(chunk))
		for i, p := range chunk {
			ids[i] = p.id
		}
		twins, err := f.read(ctx, ids, as)
		if err != nil {
			return out, err
		}
		for _, t := range twins {
			readings += len(t.Live.Reported)
			if t.Deleted.IsZero() {
				out.Items = append(out.Items, t)
			}
		}
		if readings > maxReadings && chunk[len(chunk)-1] != places[len(places)-1] {
			next = &chunk[len(chunk)-1]
		}
	}
	if next != nil {
		out.Next = encodeCursor(*next, q)
	}
	return out, nil
}

// read returns the twins with these ids in their order, as they are to be shown.
func (f *function) read(ctx context.Context, ids []string, as view) ([]twin.Twin, error) {
	if !as.row {
		return f.twins.GetMany(ctx, ids)
	}
	twins, err := f.lookUp(ctx, ids, row)
	for i := range twins {
		as.cut(&twins[i])
	}
	return twins, err
}

// lookUp returns some fields of the twins with these ids, in their order; what is not there is left out.
func (f *function) lookUp(ctx context.Context, ids []string, fields []string) ([]twin.Twin, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	page, err := f.twins.Find(ctx, store.Query{Filter: store.In("_id", ids...), Limit: len(ids), Fields: fields})
	if err != nil {
		return nil, err
	}
	at := make(map[twin.ID]int, len(ids))
	for i, id := range ids {
		at[twin.ID(id)] = i
	}
	slices.SortFunc(page.Items, func(a, b twin.Twin) int { return at[a.ID] - at[b.ID] })
	return page.Items, nil
}
