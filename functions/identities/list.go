package identities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// list pages through the identities the caller may see, by id: all, those whose id begins with prefix, the one with serial, or,
// for those who see all, those of a model.
func (i *identities) list(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[device.Identity], error) {
	out := api.Page[device.Identity]{Items: []device.Identity{}}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	prefix, serial, cursor := c.Query.Get("prefix"), c.Query.Get("serial"), c.Query.Get("cursor")
	model := c.Query.Get("model")
	for field, v := range map[string]string{"prefix": prefix, "serial": serial, "model": model} {
		if field != "model" && len(v) > 64 || len(v) > 256 || !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return out, api.Invalid("%s may have 64 bytes of text", field)
		}
	}
	if serial != "" {
		return i.bySerial(ctx, c, strings.TrimSpace(serial), prefix)
	}
	if !seesAll(c.Caller) {
		return i.visible(ctx, c, prefix, cursor, limit)
	}
	q := store.Query{Limit: limit, Cursor: cursor}
	if model != "" {
		q.Index, q.Filter = "by-model", store.Eq("model", model)
	} else if prefix != "" {
		q.Filter = store.Prefix("_id", prefix)
	}
	page, err := i.known.Find(ctx, q)
	out.Items, out.Next = append(out.Items, page.Items...), page.Next
	return out, err
}

func (i *identities) bySerial(ctx context.Context, c *faas.Call, serial, prefix string) (api.Page[device.Identity], error) {
	out := api.Page[device.Identity]{Items: []device.Identity{}}
	v, err := i.known.FindOne(ctx, store.Query{Index: "by-serial", Filter: store.Eq("serial", serial)})
	if errors.Is(err, store.ErrNotFound) && c.Caller.Kind == access.Part && c.Caller.For == nil {
		return out, i.replaced(ctx, serial)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && !strings.HasPrefix(string(v.ID), prefix) {
		return out, nil
	}
	ok := false
	if err == nil {
		ok, err = i.shows(ctx, c.Caller, &v)
	}
	if ok {
		out.Items = append(out.Items, v)
	}
	return out, err
}

// visible is the list for those who see only devices whose twins they see. It walks the twins the caller may see, not the
// identities, so that neither the cursor nor the number of pages tells how many others there are.
func (i *identities) visible(ctx context.Context, c *faas.Call, prefix, cursor string, limit int) (api.Page[device.Identity], error) {
	out := api.Page[device.Identity]{Items: []device.Identity{}}
	page, err := i.p.API.ListTwins(api.OnBehalf(ctx, c.Token), api.TwinQuery{Kind: twin.Instance, Prefix: prefix, Cursor: cursor, Limit: limit})
	if err != nil {
		return out, err
	}
	ids := make([]string, len(page.Items))
	for n, t := range page.Items {
		ids[n] = string(t.ID)
	}
	found, err := i.known.GetMany(ctx, ids)
	out.Items, out.Next = append(out.Items, found...), page.Next
	return out, err
}

// clashes are identities that stand in the way of others.
type clashes struct {
	byID, bySerial, byMAC, byFormer map[string]device.Identity
}

// clashes finds what is stored under the ids, serials and MACs of new identities, at most 1,000 of them.
func (i *identities) clashes(ctx context.Context, fresh []device.Identity) (clashes, error) {
	out := clashes{map[string]device.Identity{}, map[string]device.Identity{}, map[string]device.Identity{}, map[string]device.Identity{}}
	var ids, serials, macs []string
	for _, v := range fresh {
		ids, serials = append(ids, string(v.ID)), append(serials, v.Serial)
		if v.MAC != "" {
			macs = append(macs, v.MAC)
		}
	}
	found, err := i.known.GetMany(ctx, ids)
	for _, v := range found {
		out.byID[string(v.ID)] = v
	}
	for _, q := range []struct {
		index, field string
		values       []string
		into         map[string]device.Identity
		of           func(device.Identity) string
	}{
		{"by-serial", "serial", serials, out.bySerial, func(v device.Identity) string { return v.Serial }},
		{"by-serials", "serials", serials, out.byFormer, func(v device.Identity) string {
			return serials[slices.IndexFunc(serials, func(s string) bool { return slices.Contains(v.Serials, s) })]
		}},
		{"by-mac", "mac", macs, out.byMAC, func(v device.Identity) string { return v.MAC }},
	} {
		if err != nil || len(q.values) == 0 {
			continue
		}
		err = i.known.Scan(ctx, store.Query{Index: q.index, Filter: store.In(q.field, q.values...)}, func(v device.Identity) error {
			q.into[q.of(v)] = v
			return nil
		})
	}
	return out, err
}

// with says why v cannot be kept; "" if it is there already, as it is.
func (c clashes) with(v device.Identity) string {
	if old, ok := c.byID[string(v.ID)]; ok {
		if old.Same(&v) {
			return ""
		}
		if old.Serial != v.Serial {
			return fmt.Sprintf("id %q is taken by the device with serial %q; give this one an id of its own", v.ID, old.Serial)
		}
		return fmt.Sprintf("serial %q is known with other data; identities do not change: delete it first if it is wrong", v.Serial)
	}
	if old, ok := c.bySerial[v.Serial]; ok {
		return fmt.Sprintf("serial %q is taken by %q", v.Serial, old.ID)
	}
	if old, ok := c.byFormer[v.Serial]; ok {
		return fmt.Sprintf("serial %q is of a device that was replaced as %q; it can come back by replacing that one with it", v.Serial, old.ID)
	}
	if old, ok := c.byMAC[v.MAC]; ok {
		return fmt.Sprintf("mac %q is taken by %q", v.MAC, old.ID)
	}
	return "its id, serial or mac was taken a moment ago; import it again"
}
