package twiningest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// parkedOf is what is kept of a message that is parked. The same bytes sent again are the same parked message; what a driver was to
// read, or a twin may adopt, is a reading that its device may make twice, so it is also known by its arrival, as in history.
func parkedOf(m *telemetry.Message) api.ParkedMessage {
	p := api.ParkedMessage{Twin: m.Twin, Kind: m.Kind, Topic: m.Topic, Raw: m.Raw, Reason: m.Reason, Order: m.Order, Gateway: m.Gateway, Received: m.Received,
		Time: m.Time, Port: m.Port, Was: m.Was, Driver: m.Driver, Ref: m.Ref, Via: m.Via, Session: m.Session, Generation: m.Generation}
	if m.Kind != telemetry.Undecoded { // its twin is not there
		p.Raw, p.Reason = rawOf(m.Samples), fmt.Sprintf("there is no twin %q any more", m.Twin)
	}
	h := sha256.New()
	p.Size = len(p.Raw)
	fmt.Fprintf(h, "%s %q %d ", p.Kind, p.Topic, p.Size)
	h.Write(p.Raw)
	switch {
	case !m.Order.Assigned && m.Order != (twin.Order{}), m.Driver != "":
		fmt.Fprint(h, " ", m.Order.Epoch, m.Order.Seq)
	case !m.Time.IsZero():
		fmt.Fprint(h, " ", m.Time.UnixMilli())
	case m.Ref != "" && m.Was != "":
		fmt.Fprint(h, " ", m.Order.Epoch, m.Order.Seq)
	}
	if m.Port != 0 {
		fmt.Fprint(h, " port ", m.Port)
	}
	if m.Ref != "" {
		fmt.Fprint(h, " of ", m.Ref)
	}
	p.ID = string(m.Twin) + "|" + hex.EncodeToString(h.Sum(nil)[:16])
	return p
}

// listParked pages through what is parked of a twin, newest first, or of a type's instances as far as the caller may read them; without
// either it is what belongs to no twin, of a device reference or of one that speaks for others if one is named, for maintainers. With a
// driver ("acme-th1", "acme-th1@1.2.0") it is what that one could not read, of the twin, of the type or, without both, of all that the
// caller may read.
func (f *function) listParked(ctx context.Context, c *faas.Call, _ faas.None) (out api.Page[api.ParkedMessage], err error) {
	out.Items = []api.ParkedMessage{}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	id, driver := twin.ID(c.Query.Get("twin")), c.Query.Get("driver")
	if len(driver) > maxDriver {
		return out, api.Invalid("driver has %d bytes, at most %d are taken: name a driver like acme-th1, or a version of it like acme-th1@1.2.0", len(driver), maxDriver)
	}
	q := store.Query{Limit: limit, Cursor: c.Query.Get("cursor")}
	switch {
	case c.Query.Get("ref") != "" || c.Query.Get("via") != "":
		page, err := f.strayOf(ctx, c, q)
		out.Items, out.Next = append(out.Items, page.Items...), page.Next
		return out, err
	case c.Query.Get("type") != "":
		return f.parkedOf(ctx, c, driver, q)
	case id == "" && driver != "":
		page, err := f.byDriver(ctx, driver, q)
		if err != nil {
			return out, err
		}
		return f.seen(ctx, c.Caller, page)
	}
	_, err = f.p.Twin(ctx, f.twins, c.Caller, access.Read, id)
	if c.Caller.Is(access.Maintainer) && errors.Is(err, api.ErrNotFound) {
		err = nil // what is parked because there is no such twin is for them to see
	}
	if err != nil {
		return out, err
	}
	q.Index, q.Filter = "by-twin", store.Eq("twin", id)
	if driver != "" {
		q.Filter, q.Partial = store.And(q.Filter, readBy(driver)), true // it may be few of many
	}
	page, err := f.parked.Find(ctx, q)
	out.Items, out.Next = append(out.Items, page.Items...), page.Next
	return out, err
}

// readBy are the messages that a driver, or one version of it, could not read; of a driver also those for which it had no version.
func readBy(driver string) store.Filter {
	if strings.Contains(driver, "@") {
		return store.Eq("driver", driver)
	}
	return store.Or(store.Eq("driver", driver), ofVersions(driver))
}

// ofVersions are the messages that versions of a driver could not read.
func ofVersions(driver string) store.Filter {
	return store.And(store.Gte("driver", driver+"@"), store.Lt("driver", driver+"A")) // 'A' comes after '@'
}

// parkedOf is a page of what is parked of a type's instances; of a driver's alone, if one is named.
func (f *function) parkedOf(ctx context.Context, c *faas.Call, driver string, q store.Query) (out api.Page[api.ParkedMessage], err error) {
	out.Items = []api.ParkedMessage{}
	id := twin.ID(c.Query.Get("type"))
	if c.Query.Get("twin") != "" {
		return out, api.Invalid("type stands for all its instances: it does not go with twin; name one of them")
	}
	t, err := f.p.Twin(ctx, f.twins, c.Caller, access.Read, id)
	switch {
	case err != nil:
		return out, err
	case t.Kind != twin.Type:
		return out, api.Invalid("type: %s is of kind %s; what is parked of one twin is asked for by twin", id, t.Kind)
	}
	q.Index, q.Filter = "by-type", store.Eq("type", id)
	if driver != "" {
		q.Filter, q.Partial = store.And(q.Filter, readBy(driver)), true // it may be few of many
	}
	page, err := f.parked.Find(ctx, q)
	if err != nil {
		return out, err
	}
	return f.seen(ctx, c.Caller, page)
}

// seen is a page without the messages of twins that the caller may not read: it may have fewer than were asked for although there are
// more.
func (f *function) seen(ctx context.Context, c access.Caller, page store.Page[api.ParkedMessage]) (out api.Page[api.ParkedMessage], err error) {
	out.Items, out.Next = []api.ParkedMessage{}, page.Next
	scope, err := f.p.Visible(ctx, c)
	if err != nil {
		return out, err
	}
	var ids []string
	for i := range page.Items {
		if id := string(page.Items[i].Twin); id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	of, err := f.twins.GetMany(ctx, ids)
	if err != nil {
		return out, err
	}
	seen := map[twin.ID]bool{}
	for i := range of {
		seen[of[i].ID] = of[i].Deleted.IsZero() && scope.Allows(access.Twin(&of[i]))
	}
	for _, m := range page.Items {
		if seen[m.Twin] {
			out.Items = append(out.Items, m)
		}
	}
	return out, nil
}

// versions begins the cursors of pages of what versions of a driver could not read. Those of the store have no such character.
const versions = "@"

// byDriver is a page of what a driver could not read: first that for which it had no version, then that of its versions. In the index
// other drivers lie between the two ("th-2@1.0.0" between "th" and "th@1.0.0"), so they are two walks.
func (f *function) byDriver(ctx context.Context, driver string, q store.Query) (page store.Page[api.ParkedMessage], err error) {
	q.Index, q.Filter = "by-driver", store.Eq("driver", driver)
	if strings.Contains(driver, "@") {
		return f.parked.Find(ctx, q)
	}
	cursor, further := strings.CutPrefix(q.Cursor, versions)
	if !further {
		if page, err = f.parked.Find(ctx, q); err != nil || page.Next != "" {
			return page, err
		}
		if q.Limit -= len(page.Items); q.Limit == 0 {
			page.Next = versions
			return page, nil
		}
		cursor = ""
	}
	q.Cursor, q.Filter = cursor, ofVersions(driver)
	rest, err := f.parked.Find(ctx, q)
	if page.Items = append(page.Items, rest.Items...); rest.Next != "" {
		page.Next = versions + rest.Next
	}
	return page, err
}
