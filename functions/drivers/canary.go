package drivers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/twin"
)

// maxCanaries is how many twins one canary may name.
const maxCanaries = 100

// canary has some devices use a version, or others than before.
func (f *function) canary(ctx context.Context, c *faas.Call, in api.Canary) (api.DriverVersion, error) {
	if in.Percent < 0 || in.Percent > 100 {
		return api.DriverVersion{}, api.Invalid("percent %d must be 0 to 100", in.Percent)
	}
	if len(in.Twins) > maxCanaries {
		return api.DriverVersion{}, api.Invalid("twins: at most %d may be named, not %d; give a percent for more", maxCanaries, len(in.Twins))
	}
	for i, id := range in.Twins {
		if err := id.Valid(); err != nil {
			return api.DriverVersion{}, fmt.Errorf("twins[%d]: %w", i, err)
		}
	}
	if in.Percent == 0 && len(in.Twins) == 0 {
		return api.DriverVersion{}, api.Invalid("percent and twins: one must say which devices use the version")
	}
	slices.Sort(in.Twins)
	in.Twins = slices.Compact(in.Twins)
	r, _, err := f.findVersion(ctx, c.Caller, access.Write, c.Var("name"), c.Var("version"))
	if err != nil {
		return api.DriverVersion{}, err
	}
	if err := f.tryable(ctx, c.Caller, &r, in.Twins); err != nil {
		return api.DriverVersion{}, err
	}
	return f.decided(ctx, c, func(r *record, v *version, _ time.Time) error {
		if v.State == api.DriverActive || v.State == api.DriverQuarantined && v.WasActive {
			return fmt.Errorf("%w: version %s is %s for all devices; withdraw it first", api.ErrConflict, v.Version, v.State)
		}
		return f.use(ctx, v, api.DriverCanary, in)
	})
}

// tryable refuses twins that a canary names in vain: that are not there, as far as the caller may see, or whose payloads the driver does
// not read. Types are read anew, for one may have been given the driver just now.
func (f *function) tryable(ctx context.Context, c access.Caller, r *record, ids []twin.ID) error {
	if len(ids) == 0 {
		return nil
	}
	scope, err := f.p.Visible(ctx, c)
	if err != nil {
		return err
	}
	found, err := f.read500(ctx, ids, "kind", "deleted", "definition.type", "definition.owner", "definition.aggregates")
	if err != nil {
		return err
	}
	twins, of := map[twin.ID]*twin.Twin{}, []twin.ID{}
	for i := range found {
		if t := &found[i]; t.Deleted.IsZero() && (scope.All || scope.Allows(access.Twin(t))) {
			twins[t.ID], of = t, append(of, t.Definition.Type)
		}
	}
	found, err = f.read500(ctx, slices.DeleteFunc(of, func(id twin.ID) bool { return id == "" }), "kind", "definition.owner", "definition.model.driver")
	if err != nil {
		return err
	}
	types := map[twin.ID]*twin.Definition{}
	for i := range found {
		types[found[i].ID] = &found[i].Definition
	}
	for _, id := range ids {
		t := twins[id]
		switch {
		case t == nil:
			return api.Invalid("twins: there is no twin %s that you may see; name devices that are there (castor twin list), or give a percent, which counts for those to come, too", id)
		case t.Kind != twin.Instance:
			return api.Invalid("twins: %s is no device but of kind %s; name devices, or give a percent", id, t.Kind)
		}
		switch d := types[t.Definition.Type]; {
		case d == nil || d.Model == nil || d.Model.Driver != r.Name:
			return api.Invalid("twins: %s is of type %s, which does not name driver %s; leave it out, or have the type name the driver first (castor type apply)", id, t.Definition.Type, r.Name)
		case r.Owner != "" && d.Owner != "" && r.Owner != d.Owner:
			return api.Invalid("twins: %s is of type %s, which belongs to another group than driver %s; leave it out, or publish the driver for that group under a name of its own", id, t.Definition.Type, r.Name)
		}
	}
	return nil
}
