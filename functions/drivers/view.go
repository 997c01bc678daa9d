package drivers

import (
	"context"
	"slices"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// maxShown is how many twins of blocks and canaries one answer looks for, 500 at a time.
const maxShown = 20 * maxResolve

// view is the driver for somebody who reads it. Many groups' devices may use it: of the twins that versions are blocked for or tried
// with are shown those that are readable, and what the last failure was is for those who write the driver.
func (r *record) view(readable func(twin.ID) bool, writes bool) api.Driver {
	d := r.Driver
	d.Versions = make([]api.DriverVersion, len(r.All))
	hidden := func(id twin.ID) bool { return !readable(id) }
	for i := range r.All {
		v := r.All[i].shown()
		v.Failures = r.All[i].Led
		v.Blocked = slices.DeleteFunc(slices.Clone(v.Blocked), hidden)
		v.Canary.Twins = slices.DeleteFunc(slices.Clone(v.Canary.Twins), hidden)
		if last := r.All[i].Last; writes && last != "" {
			v.Reason += "; the last: " + last
		}
		d.Versions[i] = v
	}
	return d
}

// readable tells which of the twins that drivers name the caller may read.
func (f *function) readable(ctx context.Context, c access.Caller, found []record) (func(twin.ID) bool, error) {
	scope, err := f.p.Visible(ctx, c)
	if err != nil {
		return nil, err
	}
	if scope.All {
		return func(twin.ID) bool { return true }, nil
	}
	var ids []twin.ID
	for i := range found {
		for j := range found[i].All {
			v := &found[i].All[j]
			ids = append(append(ids, v.Blocked...), v.Canary.Twins...)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	may := map[twin.ID]bool{}
	for some := range slices.Chunk(ids[:min(len(ids), maxShown)], maxResolve) {
		twins, err := f.read500(ctx, some, "kind", "definition.type", "definition.owner", "definition.aggregates")
		if err != nil {
			return nil, err
		}
		for k := range twins {
			may[twins[k].ID] = scope.Allows(access.Twin(&twins[k]))
		}
	}
	return func(id twin.ID) bool { return may[id] }, nil
}
