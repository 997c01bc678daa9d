package drivers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/Masterminds/semver/v3"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/unit"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// maxResolve is how many twins one call may ask for.
const maxResolve = 500

// An identity is what is read of what function identities stores.
type identity struct {
	ID     twin.ID `bson:"_id"`
	Serial string  `bson:"serial"`
}

// resolve tells a connector how the payloads of twins are read. It is told only of those whose place is at its own gateway.
func (f *function) resolve(ctx context.Context, c *faas.Call, in api.ResolveDrivers) ([]api.UsedDriver, error) {
	if len(in.Twins) > maxResolve {
		return nil, api.Invalid("twins: at most %d at once, not %d", maxResolve, len(in.Twins))
	}
	ids, err := f.at(ctx, c.Caller.Gateway, in.Twins)
	if err != nil {
		return nil, err
	}
	used, err := f.used(ctx, ids)
	if used == nil {
		used = []api.UsedDriver{}
	}
	return used, err
}

// at are those of the twins whose place is at the gateway.
func (f *function) at(ctx context.Context, gateway string, ids []twin.ID) ([]twin.ID, error) {
	claimed := make(map[twin.ID]int64, len(ids))
	for _, id := range ids {
		if id.Valid() == nil {
			claimed[id] = 0
		}
	}
	placed, err := f.places.At(ctx, gateway, claimed)
	if err != nil {
		return nil, err
	}
	out := make([]twin.ID, 0, len(placed))
	for id := range placed {
		out = append(out, id)
	}
	slices.Sort(out)
	return out, nil
}

// used says which version is for each of the twins, at most 500, now. Twins that are not there are left out. It takes two queries
// (twins, their types and drivers being known), and one more each where firmware counts and where devices have topics of their own.
func (f *function) used(ctx context.Context, ids []twin.ID) ([]api.UsedDriver, error) {
	found, err := f.read500(ctx, ids, "kind", "deleted", "definition.type")
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(t twin.Twin) bool { return t.Kind != twin.Instance || !t.Deleted.IsZero() })
	types, err := f.typesOf(ctx, found)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range types {
		if t.model != nil && t.model.Driver != "" {
			names = append(names, t.model.Driver)
		}
	}
	drivers, err := f.known.drivers.Get(ctx, unique(names))
	if err != nil {
		return nil, err
	}
	firmware, serials, err := f.details(ctx, found, types, drivers)
	if err != nil {
		return nil, err
	}
	out := make([]api.UsedDriver, len(found))
	for i := range found {
		id, t := found[i].ID, types[found[i].Definition.Type]
		out[i] = api.UsedDriver{Twin: id, Type: found[i].Definition.Type, Device: serials[id]}
		if t.model == nil {
			continue
		}
		if t.model.Driver == "" {
			out[i].Format, out[i].IDs, out[i].Units = t.model.Format, idsOf(t.model), t.units
			continue
		}
		out[i].Variables, out[i].Reacts = t.model.Parameters, t.model.Reacts
		k := drivers[t.model.Driver]
		if k.say(&out[i], t.owner, firmware[id]); k.ranged {
			out[i].Firmware = firmwareProperty(t.model)
		}
		if out[i].Normalised = t.model.Normalised; out[i].Kind == driver.Declarative {
			out[i].Units = t.units
		}
	}
	return out, nil
}

// typesOf is what the types of twins say.
func (f *function) typesOf(ctx context.Context, twins []twin.Twin) (map[twin.ID]typeEntry, error) {
	types := make([]twin.ID, len(twins))
	for i := range twins {
		types[i] = twins[i].Definition.Type
	}
	return f.known.types.Get(ctx, unique(types))
}

// say fills in what the driver is for the twin. A type may name the drivers of its own group and the platform's; one that belongs to
// nobody is made by maintainers, who answer for what they name.
func (k *known) say(u *api.UsedDriver, owner string, firmware *semver.Version) {
	u.Name, u.Owner = k.Name, k.Owner
	if k.Owner != "" && owner != "" && k.Owner != owner {
		u.Parked = fmt.Sprintf("driver %s belongs to another group than the twin's type: have it published for this one, under a name of its own", k.Name)
		return
	}
	v, parked := k.choose(u.Twin, firmware)
	if u.Parked = parked; v != nil {
		u.Version, u.Kind, u.Digest, u.Limit, u.Port = v.Version, v.Kind, v.Digest, v.Limit, v.Port
	}
}

// details reads what only some twins are asked for: the firmware they reported, and the serials that topics have.
func (f *function) details(ctx context.Context, found []twin.Twin, types map[twin.ID]typeEntry, drivers map[string]*known) (map[twin.ID]*semver.Version, map[twin.ID]string, error) {
	var ranged, named []twin.ID
	property := map[twin.ID]string{}
	for i := range found {
		t := types[found[i].Definition.Type]
		if t.model == nil || t.model.Driver == "" {
			continue
		}
		k := drivers[t.model.Driver]
		if k.ranged {
			ranged = append(ranged, found[i].ID)
			property[found[i].ID] = firmwareProperty(t.model)
		}
		if k.topics {
			named = append(named, found[i].ID)
		}
	}
	firmware, serials := map[twin.ID]*semver.Version{}, map[twin.ID]string{}
	live, err := f.read500(ctx, ranged, "live.reported")
	if err != nil {
		return nil, nil, err
	}
	for i := range live {
		if r, ok := live[i].Live.Reading(property[live[i].ID]); ok {
			firmware[live[i].ID] = firmwareOf(r.Value)
		}
	}
	if len(named) == 0 {
		return firmware, serials, nil
	}
	page, err := f.identities.Find(ctx, store.Query{Filter: store.In("_id", texts(named)...), Limit: len(named), Fields: []string{"serial"}})
	for _, v := range page.Items {
		serials[v.ID] = v.Serial
	}
	return firmware, serials, err
}

func (f *function) read500(ctx context.Context, ids []twin.ID, fields ...string) ([]twin.Twin, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	page, err := f.twins.Find(ctx, store.Query{Filter: store.In("_id", texts(ids)...), Limit: len(ids), Fields: fields})
	return page.Items, err
}

// firmwareProperty is where a type's instances report their firmware.
func firmwareProperty(m *twin.Model) string { return cmp.Or(m.Firmware, "firmware") }

func texts(ids []twin.ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

func unique[S ~string](names []S) []S {
	slices.Sort(names)
	return slices.Compact(names)
}

// idsOf are the numbers that the model gives properties for the compact form.
func idsOf(m *twin.Model) map[int64]string {
	if m.Format != "compact" {
		return nil
	}
	ids := map[int64]string{}
	for _, p := range m.Properties {
		if p.ID != 0 {
			ids[p.ID] = p.Name
		}
	}
	return ids
}

// unitsOf are the units of a model's properties that values can be converted to.
func unitsOf(m *twin.Model) map[string]string {
	units := map[string]string{}
	for _, p := range m.Properties {
		if unit.Known(p.Unit) {
			units[p.Name] = p.Unit
		}
	}
	return units
}
