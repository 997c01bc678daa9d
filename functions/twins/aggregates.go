package twins

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// maxAbove bounds how many aggregates may lie above one.
const maxAbove = 1000

// checkAggregates refuses aggregates that are not there, or that the caller may not see, in the same words; and those that
// would make an aggregate a part of itself. had are those the twin has already, which may stay.
func (f *function) checkAggregates(ctx context.Context, c access.Caller, t *twin.Twin, had []twin.ID) error {
	for _, id := range t.Definition.Aggregates {
		if slices.Contains(had, id) {
			continue
		}
		a, err := f.p.Twin(ctx, f.twins, c, access.Read, id)
		if errors.Is(err, api.ErrNotFound) || err == nil && a.Kind != twin.Aggregate {
			return api.Invalid("definition.aggregates: there is no aggregate %q", id)
		}
		if err != nil {
			return err
		}
	}
	if t.Kind != twin.Aggregate {
		return nil
	}
	return f.checkCycle(ctx, t)
}

// checkCycle walks up from an aggregate. Two edits at the same moment may still make a cycle together; nothing follows
// aggregates without a bound, so that is ugly and no more.
func (f *function) checkCycle(ctx context.Context, t *twin.Twin) error {
	below := map[twin.ID]twin.ID{} // how each was reached
	level := t.Definition.Aggregates
	for _, id := range level {
		below[id] = t.ID
	}
	for len(level) > 0 {
		ids := make([]string, len(level))
		for i, id := range level {
			if id == t.ID {
				return fmt.Errorf("%w: definition.aggregates: %s would be a part of itself: %s", api.ErrConflict, t.ID, path(below, t.ID))
			}
			ids[i] = string(id)
		}
		if len(below) > maxAbove {
			return api.Invalid("definition.aggregates: more than %d aggregates lie above %s", maxAbove, t.ID)
		}
		level = nil
		page, err := f.twins.Find(ctx, store.Query{Filter: store.In("_id", ids...), Limit: len(ids), Fields: []string{"definition.aggregates"}})
		if err != nil {
			return err
		}
		for _, a := range page.Items {
			for _, up := range a.Definition.Aggregates {
				if _, seen := below[up]; !seen {
					below[up] = a.ID
					level = append(level, up)
				}
			}
		}
	}
	return nil
}

// path tells how one gets from the aggregate back to it.
func path(below map[twin.ID]twin.ID, id twin.ID) string {
	names := []string{string(id)}
	for at := below[id]; at != id; at = below[at] {
		names = append(names, string(at))
	}
	names = append(names, string(id))
	slices.Reverse(names)
	return strings.Join(names, " → ")
}
