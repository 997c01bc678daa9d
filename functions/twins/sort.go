package twins

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	// sortable is how many twins are sorted for one page, where no index has them sorted for the caller.
	sortable = 5_000

	// fewSelected is how many are sorted rather than an index gone along, where there is one.
	fewSelected = 2_000
)

// A sorting is what a list is sorted by, and which way. Twins that have the same are sorted by id, the same way.
type sorting struct {
	by   string // id, name, lastSeen or created
	down bool
}

func sortingOf(s string) (sorting, error) {
	by, down := strings.CutPrefix(s, "-")
	switch by {
	case "id", "name", "lastSeen", "created":
		return sorting{by, down}, nil
	case "":
		if !down {
			return sorting{by: "id"}, nil
		}
	}
	return sorting{}, api.Invalid("sort %.40q must be id, name, lastSeen or created, with \"-\" before it for the other way round", s)
}

// key is what t is sorted by, as text that sorts in the same way. Who was never seen is before all who were.
func (s sorting) key(t *twin.Twin) string {
	switch s.by {
	case "name":
		return sortName(t)
	case "created":
		return timeKey(t.Created)
	case "lastSeen":
		return timeKey(t.Live.Presence.LastSeen)
	}
	return ""
}

func timeKey(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%015d", max(t.UnixMilli(), 0))
}

// compare orders places as the list has them.
func (s sorting) compare(a, b place) int {
	order := cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.id, b.id))
	if s.down {
		return -order
	}
	return order
}

// sorted is byID for the other sortings. Where few twins are selected, they are all looked at; else who sees everything is led
// by an index, and all others are asked to select fewer. A twin whose place changes between two pages (it was seen again) may
// be met on both or on none; within a page each is met once.
func (f *function) sorted(ctx context.Context, scope access.Scope, q query, after place, limit int) ([]place, *place, error) {
	s, err := sortingOf(q.sort)
	if err == nil {
		_, err = s.value(after.key)
	}
	if err != nil {
		return nil, nil, err
	}
	walk, err := f.walk(ctx, scope, q, "", 1000)
	if err != nil {
		return nil, nil, err
	}
	if scope.All && walk.most > fewSelected {
		return f.alongIndex(ctx, q, s, after, limit)
	}
	all, err := f.gather(ctx, walk, scope, q, s)
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(all, s.compare)
	if after != (place{}) {
		i, exact := slices.BinarySearchFunc(all, after, s.compare)
		if exact {
			i++
		}
		all = all[i:]
	}
	if len(all) <= limit {
		return all, nil, nil
	}
	return all[:limit], &all[limit-1], nil
}

// gather finds the places of all twins that the caller may see and the query selects, unless there are more than can be sorted.
func (f *function) gather(ctx context.Context, walk *walk, scope access.Scope, q query, s sorting) (all []place, err error) {
	for range sortable {
		t, err := walk.next(ctx)
		if t == nil || err != nil {
			return all, err
		}
		if q.matches(t) && scope.Allows(access.Twin(t)) {
			all = append(all, place{s.key(t), string(t.ID)})
		}
	}
	if t, err := walk.next(ctx); t == nil || err != nil {
		return all, err
	}
	return nil, api.Invalid("sort: there are more than %d twins to be sorted by %s; select fewer of them, or sort by id", sortable, s.by)
}

// alongIndex walks an index that has the twins sorted, for who sees everything.
func (f *function) alongIndex(ctx context.Context, q query, s sorting, after place, limit int) (places []place, next *place, err error) {
	parts, err := s.parts(after)
	if err != nil {
		return nil, nil, err
	}
	seen := map[string]bool{}
	examined := 0
	for _, part := range parts {
		for more := true; more; {
			var twins []twin.Twin
			if twins, more, err = f.ordered(ctx, q, s, &part, min(limit+1, 200)); err != nil {
				return nil, nil, err
			}
			for i := range twins {
				t := &twins[i]
				if len(places) == limit || examined == maxExamined {
					return places, next, nil
				}
				examined++
				at := place{s.key(t), string(t.ID)}
				if next = &at; q.matches(t) && !seen[at.id] {
					seen[at.id] = true
					places = append(places, at)
				}
			}
		}
	}
	return places, nil, nil
}

// ordered returns the next twins of a part of an index, and whether there are more.
func (f *function) ordered(ctx context.Context, q query, s sorting, part *store.Query, limit int) ([]twin.Twin, bool, error) {
	find := *part
	find.Limit, find.Reverse, find.Partial = limit, s.down, true
	if s.by == "lastSeen" || s.by == "id" {
		find.Filter, find.Fields = store.And(find.Filter, q.filter()), q.looks()
		page, err := f.twins.Find(ctx, find)
		part.Cursor = page.Next
		return page.Items, page.Next != "", err
	}
	for _, word := range q.words {
		find.Filter = store.And(find.Filter, store.Eq("words", beginning(word)))
	}
	find.Fields = []string{"version"}
	page, err := f.catalog.Find(ctx, find)
	if err != nil {
		return nil, false, err
	}
	ids := make([]string, len(page.Items))
	for i := range page.Items {
		ids[i] = string(page.Items[i].ID)
	}
	part.Cursor = page.Next
	twins, err := f.lookUp(ctx, ids, q.looks())
	return twins, page.Next != "", err
}

// parts are the parts of an index that come after a place, one after the other.
func (s sorting) parts(after place) ([]store.Query, error) {
	index, field, beyond := "", "_id", store.Gt
	if s.down {
		beyond = store.Lt
	}
	switch s.by {
	case "name":
		index, field = "by-name", "name"
	case "created":
		index, field = "by-created", "created"
	case "lastSeen":
		index, field = "by-seen", "live.presence.lastSeen"
	}
	value, err := s.value(after.key)
	if err != nil {
		return nil, err
	}
	never := store.Eq(field, nil) // comes before all that have a value
	var filters []store.Filter
	switch {
	case after.id == "":
		filters = []store.Filter{{}}
	case s.by == "id":
		filters = []store.Filter{beyond("_id", after.id)}
	case value == nil && s.down:
		filters = []store.Filter{store.And(never, beyond("_id", after.id))}
	case value == nil:
		filters = []store.Filter{store.And(never, beyond("_id", after.id)), store.Gte(field, time.UnixMilli(0))}
	default:
		filters = []store.Filter{store.And(store.Eq(field, value), beyond("_id", after.id)), beyond(field, value)}
		if s.down && s.by == "lastSeen" {
			filters = append(filters, never)
		}
	}
	parts := make([]store.Query, len(filters))
	for i := range filters {
		parts[i] = store.Query{Index: index, Filter: filters[i]}
	}
	return parts, nil
}

// value is what an index has for a key; nil for who was never seen.
func (s sorting) value(key string) (any, error) {
	if s.by == "id" || s.by == "name" {
		return key, nil
	}
	if key == "" {
		return nil, nil
	}
	ms, err := strconv.ParseInt(key, 10, 64)
	if err != nil || len(key) != 15 || ms < 0 {
		return nil, errCursor
	}
	return time.UnixMilli(ms), nil
}
