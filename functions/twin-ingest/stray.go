package twiningest

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// deleteSize is how many messages a call deletes. All of those that are kept of no twin are a few calls.
const deleteSize = 1000

// strayOf are the parked messages of a device reference that no twin has, or of all that one speaks for, newest first, for maintainers.
func (f *function) strayOf(ctx context.Context, c *faas.Call, q store.Query) (page store.Page[api.ParkedMessage], err error) {
	for _, other := range []string{"twin", "type", "driver"} {
		if c.Query.Get(other) != "" {
			return page, api.Invalid("ref and via name devices that no twin has: they do not go with %s", other)
		}
	}
	ref, via := c.Query.Get("ref"), c.Query.Get("via")
	if !c.Caller.Is(access.Maintainer) {
		return page, platform.NotFound("reference", cmp.Or(ref, via))
	}
	if q.Index, q.Filter, err = spokenBy(ref, via); err != nil {
		return page, err
	}
	return f.parked.Find(ctx, q)
}

// spokenBy are the messages of a device reference, or those of all that the device with the reference via speaks for, and the index that
// has them. One of the two is given.
func spokenBy(ref, via string) (index string, which store.Filter, err error) {
	switch {
	case ref != "" && via != "":
		return "", which, api.Invalid("ref is one device, via all those that one speaks for: say one of the two")
	case via != "":
		if err := device.Ref(via).Valid(); err != nil {
			return "", which, fmt.Errorf("via: %w", err)
		}
		return "by-via", store.Eq("via", via), nil
	}
	return "by-ref", store.Eq("ref", ref), device.Ref(ref).Valid()
}

// deleteStray deletes parked messages that belong to no twin: of a reference or of all that one speaks for, those that came before a time,
// or all. What is parked of a twin goes with it.
func (f *function) deleteStray(ctx context.Context, c *faas.Call, _ faas.None) (out api.DeletedParked, err error) {
	q := store.Query{Limit: deleteSize}
	if q.Index, q.Filter, err = whichStray(c.Query); err != nil {
		return out, err
	}
	out.Deleted, err = f.parked.DeleteRange(ctx, q)
	out.More = out.Deleted == deleteSize
	return out, err
}

// whichStray says which messages are to be deleted, and the index that has them. To delete all of them must be said.
func whichStray(v url.Values) (index string, which store.Filter, err error) {
	ref, via, before, all := v.Get("ref"), v.Get("via"), v.Get("before"), v.Get("all")
	switch {
	case v.Get("twin") != "":
		return "", which, api.Invalid("twin: what is parked of a twin is deleted with it; only what belongs to none is deleted here, by ref, via, before or all=true")
	case all != "" && all != "true":
		return "", which, api.Invalid("all %.40q must be true or be left out", all)
	case (all == "") == (ref == "" && via == "" && before == ""):
		return "", which, api.Invalid("say which messages of no twin are to be deleted: those of a ref or a via, those that came before a time, both, or all=true alone")
	}
	index, which = "by-twin", store.Eq("twin", twin.ID(""))
	if ref != "" || via != "" {
		if index, which, err = spokenBy(ref, via); err != nil {
			return "", which, err
		}
	}
	if before != "" {
		t, err := time.Parse(time.RFC3339Nano, before)
		if err != nil {
			return "", which, api.Invalid("before %.40q must be a time like 2026-03-21T10:00:00Z", before)
		}
		which = store.And(which, store.Lt("received", cut(t)))
	}
	return index, which, nil
}
