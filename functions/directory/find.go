package directory

import (
	"context"
	"errors"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// filters are the query parameters of the list, the most selective first: the first one given chooses the index.
var filters = []struct{ parameter, field, index string }{
	{"capability", "capabilities", "by-capability"},
	{"interface", "interfaces", "by-interface"},
	{"name", "name", "by-name"},
	{"kind", "kind", "by-kind"},
}

// list finds what is alive by capability, interface, name and kind.
func (d *directory) list(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[api.Advertisement], error) {
	out := api.Page[api.Advertisement]{Items: []api.Advertisement{}}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	q := store.Query{Limit: limit, Cursor: c.Query.Get("cursor"), Partial: true}
	conditions := []store.Filter{store.Gt("expires", d.p.Time())}
	for _, f := range filters {
		v := c.Query.Get(f.parameter)
		if v == "" {
			continue
		}
		if !wordPattern.MatchString(v) {
			return out, api.Invalid("%s %.80q must be 1 to 64 letters, digits or any of \"._:/+-\"", f.parameter, v)
		}
		if q.Index == "" {
			q.Index = f.index
		}
		conditions = append(conditions, store.Eq(f.field, v))
	}
	if !insider(c.Caller) {
		conditions = append(conditions, store.Eq("kind", publicKind))
	}
	q.Filter = store.And(conditions...)
	page, err := d.says.Find(ctx, q)
	for _, a := range page.Items {
		out.Items = append(out.Items, a.Advertisement)
	}
	out.Next = page.Next
	return out, err
}

func (d *directory) get(ctx context.Context, c *faas.Call, _ faas.None) (api.Advertisement, error) {
	id := c.Var("id")
	a, err := d.says.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) ||
		err == nil && (!a.Expires.After(d.p.Time()) || a.Kind != publicKind && !insider(c.Caller)) {
		return api.Advertisement{}, platform.NotFound("service", id)
	}
	return a.Advertisement, err
}

// publicKind is what everybody may know of: functions are entered through the user gateway, all else is inner addresses.
const publicKind = "function"

func insider(c access.Caller) bool {
	if c.For != nil {
		c = *c.For
	}
	return c.Kind == access.Part || c.Is(access.Maintainer, access.Configurator)
}
