package artifacts

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// maxGranted bounds how many single artifacts that were granted to a caller a list looks at.
const maxGranted = 1000

// A scope says which artifacts a caller may read: all, those of groups, and single ones.
type scope struct {
	all    bool
	groups []string
	ids    []string
}

func (f *function) scope(ctx context.Context, c access.Caller) (s scope, err error) {
	visible, err := f.p.Visible(ctx, c)
	if err != nil || visible.All {
		return scope{all: visible.All}, err
	}
	s.groups = visible.Groups
	grants, err := f.p.Grants(ctx, c)
	if err != nil {
		return s, err
	}
	if c.For != nil {
		c = *c.For
	}
	for _, g := range grants {
		if id, ok := strings.CutPrefix(g.Object, "artifact:"); ok && len(s.ids) < maxGranted &&
			access.Decide(c, access.Read, access.Object{Name: g.Object}, grants).Allowed {
			s.ids = append(s.ids, id)
		}
	}
	return s, nil
}

// list pages through the artifacts the caller may read, by name. Each list that they are in is a range of an index, so that
// what the caller may not see is not even looked at.
func (f *function) list(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[api.Artifact], error) {
	out := api.Page[api.Artifact]{Items: []api.Artifact{}}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	name, tag, owner := c.Query.Get("name"), c.Query.Get("tag"), c.Query.Get("owner")
	switch {
	case len(name) > maxName || !utf8.ValidString(name):
		return out, api.Invalid("name must be the beginning of a name, of at most %d bytes", maxName)
	case tag != "" && !tagPattern.MatchString(tag):
		return out, api.Invalid("tag %.80q cannot be a tag", tag)
	case owner != "" && !platform.ValidGroup(owner):
		return out, api.Invalid("owner %.80q cannot be a group", owner)
	}
	after, err := openCursor(c.Query.Get("cursor"))
	if err != nil {
		return out, err
	}
	s, err := f.scope(ctx, c.Caller)
	if err != nil {
		return out, err
	}
	name = orderOf(name)
	var found []artifact
	for _, of := range listsOf(s, owner) {
		page, err := f.artifacts.Find(ctx, store.Query{Index: "by-scope", Limit: limit + 1,
			Filter: store.And(store.Eq("scopes", tagged(of, tag)), store.Prefix("order", name), store.Gt("order", after))})
		if err != nil {
			return out, err
		}
		found = append(found, page.Items...)
	}
	if len(s.ids) > 0 {
		granted, err := f.artifacts.GetMany(ctx, s.ids)
		if err != nil {
			return out, err
		}
		for _, v := range granted {
			if len(v.Scopes) > 0 && strings.HasPrefix(v.Order, name) && v.Order > after && (tag == "" || slices.Contains(v.Tags, tag)) && (owner == "" || v.Owner == owner) {
				found = append(found, v)
			}
		}
	}
	slices.SortFunc(found, func(a, b artifact) int { return strings.Compare(a.Order, b.Order) })
	found = slices.CompactFunc(found, func(a, b artifact) bool { return a.ID == b.ID })
	if len(found) > limit {
		found = found[:limit]
		out.Next = base64.RawURLEncoding.EncodeToString([]byte(found[limit-1].Order))
	}
	for _, v := range found {
		out.Items = append(out.Items, v.Artifact)
	}
	return out, nil
}

// listsOf are the lists in which a caller finds what is to be seen, if need be of one owner only.
func listsOf(s scope, owner string) (lists []string) {
	switch {
	case s.all && owner == "":
		return []string{everything}
	case s.all || owner != "" && slices.Contains(s.groups, owner):
		return []string{ownerScope(owner)}
	case owner != "":
		return nil
	}
	for _, g := range s.groups {
		lists = append(lists, ownerScope(g))
	}
	return lists
}

// openCursor reads where a page ended: the place of its last artifact.
func openCursor(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) > 2*maxName+64 || !utf8.Valid(b) {
		return "", api.Invalid("cursor %.40q is not one that a page named as next", s)
	}
	return string(b), nil
}
