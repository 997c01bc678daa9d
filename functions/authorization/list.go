package authorization

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

// listGrants pages through grants by subject or object. Maintainers see all; others those made to them (which is what they get
// when they name neither), and those on an object they may write.
func (a *authorization) listGrants(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[access.Grant], error) {
	out := api.Page[access.Grant]{Items: []access.Grant{}}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	subject, object := c.Query.Get("subject"), c.Query.Get("object")
	if subject != "" {
		err = checkSubject(subject)
	}
	if object != "" {
		err = errors.Join(err, checkObject(object))
	}
	if err != nil {
		return out, err
	}
	own := c.Caller.Subjects()
	if !c.Caller.Is(access.Maintainer) && !slices.Contains(own, subject) {
		switch {
		case object != "":
			if err := a.mayGrant(ctx, c.Caller, object); err != nil {
				return out, err
			}
		case subject != "":
			return out, fmt.Errorf("%w: subject may be yourself or one of your groups, or name an object you may write", access.ErrDenied)
		}
	}
	q := store.Query{Limit: limit, Cursor: c.Query.Get("cursor"), Partial: true}
	filter := []store.Filter{store.Exists("deleted", false)}
	switch {
	case subject != "":
		q.Index, filter = "by-subject", append(filter, store.Eq("subject", subject))
		if object != "" {
			filter = append(filter, store.Eq("object", object))
		}
	case object != "":
		q.Index, filter = "by-object", append(filter, store.Eq("object", object))
	case !c.Caller.Is(access.Maintainer):
		q.Index, filter = "by-subject", append(filter, store.In("subject", own...))
	}
	q.Filter = store.And(filter...)
	page, err := a.grants.Find(ctx, q)
	out.Items, out.Next = append(out.Items, page.Items...), page.Next
	return out, err
}
