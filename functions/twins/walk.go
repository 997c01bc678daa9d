package twins

import (
	"context"
	"slices"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// looks are the fields that deciding about a twin takes.
var looks = []string{"kind", "definition.type", "definition.owner", "definition.aggregates", "definition.tags", "definition.phase",
	"live.presence", "deleted"}

// A source yields twins by id, each read only as far as looks.
type source struct {
	index  string
	filter store.Filter
	ids    []string // instead of an index: these, sorted

	chunk int
	after string
	has   []twin.Twin
	end   bool
}

// A walk yields the twins of all its sources by id, each once.
type walk struct {
	twins   *store.Collection[twin.Twin]
	sources []*source
	prefix  string
	last    twin.ID
}

// walk goes through what the scope allows, after an id. Who sees everything is led by the query, all others by what they
// own and were granted: however many twins there are, theirs alone are looked at.
func (f *function) walk(ctx context.Context, scope access.Scope, q query, after string, chunk int) (*walk, error) {
	w := &walk{twins: f.twins, prefix: q.prefix}
	add := func(index string, filter store.Filter) {
		w.sources = append(w.sources, &source{index: index, filter: filter, chunk: chunk, after: after})
	}
	if scope.All {
		index, filter := q.narrowest()
		add(index, filter)
		return w, nil
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
	if s.index == "" && s.ids != nil {
		n := min(len(s.ids), s.chunk)
		page, err := w.twins.Find(ctx, store.Query{Filter: store.In("_id", s.ids[:n]...), Limit: n, Fields: looks})
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
	page, err := w.twins.Find(ctx, store.Query{Index: s.index, Filter: store.And(filters...), Limit: s.chunk, Fields: looks})
	s.has = page.Items
	if n := len(s.has); n > 0 {
		s.after = string(s.has[n-1].ID)
	}
	s.end = page.Next == ""
	return err
}
