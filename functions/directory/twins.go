package directory

import (
	"context"
	"errors"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// maxTypes is how many types one page looks through.
const maxTypes = 20

// twins finds twins by what they can do: their types advertise it (paper 4.8), and function twins, asked in the caller's name,
// tells which of their instances the caller may see. So no instance has to be advertised one by one, and nobody finds what
// is not theirs. A cursor is the type that the next page begins with, and function twins' cursor in it.
func (d *directory) twins(ctx context.Context, c *faas.Call, _ faas.None) (out api.Page[api.Advertisement], err error) {
	out.Items = []api.Advertisement{}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	q, err := d.typesQuery(c)
	if err != nil {
		return out, err
	}
	ctx = api.OnBehalf(ctx, c.Token)
	from, inner, going := strings.Cut(c.Query.Get("cursor"), "|")
	if from != "" && (!going || !idPattern.MatchString(from)) {
		return out, api.Invalid("cursor: this is not one; take it from the page before")
	}
	if from != "" {
		q.Filter = store.And(q.Filter, store.Gte("_id", from))
	}
	types, err := d.says.Find(ctx, q)
	if err != nil {
		return out, err
	}
	for i, a := range types.Items {
		if i == maxTypes || len(out.Items) == limit {
			out.Next = a.ID + "|"
			return out, nil
		}
		if a.ID != from {
			inner = ""
		}
		page, err := d.p.API.ListTwins(ctx, api.TwinQuery{Type: twin.TypeID(a.Name), Online: c.Query.Get("online"), Limit: limit - len(out.Items), Cursor: inner})
		if errors.Is(err, api.ErrNotFound) {
			continue
		}
		if err != nil {
			return out, err
		}
		for _, t := range page.Items {
			out.Items = append(out.Items, instance(a.Advertisement, t))
		}
		if page.Next != "" {
			out.Next = a.ID + "|" + page.Next
			return out, nil
		}
	}
	return out, nil
}

// typesQuery finds the types that say they can do what is asked for.
func (d *directory) typesQuery(c *faas.Call) (store.Query, error) {
	q := store.Query{Index: "by-kind", Limit: maxTypes + 1, Partial: true}
	conditions := []store.Filter{store.Eq("kind", "twin"), store.Gt("expires", d.p.Time())}
	asked := false
	for _, f := range filters[:2] {
		v := c.Query.Get(f.parameter)
		if v == "" {
			continue
		}
		if !wordPattern.MatchString(v) {
			return q, api.Invalid("%s %.80q must be 1 to 64 letters, digits or any of \"._:/+-\"", f.parameter, v)
		}
		if !asked {
			q.Index = f.index
		}
		asked = true
		conditions = append(conditions, store.Eq(f.field, v))
	}
	if !asked {
		return q, api.Invalid("capability or interface must say what the twins are to be found by, like capability=property:rpm")
	}
	q.Filter = store.And(conditions...)
	return q, nil
}

// instance is what a type says of one of its instances.
func instance(of api.Advertisement, t twin.Twin) api.Advertisement {
	of.ID, of.Name, of.URL = "twins:"+string(t.ID), string(t.ID), "/function/twins/twins/"+string(t.ID)
	if t.Definition.Location != nil && wordPattern.MatchString(t.Definition.Location.Region) {
		of.Region = t.Definition.Location.Region
	}
	return of
}
