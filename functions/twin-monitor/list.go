package twinmonitor

import (
	"context"
	"unicode"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// listRules pages by id through the rules whose targets the caller may read. The cursor is the last id shown.
func (f *function) listRules(ctx context.Context, c *faas.Call, _ faas.None) (page api.Page[monitor.Rule], err error) {
	page.Items = []monitor.Rule{}
	limit, err := c.Limit()
	if err != nil {
		return page, err
	}
	q := store.Query{Limit: 500}
	if t := c.Query.Get("target"); t != "" {
		if _, err := f.p.Twin(ctx, f.twins, c.Caller, access.Read, twin.ID(t)); err != nil {
			return page, err
		}
		q.Index, q.Filter = "by-target", store.Eq("target", t)
	}
	if after := c.Query.Get("cursor"); after != "" {
		if validID(after) != nil {
			return page, api.Invalid("cursor is not one that this list gave")
		}
		q.Filter = store.And(q.Filter, store.Gt("_id", after))
	}
	scope, err := f.p.Visible(ctx, c.Caller)
	if err != nil {
		return page, err
	}
	for {
		found, err := f.rules.Find(ctx, q)
		if err != nil {
			return page, err
		}
		seen, err := f.visible(ctx, scope, found.Items)
		if err != nil {
			return page, err
		}
		for _, rec := range found.Items {
			if rec.Deleted || !seen[rec.Target] {
				continue
			}
			if len(page.Items) == limit {
				page.Next = page.Items[limit-1].ID
				return page, nil
			}
			page.Items = append(page.Items, rec.Rule)
		}
		if q.Cursor = found.Next; q.Cursor == "" {
			return page, nil
		}
	}
}

// visible tells which of the rules' targets are within scope.
func (f *function) visible(ctx context.Context, scope access.Scope, rules []record) (map[twin.ID]bool, error) {
	seen := map[twin.ID]bool{}
	var ids []string
	for _, r := range rules {
		if _, ok := seen[r.Target]; !ok {
			seen[r.Target] = scope.All
			ids = append(ids, string(r.Target))
		}
	}
	if scope.All {
		return seen, nil
	}
	targets, err := f.twins.GetMany(ctx, ids)
	for i := range targets {
		seen[targets[i].ID] = targets[i].Deleted.IsZero() && scope.Allows(access.Twin(&targets[i]))
	}
	return seen, err
}

// validText bounds a text that people read on one line.
func validText(field, s string, most int) error {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > most {
		return api.Invalid("%s must be at most %d characters of UTF-8", field, most)
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return api.Invalid("%s must not have control characters such as %q", field, r)
		}
	}
	return nil
}
