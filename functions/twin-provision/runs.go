package twinprovision

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// summary are the fields of a run that lists show: all but its model's states, its log and its CSR.
var summary = []string{"type", "twin", "model._id", "model.version", "request.claim", "request.serial", "request.mac", "request.model", "owner",
	"location", "round", "state", "waiting", "tries", "attempt", "first", "withdrawing", "outcome", "reason", "cameIn", "results", "by", "asks", "decision", "request.listed", "deadline", "rest", "due", "created", "updated"}

// find returns a run that the caller may use right on: as on its twin, or, before that is the run's, as on a twin of its type and group.
func (f *function) find(ctx context.Context, caller access.Caller, right access.Right, id string) (provision.Run, error) {
	gone := platform.NotFound("run", id)
	r, err := f.runs.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return r, gone
	} else if err != nil {
		return r, err
	}
	if begun(caller, &r) {
		return r, nil
	}
	o := objectOf(&r)
	if r.Twin != "" && settled(&r) {
		t, err := f.twins.Get(ctx, string(r.Twin))
		if err == nil && t.Deleted.IsZero() && t.Definition.Type == r.Type {
			o = access.Twin(&t)
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			return r, err
		}
	}
	if err := f.p.May(ctx, caller, right, o, "run"); errors.Is(err, api.ErrNotFound) {
		return r, gone
	} else if err != nil {
		return r, err
	}
	return r, nil
}

// objectOf is a run as long as no twin says whose it is.
func objectOf(r *provision.Run) access.Object {
	return access.Object{Name: access.TwinName(r.Twin), Parents: []string{access.TwinName(r.Type)}, Owner: r.Owner}
}

// begun tells whether the caller is the configurator who has begun the run, for a group that need not be one of theirs, and leads the
// device through it. Once it has come in it is its group's alone.
func begun(c access.Caller, r *provision.Run) bool {
	return c.For == nil && c.Is(access.Configurator) && r.By == c.String() && r.Outcome != provision.Completed
}

func (f *function) getRun(ctx context.Context, c *faas.Call, _ faas.None) (provision.Run, error) {
	return f.findAsked(ctx, c.Caller, access.Read, c.Var("id"))
}

// resetRun withdraws what a run has made, so that its device may be enrolled anew.
func (f *function) resetRun(ctx context.Context, c *faas.Call, in api.Reset) (provision.Run, error) {
	if bad(in.Reason, maxDeviceText) {
		return provision.Run{}, api.Invalid("reason must be a text of at most %d bytes", maxDeviceText)
	}
	r, err := f.find(ctx, c.Caller, access.Write, c.Var("id"))
	if err != nil {
		return r, err
	}
	why := "reset"
	if in.Reason != "" {
		why += ": " + in.Reason
	}
	if _, err := f.change(ctx, r.ID, func(r *provision.Run, now time.Time) error {
		if r.Withdrawing || r.Outcome == provision.Rejected {
			return store.Unchanged
		}
		if scope, err := f.scopeOf(ctx, r); err != nil {
			return err
		} else if scope != nil { // what is left of it is theirs to see who had the twin last
			r.Owner = scope.Owner
		}
		r.Reset(c.Caller.String(), why, now)
		r.Free = true
		return nil
	}); err != nil {
		return r, err
	}
	return f.goOn(ctx, r.ID)
}

// listRuns pages through the runs the caller may see, newest first; with twin, through that twin's; and as narrow says.
func (f *function) listRuns(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[provision.Run], error) {
	limit, err := c.Limit()
	if err != nil {
		return api.Page[provision.Run]{}, err
	}
	parts, err := f.visible(ctx, c)
	if err != nil {
		return api.Page[provision.Run]{}, err
	}
	if parts, err = narrow(parts, c.Query.Get); err != nil {
		return api.Page[provision.Run]{}, err
	}
	page, err := f.pageOf(ctx, parts, limit, c.Query.Get("cursor"))
	if err != nil {
		return page, err
	}
	page.Items, err = f.allowed(ctx, c, page.Items)
	return page, err
}

// allowed leaves out the runs of twins that were given to others since.
func (f *function) allowed(ctx context.Context, c *faas.Call, runs []provision.Run) ([]provision.Run, error) {
	scope, err := f.p.Visible(ctx, c.Caller)
	if err != nil || scope.All {
		return runs, err
	}
	var ids []string
	for _, r := range runs {
		if r.Twin != "" && settled(&r) {
			ids = append(ids, string(r.Twin))
		}
	}
	twins, err := f.twins.GetMany(ctx, ids)
	others := map[twin.ID]bool{}
	for i := range twins {
		others[twins[i].ID] = twins[i].Deleted.IsZero() && !scope.Allows(access.Twin(&twins[i]))
	}
	return slices.DeleteFunc(runs, func(r provision.Run) bool {
		foreign := !scope.Allows(objectOf(&r))
		if settled(&r) {
			foreign = others[r.Twin]
		}
		return foreign && !slices.Contains(scope.Groups, groupAsked(&r)) && !begun(c.Caller, &r)
	}), err
}

// visible returns the queries that together find what the caller may see, and nothing else, each run once.
func (f *function) visible(ctx context.Context, c *faas.Call) ([]store.Query, error) {
	if id := twin.ID(c.Query.Get("twin")); id != "" {
		if _, err := f.p.Twin(ctx, f.twins, c.Caller, access.Read, id); err != nil {
			return nil, err
		}
		return []store.Query{{Index: "by-twin", Filter: store.Eq("twin", id)}}, nil
	}
	scope, err := f.p.Visible(ctx, c.Caller)
	if err != nil {
		return nil, err
	}
	if scope.All {
		return []store.Query{{Index: "by-created"}}, nil
	}
	var parts []store.Query
	var before []store.Filter
	add := func(index, path string, values []string) {
		if len(values) > 0 {
			in := store.In(path, values...)
			parts = append(parts, store.Query{Index: index, Filter: store.And(append([]store.Filter{in}, before...)...)})
			before = append(before, store.Not(in))
		}
	}
	ids := make([]string, len(scope.Twins))
	for i, id := range scope.Twins {
		ids[i] = string(id)
	}
	add("by-owner", "owner", scope.Groups)
	add("by-type", "type", ids)
	add("by-twin", "twin", ids)
	if c.Caller.Is(access.Configurator) {
		add("by-starter", "by", []string{c.Caller.String()})
	}
	if c.Query.Get("awaits") != "" { // who is asked by name sees what about, whoever's it is
		asked := make([]string, len(scope.Groups))
		for i, g := range scope.Groups {
			asked[i] = "group:" + g
		}
		add("by-asker", "asks.by", asked)
	}
	return parts, nil
}

// pageOf walks one query after the other. The cursor is the number of the query and that query's own cursor.
func (f *function) pageOf(ctx context.Context, parts []store.Query, limit int, cursor string) (api.Page[provision.Run], error) {
	out := api.Page[provision.Run]{Items: []provision.Run{}}
	at := 0
	if cursor != "" {
		n, inner, ok := strings.Cut(cursor, ".")
		var err error
		if at, err = strconv.Atoi(n); err != nil || !ok || at < 0 || at >= len(parts) {
			return out, api.Invalid("cursor is not one that this list gave")
		}
		cursor = inner
	}
	for ; at < len(parts) && len(out.Items) < limit; at, cursor = at+1, "" {
		q := parts[at]
		q.Reverse, q.Limit, q.Cursor, q.Fields, q.Partial = true, limit-len(out.Items), cursor, summary, true
		page, err := f.runs.Find(ctx, q)
		if err != nil {
			return out, err
		}
		for _, r := range page.Items {
			r.Steps, r.Model.States = []provision.Step{}, []provision.State{}
			out.Items = append(out.Items, r)
		}
		if page.Next != "" {
			out.Next = strconv.Itoa(at) + "." + page.Next
			return out, nil
		}
	}
	if at < len(parts) {
		out.Next = strconv.Itoa(at) + "."
	}
	return out, nil
}
