package twins

import (
	"context"
	"math"
	"slices"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// A source yields twins by id, each read only as far as deciding about it takes.
type source struct {
	index  string
	filter store.Filter
	ids    []string // instead of an index: these, sorted

	words bool // the index is the catalog's, and this its condition:
	found store.Filter

	chunk  int
	after  string
	cursor string // the store's, after the first page
	has    []twin.Twin
	end    bool
}

// A walk yields the twins of all its sources by id, each once.
type walk struct {
	twins   *store.Collection[twin.Twin]
	sources []*source
	catalog *store.Collection[entry]
	prefix  string
	looks   []string
	last    twin.ID
	most    int // twins that may come, where one source leads
}

// walk goes through what the scope allows, after an id. Who sees everything is led by the query, all others by what they
// own and were granted: however many twins there are, theirs alone are looked at.
func (f *function) walk(ctx context.Context, scope access.Scope, q query, after string, chunk int) (*walk, error) {
	w := &walk{twins: f.twins, catalog: f.catalog, prefix: q.prefix, looks: q.looks()}
	add := func(index string, filter store.Filter) {
		w.sources = append(w.sources, &source{index: index, filter: filter, chunk: chunk, after: after})
	}
	if scope.All {
		return w, f.lead(ctx, w, q, after, chunk)
	}
	for _, g := range scope.Groups {
		add("by-owner", store.Eq("definition.owner", g))
	}
	if scope.Shared {
		add("by-kind", store.And(store.Eq("kind", twin.Type), store.Eq("definition.owner", nil)))
	}
	ids := make([]string, len(scope.Twins))
	for i, id := range scope.Twins {
		ids[i] = string(id)
	}
	slices.Sort(ids)
	for part := range slices.Chunk(ids, 1000) {
		page, err := f.twins.Find(ctx, store.Query{Filter: store.In("_id", part...), Limit: len(part), Fields: []string{"kind"}})
		if err != nil {
			return nil, err
		}
		for _, t := range page.Items {
			switch t.Kind {
			case twin.Type:
				add("by-type", store.Eq("definition.type", t.ID))
			case twin.Aggregate:
				add("by-aggregate", store.Eq("definition.aggregates", t.ID))
			}
		}
	}
	if n, _ := slices.BinarySearch(ids, after+"\x00"); n < len(ids) {
		w.sources = append(w.sources, &source{ids: ids[n:], chunk: chunk, after: after})
	}
	return w, nil
}

// lead gives the walk the one source that leaves the fewest twins for the query: those with open alarms, those found by a
// word, or those of an index. What else the query says the store sorts out, which is several times cheaper than doing it here.
func (f *function) lead(ctx context.Context, w *walk, q query, after string, chunk int) error {
	s := &source{chunk: chunk, after: after, filter: q.filter()}
	w.sources = []*source{s}
	if q.alarms != "" {
		ids, whole, err := f.alarming(ctx)
		if err != nil {
			return err
		}
		if whole {
			n, _ := slices.BinarySearch(ids, after+"\x00")
			s.ids, s.end, w.most = ids[n:], n == len(ids), len(ids)
			return nil
		}
	}
	w.most = math.MaxInt
	for _, l := range q.leads() {
		n, err := f.twins.Count(ctx, l.filter, l.index)
		if err != nil {
			return err
		}
		if n < w.most {
			w.most, s.index = n, l.index
		}
	}
	for _, word := range q.words {
		found := store.Eq("words", beginning(word))
		n, err := f.catalog.Count(ctx, found, "by-word")
		if err != nil {
			return err
		}
		if n < w.most {
			w.most, s.index, s.found, s.words = n, "by-word", found, true
		}
	}
	return nil
}

// next returns the next twin, nil at the end.
func (w *walk) next(ctx context.Context) (*twin.Twin, error) {
	var least *source
	for _, s := range w.sources {
		for {
			for len(s.has) == 0 && !s.end {
				if err := s.fetch(ctx, w); err != nil {
					return nil, err
				}
			}
			if len(s.has) == 0 || s.has[0].ID > w.last {
				break
			}
			s.has = s.has[1:] // another source had it
		}
		if len(s.has) > 0 && (least == nil || s.has[0].ID < least.has[0].ID) {
			least = s
		}
	}
	if least == nil {
		return nil, nil
	}
	t := &least.has[0]
	least.has, w.last = least.has[1:], t.ID
	return t, nil
}

func (s *source) fetch(ctx context.Context, w *walk) error {
	if s.ids != nil {
		n := min(len(s.ids), s.chunk)
		page, err := w.twins.Find(ctx, store.Query{Filter: store.In("_id", s.ids[:n]...), Limit: n, Fields: w.looks})
		s.has, s.ids = page.Items, s.ids[n:]
		s.end = len(s.ids) == 0
		return err
	}
	filter := s.filter
	if s.words {
		filter = s.found
	}
	if s.after != "" {
		filter = store.And(filter, store.Gt("_id", s.after))
	}
	if w.prefix != "" {
		filter = store.And(filter, store.Prefix("_id", w.prefix))
	}
	find := store.Query{Index: s.index, Filter: filter, Limit: s.chunk, Cursor: s.cursor, Fields: w.looks, Partial: true}
	if s.words {
		return s.fetchFound(ctx, w, find)
	}
	page, err := w.twins.Find(ctx, find)
	s.has, s.cursor, s.end = page.Items, page.Next, page.Next == ""
	return err
}

// fetchFound fetches the twins of a page of the catalog.
func (s *source) fetchFound(ctx context.Context, w *walk, find store.Query) error {
	find.Fields = []string{"version"}
	found, err := w.catalog.Find(ctx, find)
	if err != nil {
		return err
	}
	s.cursor, s.end = found.Next, found.Next == ""
	if len(found.Items) == 0 {
		return nil
	}
	ids := make([]string, len(found.Items))
	for i := range found.Items {
		ids[i] = string(found.Items[i].ID)
	}
	page, err := w.twins.Find(ctx, store.Query{Filter: store.And(store.In("_id", ids...), s.filter), Limit: len(ids), Fields: w.looks, Partial: true})
	s.has = page.Items
	return err
}
