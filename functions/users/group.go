package users

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// A group as it is stored.
type group struct {
	api.Group `bson:",inline"`
	Deleted   time.Time `bson:"deleted,omitempty"` // the id stays taken, as a user's does
}

// maxGroups is how many groups one user may be in: they are in every token.
const maxGroups = 64

func (u *users) createGroup(ctx context.Context, _ *faas.Call, in api.Group) (faas.Reply, error) {
	if err := errors.Join(checkID("id", in.ID), checkText("name", in.Name)); err != nil {
		return faas.Reply{}, err
	}
	in.Created = u.p.Time()
	if err := u.groups.Insert(ctx, group{Group: in}); err != nil {
		return faas.Reply{}, taken(err, "group", in.ID)
	}
	return faas.Created("/groups/"+in.ID, in), nil
}

func (u *users) listGroups(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[api.Group], error) {
	return list(ctx, c, u.groups, func(g group) api.Group { return g.Group })
}

func (u *users) getGroup(ctx context.Context, c *faas.Call, _ faas.None) (api.Group, error) {
	id := c.Var("id")
	g, err := u.groups.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) || err == nil && !g.Deleted.IsZero() {
		return api.Group{}, platform.NotFound("group", id)
	}
	return g.Group, err
}

// deleteGroup refuses while the group has members or owns twins.
func (u *users) deleteGroup(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	id := c.Var("id")
	if _, err := u.getGroup(ctx, c, faas.None{}); err != nil {
		return faas.None{}, err
	}
	twins, err := platform.OpenTwins(ctx, u.p.DB)
	if err != nil {
		return faas.None{}, err
	}
	_, err1 := u.users.FindOne(ctx, store.Query{Index: "by-group", Filter: store.Eq("groups", id)})
	_, err2 := u.accounts.FindOne(ctx, store.Query{Index: "by-group", Filter: store.Eq("groups", id)})
	_, err3 := twins.FindOne(ctx, store.Query{Index: "by-owner", Fields: []string{"kind"},
		Filter: store.And(store.Eq("definition.owner", id), store.Exists("deleted", false))})
	for _, found := range []struct {
		err  error
		what string
	}{{err1, "users"}, {err2, "service accounts"}, {err3, "twins"}} {
		if found.err == nil {
			return faas.None{}, fmt.Errorf("%w: group %q still has %s; take them out of it first", api.ErrConflict, id, found.what)
		}
		if !errors.Is(found.err, store.ErrNotFound) {
			return faas.None{}, found.err
		}
	}
	_, err = u.groups.Update(ctx, id, func(g *group) error {
		g.Name, g.Deleted = "", u.p.Time()
		return nil
	})
	return faas.None{}, err
}

// checkGroups returns the groups sorted, each once, or twin.ErrInvalid if one does not exist.
func (u *users) checkGroups(ctx context.Context, groups []string) ([]string, error) {
	out := slices.Clone(groups)
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) > maxGroups {
		return nil, api.Invalid("groups: at most %d", maxGroups)
	}
	for _, id := range out {
		if err := checkID("groups:", id); err != nil {
			return nil, err
		}
	}
	has, err := u.groups.GetMany(ctx, out)
	if err != nil {
		return nil, err
	}
	for _, id := range out {
		if !slices.ContainsFunc(has, func(g group) bool { return g.ID == id && g.Deleted.IsZero() }) {
			return nil, api.Invalid("groups: there is no group %q; make it first", id)
		}
	}
	return out, nil
}

// list answers a page of what is not deleted.
func list[T, V any](ctx context.Context, c *faas.Call, of *store.Collection[T], view func(T) V) (api.Page[V], error) {
	out := api.Page[V]{Items: []V{}}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	page, err := of.Find(ctx, store.Query{Filter: store.Exists("deleted", false), Limit: limit, Cursor: c.Query.Get("cursor"), Partial: true})
	for _, v := range page.Items {
		out.Items = append(out.Items, view(v))
	}
	out.Next = page.Next
	return out, err
}
