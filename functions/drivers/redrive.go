package drivers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// A redrive reads parked messages again. It is one document, so that any instance goes on with it: who has its lease plans some messages
// of one twin, reads them, and tells of that and of the next ones in one compare-and-swap.
type redrive struct {
	api.Redrive `bson:",inline"`

	// Kind and Account say who asked, without what that is allowed: this is asked for anew whenever somebody takes the redrive on.
	Kind    access.CallerKind `bson:"kind"`
	Account string            `bson:"account"`

	platform.Lease `bson:",inline"`

	// After is the last twin that was looked at. Twins come next, of the first of them the messages of Chunk, and then those behind
	// Cursor.
	After  twin.ID   `bson:"after,omitempty"`
	Twins  []twin.ID `bson:"twins,omitempty"`
	Chunk  []string  `bson:"chunk,omitempty"`
	Cursor string    `bson:"cursor,omitempty"`

	// LeftHere is how many of the twin's messages that it is at are told of in Left; Grave how often drivers misconducted themselves.
	LeftHere int64 `bson:"leftHere,omitempty"`
	Grave    int64 `bson:"grave,omitempty"`

	Cancelling bool `bson:"cancelling,omitempty"`
}

// Bounds of redrives.
const (
	maxRedrives  = 5 // of one caller that have not ended
	redrivesKept = 30 * 24 * time.Hour
)

// A redriver is what of the function reads parked messages again.
type redriver struct {
	f      *function
	jobs   *store.Collection[redrive]
	parked *store.Collection[api.ParkedMessage] // read only
}

func openRedriver(ctx context.Context, f *function) (*redriver, error) {
	r := &redriver{f: f}
	var err error
	if r.parked, err = platform.OpenParked(ctx, f.p.DB); err != nil {
		return nil, err
	}
	r.jobs, err = store.Open[redrive](ctx, f.p.DB, store.Spec{Name: "redrives", Schema: 1, Indexes: []store.Index{
		{Name: "by-due", Fields: []string{"due"}},
		{Name: "by-worked", Fields: []string{"worked"}},
		{Name: "by-who", Fields: []string{"by", "-created"}},
		{Name: "by-age", Fields: []string{"-created"}},
		{Name: "by-end", Fields: []string{"ended"}},
	}})
	return r, err
}

// route adds the operations about redrives to the function's.
func (r *redriver) route(routes faas.Routes) faas.Routes {
	askers := access.Only(redrivers...)
	routes["POST /redrives"] = faas.Op(r.f.p, askers, r.create)
	routes["GET /redrives"] = faas.Op(r.f.p, askers, r.list)
	routes["GET /redrives/{id}"] = faas.Op(r.f.p, askers, r.get)
	routes["DELETE /redrives/{id}"] = faas.Op(r.f.p, askers, r.cancel)
	routes["POST /schedule"] = faas.Schedule(r.f.p, func(ctx context.Context, _ time.Time) error { return r.work(ctx) })
	return platform.Watched(r.f.p, routes, platform.Operations[redrive]{Kind: "redrive", C: r.jobs, Index: "by-worked", Field: "worked", Grace: 2 * platform.LeaseFor,
		Of: func(j *redrive) api.Overdue {
			return api.Overdue{ID: j.ID, Twin: j.Twin, Type: j.Type, Since: j.Worked, Attempts: j.Tries, Reason: j.Reason}
		}, Retry: r.goOn})
}

// redrivers are those who may have parked messages read again, of the twins that they may write.
var redrivers = []access.Role{access.Configurator, access.Developer, access.Owner, access.Maintainer}

// create keeps a redrive for the schedule to begin. Asking for what goes on already is that one.
func (r *redriver) create(ctx context.Context, c *faas.Call, in api.NewRedrive) (faas.Reply, error) {
	if err := r.may(ctx, c.Caller, in); err != nil {
		return faas.Reply{}, err
	}
	now := r.f.p.Time()
	j := redrive{Kind: c.Caller.Kind, Account: c.Caller.ID, Lease: platform.NewLease(now),
		Redrive: api.Redrive{ID: platform.NewID("redrive"), NewRedrive: in, By: c.Caller.String(), State: api.JobQueued, Created: now}}
	if in.Twin != "" {
		j.Twins = []twin.ID{in.Twin}
	}
	page, err := r.jobs.Find(ctx, store.Query{Index: "by-who", Limit: maxRedrives + 1, Partial: true,
		Filter: store.And(store.Eq("by", j.By), store.Gt("due", time.UnixMilli(0)))})
	if err != nil {
		return faas.Reply{}, err
	}
	for _, open := range page.Items {
		if open.NewRedrive == in && !open.Cancelling {
			return accepted(open), nil
		}
	}
	if len(page.Items) >= maxRedrives {
		return faas.Reply{}, fmt.Errorf("%w: %d of your redrives have not ended yet; wait for one, or cancel it", api.ErrTooMany, len(page.Items))
	}
	if err := r.jobs.Insert(ctx, j); err != nil {
		return faas.Reply{}, err
	}
	return accepted(j), nil
}

func accepted(j redrive) faas.Reply {
	return faas.Reply{Status: http.StatusAccepted, Header: http.Header{"Location": {"/redrives/" + j.ID}}, Value: j.Redrive}
}

// may tells whether the caller may ask for it at all. Of a type or driver only those twins are come to that the caller may write.
func (r *redriver) may(ctx context.Context, c access.Caller, in api.NewRedrive) error {
	given := 0
	for _, s := range []string{in.Driver, string(in.Type), string(in.Twin)} {
		if s != "" {
			given++
		}
	}
	if given != 1 {
		return api.Invalid("one of driver, type and twin must be given, not %d of them", given)
	}
	switch {
	case in.Driver != "":
		_, err := r.f.find(ctx, c, access.Read, in.Driver)
		return err
	case in.Type != "":
		t, err := r.f.p.Twin(ctx, r.f.twins, c, access.Read, twin.ID(in.Type))
		if err == nil && t.Kind != twin.Type {
			err = api.Invalid("type: %s is of kind %s; what is parked of one twin is asked for by twin", in.Type, t.Kind)
		}
		return err
	}
	t, err := r.f.p.Twin(ctx, r.f.twins, c, access.Write, in.Twin)
	if err == nil && t.Kind != twin.Instance {
		err = api.Invalid("twin: %s is of kind %s; what is parked of a type's instances is asked for by type", in.Twin, t.Kind)
	}
	return err
}

// mine is one of the caller's redrives; of others' there is none, except for maintainers.
func (r *redriver) mine(ctx context.Context, c access.Caller, id string) (redrive, error) {
	j, err := r.jobs.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) || err == nil && j.By != c.String() && !c.Is(access.Maintainer) {
		return redrive{}, platform.NotFound("redrive", id)
	}
	return j, err
}

func (r *redriver) get(ctx context.Context, c *faas.Call, _ faas.None) (api.Redrive, error) {
	j, err := r.mine(ctx, c.Caller, c.Var("id"))
	return j.Redrive, err
}

func (r *redriver) list(ctx context.Context, c *faas.Call, _ faas.None) (out api.Page[api.Redrive], err error) {
	out.Items = []api.Redrive{}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	q := store.Query{Index: "by-who", Filter: store.Eq("by", c.Caller.String()), Limit: limit, Cursor: c.Query.Get("cursor")}
	if c.Caller.Is(access.Maintainer) {
		q.Index, q.Filter = "by-age", store.Filter{}
	}
	page, err := r.jobs.Find(ctx, q)
	for _, j := range page.Items {
		out.Items = append(out.Items, j.Redrive)
	}
	out.Next = page.Next
	return out, err
}

// cancel ends a redrive: one that nobody works on at once, another one when the messages it is at are done.
func (r *redriver) cancel(ctx context.Context, c *faas.Call, _ faas.None) (api.Redrive, error) {
	j, err := r.mine(ctx, c.Caller, c.Var("id"))
	if err != nil {
		return api.Redrive{}, err
	}
	j, err = r.jobs.Update(ctx, j.ID, func(j *redrive) error {
		if j.State.Ended() {
			return store.Unchanged
		}
		j.Cancelling = true
		if now := r.f.p.Time(); len(j.Chunk) == 0 && !j.Due.After(now) {
			j.end(api.JobCancelled, "", now)
		}
		return nil
	})
	return j.Redrive, err
}

// end notes that the redrive has ended.
func (j *redrive) end(s api.JobState, reason string, now time.Time) {
	if j.State, j.Ended = s, now; reason != "" {
		j.Reason = clip(reason)
	}
	j.Lease.End()
	j.Cancelling = false
	j.Twins, j.Chunk, j.Cursor = nil, nil, ""
}

// forget removes redrives that ended long ago.
func (r *redriver) forget(ctx context.Context) error {
	_, err := r.jobs.DeleteRange(ctx, store.Query{Index: "by-end", Limit: 100,
		Filter: store.And(store.Gt("ended", time.UnixMilli(0)), store.Lt("ended", r.f.p.Time().Add(-redrivesKept)))})
	return err
}
