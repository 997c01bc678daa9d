package drivers

import (
	"context"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// list pages through the drivers that the caller may read, by name. Each list that they are in is a range of an index, so that what
// the caller may not see is not even looked at.
func (f *function) list(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[api.Driver], error) {
	out := api.Page[api.Driver]{Items: []api.Driver{}}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	after := c.Query.Get("cursor")
	if after != "" && twin.ID(after).Valid() != nil {
		return out, api.Invalid("cursor %.40q is not one that a page named as next", after)
	}
	visible, err := f.p.Visible(ctx, c.Caller)
	if err != nil {
		return out, err
	}
	queries := []store.Query{{Filter: store.And(store.Gt("_id", after), store.Ne("scope", scopeOfGone))}}
	if !visible.All {
		queries = nil
		for _, scope := range append([]string{scopeOfPlatform}, scopesOf(visible.Groups)...) {
			queries = append(queries, store.Query{Index: "by-scope", Filter: store.And(store.Eq("scope", scope), store.Gt("_id", after))})
		}
	}
	var found []record
	for _, q := range queries {
		q.Limit, q.Partial = limit+1, true
		page, err := f.drivers.Find(ctx, q)
		if err != nil {
			return out, err
		}
		found = append(found, page.Items...)
	}
	slices.SortFunc(found, func(a, b record) int { return strings.Compare(a.Name, b.Name) })
	if len(found) > limit {
		found = found[:limit]
		out.Next = found[limit-1].Name
	}
	found = slices.DeleteFunc(found, func(r record) bool { return len(r.All) == 0 })
	out.Items, err = f.views(ctx, c.Caller, found)
	return out, err
}

func scopesOf(groups []string) (scopes []string) {
	for _, g := range groups {
		scopes = append(scopes, scopeOf(g))
	}
	return scopes
}

func (f *function) get(ctx context.Context, c *faas.Call, _ faas.None) (api.Driver, error) {
	r, err := f.find(ctx, c.Caller, access.Read, c.Var("name"))
	if err != nil {
		return api.Driver{}, err
	}
	views, err := f.views(ctx, c.Caller, []record{r})
	if err != nil {
		return api.Driver{}, err
	}
	return views[0], nil
}

// views are drivers for the caller, with how often those of their versions failed lately that are used.
func (f *function) views(ctx context.Context, c access.Caller, found []record) ([]api.Driver, error) {
	var ids []string
	for i := range found {
		for j := range found[i].All {
			if v := &found[i].All[j]; v.used() && len(ids) < store.MaxLimit {
				ids = append(ids, failuresID(v.Name, v.Version))
			}
		}
	}
	counts, err := f.failures.GetMany(ctx, ids)
	if err != nil {
		return nil, err
	}
	lately := make(map[string]*failures, len(counts))
	for i := range counts {
		lately[counts[i].ID] = &counts[i]
	}
	readable, err := f.readable(ctx, c, found)
	if err != nil {
		return nil, err
	}
	now := f.p.Time()
	out := make([]api.Driver, len(found))
	for i := range found {
		writes := mayWrite(c, found[i].Owner)
		out[i] = found[i].view(readable, writes)
		for j := range out[i].Versions {
			v := &out[i].Versions[j]
			if told := lately[failuresID(v.Name, v.Version)]; told != nil {
				sum := told.since(now)
				if v.Failures = max(v.Failures, sum.Failed+sum.Grave); v.Failures > 0 && v.Reason == "" && writes {
					v.Reason = told.Reason
				}
			}
		}
	}
	return out, nil
}
