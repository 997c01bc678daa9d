package gateways

import (
	"context"
	"errors"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// maySee tells whether the caller may read the twin whose place it is. One that may not is told that there is no such place.
func (g *gateways) maySee(ctx context.Context, call *faas.Call, v place) error {
	if call.Caller.Kind == access.Part {
		return nil
	}
	_, err := g.p.Twin(ctx, g.twins, call.Caller, access.Read, v.Twin)
	if errors.Is(err, api.ErrNotFound) {
		return platform.NotFound("assignment", string(v.Ref))
	}
	return err
}

func (g *gateways) getAssignment(ctx context.Context, call *faas.Call, _ faas.None) (api.Assignment, error) {
	v, err := g.assignment(ctx, call)
	if err != nil {
		return api.Assignment{}, err
	}
	a, err := g.told(ctx, v, nil)
	return forCaller(call, a), err
}

// forCaller leaves out what people have no use for: a verifier is of a secret.
func forCaller(call *faas.Call, a api.Assignment) api.Assignment {
	if call.Caller.Kind != access.Part || call.Caller.For != nil {
		a.Verifiers = nil
	}
	return a
}

// listAssignments pages through the places at one gateway, or of one twin, as far as the caller may read the twins.
func (g *gateways) listAssignments(ctx context.Context, call *faas.Call, _ faas.None) (api.Page[api.Assignment], error) {
	out := api.Page[api.Assignment]{Items: []api.Assignment{}}
	limit, err := call.Limit()
	if err != nil {
		return out, err
	}
	q := store.Query{Limit: limit, Cursor: call.Query.Get("cursor"), Partial: true}
	gateway, id := call.Query.Get("gateway"), twin.ID(call.Query.Get("twin"))
	switch {
	case gateway != "" && id != "", gateway == "" && id == "":
		return out, api.Invalid("gateway or twin: say whose assignments, one of the two")
	case id != "" && id.Valid() != nil:
		return out, platform.NotFound("twin", string(id))
	case id != "":
		q.Index, q.Filter = "by-twin", store.Eq("twin", id)
	case !idPattern.MatchString(gateway):
		return out, platform.NotFound("gateway", gateway)
	default:
		q.Index, q.Filter = "by-gateway", store.And(store.Eq("gateway", gateway), store.Eq("removed", nil))
	}
	page, err := g.places.Find(ctx, q)
	if err != nil {
		return out, err
	}
	scope, err := g.p.Visible(ctx, call.Caller)
	if err != nil {
		return out, err
	}
	seen := map[twin.ID]bool{}
	if !scope.All {
		ids := make([]string, 0, len(page.Items))
		for _, v := range page.Items {
			ids = append(ids, string(v.Twin))
		}
		twins, err := g.twins.GetMany(ctx, ids)
		if err != nil {
			return out, err
		}
		for _, t := range twins {
			seen[t.ID] = t.Deleted.IsZero() && scope.Allows(access.Twin(&t))
		}
	}
	for _, v := range page.Items {
		if !v.Removed && (scope.All || seen[v.Twin]) {
			out.Items = append(out.Items, forCaller(call, v.Assignment))
		}
	}
	out.Next = page.Next
	return out, nil
}

// maxFind is how many references one call may ask for.
const maxFind = 1000

func (g *gateways) findAssignments(ctx context.Context, _ *faas.Call, in api.Resolve) ([]api.Assignment, error) {
	out := []api.Assignment{}
	if len(in.Refs) > maxFind {
		return out, api.Invalid("refs: at most %d at once, not %d", maxFind, len(in.Refs))
	}
	found, err := g.places.GetMany(ctx, findable(in.Refs))
	for _, v := range found {
		if !v.Removed && v.Gateway != "" {
			out = append(out, v.Assignment)
		}
	}
	return out, err
}
