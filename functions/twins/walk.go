package twins

import (
	"context"
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
	words  bool     // the index is the catalog's

	chunk  int
	after  string
	cursor string // the catalog's, after the first page
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

// lead gives the walk the one source that leaves the fewest twins for the query: those with open alarms, those found by the
// longest word, or an index.
func (f *function) lead(ctx context.Context, w *walk, q query, after string, chunk int) error {
	s := &source{chunk: chunk, after: after}
	w.sources = []*source{s}
	if q.alarms != "" {
		ids, whole, err := f.alarming(ctx)
		if err != nil {
			return err
		}
		if whole {
			n, _ := slices.BinarySearch(ids, after+"\x00")
			s.ids, s.end = ids[n:], n == len(ids)
			return nil
		}
	}
	if len(q.words) > 0 {
		var filters []store.Filter
		for _, word := range longestFirst(q.words) {
			filters = append(filters, store.Eq("words", beginning(word)))
		}
		s.index, s.filter, s.words = "by-word", store.And(filters...), true
		return nil
	}
	s.index, s.filter = q.narrowest()
	return nil
}

func longestFirst(words []string) []string {
	words = slices.Clone(words)
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	return words
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
	filters := []store.Filter{s.filter}
	if s.after != "" {
		filters = append(filters, store.Gt("_id", s.after))
	}
	if w.prefix != "" {
		filters = append(filters, store.Prefix("_id", w.prefix))
	}
	if s.words {
		return s.fetchFound(ctx, w, store.And(filters...))
	}
	page, err := w.twins.Find(ctx, store.Query{Index: s.index, Filter: store.And(filters...), Limit: s.chunk, Fields: w.looks})
	s.has = page.Items
	if n := len(s.has); n > 0 {
		s.after = string(s.has[n-1].ID)
	}
	s.end = page.Next == ""
	return err
}

// fetchFound fetches the twins of a page of the catalog.
func (s *source) fetchFound(ctx context.Context, w *walk, f store.Filter) error {
	found, err := w.catalog.Find(ctx, store.Query{Index: s.index, Filter: f, Limit: s.chunk, Cursor: s.cursor, Fields: []string{"version"}, Partial: true})
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
	page, err := w.twins.Find(ctx, store.Query{Filter: store.In("_id", ids...), Limit: len(ids), Fields: w.looks})
	s.has = page.Items
	return err
}
