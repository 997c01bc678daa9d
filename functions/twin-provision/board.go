package twinprovision

import (
	"cmp"
	"context"
	"slices"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
)

const (
	maxBoard   = 10_000 // runs that are counted
	boardBatch = 500
)

// boardFields are what counting needs of a run, and what tells whose it is.
var boardFields = []string{"type", "twin", "owner", "model._id", "model.version", "state", "asks", "outcome", "by", "results.twinReady"}

type boardKey struct {
	model   string
	version int64
	kind    string
	state   string
}

// board counts the open runs that the caller may see by state, in the order of their models' states.
func (f *function) board(ctx context.Context, c *faas.Call, _ faas.None) (out api.Board, err error) {
	out.Items = []api.BoardState{}
	parts, err := f.visible(ctx, c)
	if err != nil {
		return out, err
	}
	open := func(name string) string { return map[string]string{"open": "true"}[name] }
	if parts, err = narrow(parts, open); err != nil {
		return out, err
	}
	counts, samples := map[boardKey]*api.BoardState{}, map[boardKey]string{}
	add := func(runs []provision.Run) error {
		runs, err := f.allowed(ctx, c, runs)
		for _, r := range runs {
			key := boardKey{r.Model.ID, r.Model.Version, string(r.Type), r.State}
			if counts[key] == nil {
				counts[key] = &api.BoardState{Model: key.model, Version: key.version, Type: r.Type, State: r.State}
				samples[key] = r.ID
			}
			counts[key].Count++
			if r.Asks != nil {
				counts[key].WaitingForPeople++
			}
		}
		return err
	}
	seen := 0
	for _, q := range parts {
		var batch []provision.Run
		q.Fields = boardFields
		err := f.runs.Scan(ctx, q, func(r provision.Run) error {
			if seen++; seen > maxBoard {
				out.More = true
				return store.Stop
			}
			if batch = append(batch, r); len(batch) < boardBatch {
				return nil
			}
			some := batch
			batch = nil
			return add(some)
		})
		if err == nil {
			err = add(batch)
		}
		if err != nil {
			return out, err
		}
	}
	return out, f.boardOrder(ctx, counts, samples, &out)
}

// boardOrder gives the states their titles, and puts them in their models' order. What a run's model says is read from one run of
// each: it keeps the version it began with.
func (f *function) boardOrder(ctx context.Context, counts map[boardKey]*api.BoardState, samples map[boardKey]string, out *api.Board) error {
	models, places := map[boardKey]*provision.Model{}, map[*api.BoardState]int{}
	for key, s := range counts {
		of := boardKey{model: key.model, version: key.version}
		if models[of] == nil {
			r, err := f.runs.Get(ctx, samples[key])
			if err != nil && !isNotFound(err) {
				return err
			}
			models[of] = &r.Model
		}
		s.Title = s.State
		if i := slices.IndexFunc(models[of].States, func(v provision.State) bool { return v.Name == s.State }); i >= 0 {
			s.Title, places[s] = models[of].States[i].Label(), i
		}
	}
	all := make([]*api.BoardState, 0, len(counts))
	for _, s := range counts {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *api.BoardState) int {
		return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(b.Version, a.Version), cmp.Compare(a.Type, b.Type), cmp.Compare(places[a], places[b]), cmp.Compare(a.State, b.State))
	})
	for _, s := range all {
		out.Items = append(out.Items, *s)
	}
	return nil
}
