package twiningest

import (
	"context"
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

// strayOf are the parked messages of a device reference that no twin has, newest first, for maintainers.
func (f *function) strayOf(ctx context.Context, c *faas.Call, ref string, q store.Query) (page store.Page[api.ParkedMessage], err error) {
	switch {
	case c.Query.Get("twin") != "" || c.Query.Get("driver") != "":
		return page, api.Invalid("ref names a device that no twin has: it goes with neither twin nor driver")
	case !c.Caller.Is(access.Maintainer):
		return page, platform.NotFound("reference", ref)
	}
	if err := device.Ref(ref).Valid(); err != nil {
		return page, err
	}
	q.Index, q.Filter = "by-ref", store.Eq("ref", ref)
	return f.parked.Find(ctx, q)
}

// deleteStray deletes parked messages that belong to no twin: of a reference, those that came before a time, or all. What is parked of
// a twin goes with it.
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
	ref, before, all := v.Get("ref"), v.Get("before"), v.Get("all")
	switch {
	case v.Get("twin") != "":
		return "", which, api.Invalid("twin: what is parked of a twin is deleted with it; only what belongs to none is deleted here, by ref, before or all=true")
	case all != "" && all != "true":
		return "", which, api.Invalid("all %.40q must be true or be left out", all)
	case (all == "") == (ref == "" && before == ""):
		return "", which, api.Invalid("say which messages of no twin are to be deleted: those of a ref, those that came before a time, both, or all=true alone")
	}
	index, which = "by-twin", store.Eq("twin", twin.ID(""))
	if ref != "" {
		if err := device.Ref(ref).Valid(); err != nil {
			return "", which, err
		}
		index, which = "by-ref", store.Eq("ref", ref)
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
