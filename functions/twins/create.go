package twins

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// create makes a twin. Provisioning makes its instances by it and may ask twice.
func (f *function) create(ctx context.Context, c *faas.Call, in api.NewTwin) (faas.Reply, error) {
	t, made, err := f.make(ctx, c.Caller, in)
	if err != nil || !made {
		return faas.Versioned(t.Definition.Version, t), err
	}
	r := faas.Created("/twins/"+string(t.ID), t)
	r.Header.Set("Etag", `"1"`)
	return r, nil
}

// make makes a twin, or finds that its asker made it before.
func (f *function) make(ctx context.Context, by access.Caller, in api.NewTwin) (t twin.Twin, made bool, err error) {
	now := f.p.Time()
	t = twin.Twin{ID: in.ID, Kind: in.Kind, Definition: in.Definition, Created: now}
	d := &t.Definition
	d.Version, d.Updated = 1, now
	if t.Kind == twin.Type && d.Model == nil {
		d.Model = &twin.Model{}
	}
	if err := f.begins(by, &t); err != nil {
		return t, false, err
	}
	if err := t.ID.Valid(); err != nil {
		return t, false, err
	}
	settle(d.Model)
	if err := d.Validate(t.Kind); err != nil {
		return t, false, err
	}
	if err := f.checkSchemas(d.Model); err != nil {
		return t, false, err
	}
	if err := f.checkOwner(ctx, by, d.Owner); err != nil {
		return t, false, err
	}
	if err := f.checkType(ctx, by, d.Type); err != nil {
		return t, false, err
	}
	if err := f.checkAggregates(ctx, by, &t, nil); err != nil {
		return t, false, err
	}
	if err := f.checkWays(ctx, t.ID, d.Model, nil); err != nil {
		return t, false, err
	}
	t.Outbox.Add(string(t.ID), event.TwinChanged, string(t.ID), now, api.TwinChanged{Twin: t.ID, Kind: t.Kind, Phase: d.Phase, Part: "definition", Scope: api.ScopeOf(&t)})
	err = f.twins.Insert(ctx, t)
	if errors.Is(err, store.ErrExists) {
		var old *twin.Twin
		if old, err = f.taken(ctx, by, &t); old != nil {
			return *old, false, nil
		}
		if err == nil {
			err = f.twins.Insert(ctx, t)
		}
	}
	if err != nil {
		return t, false, err
	}
	f.enter(ctx, &t)
	f.flush(ctx, t)
	return t, true, nil
}

// begins sets the phase an instance begins in, and refuses what only the platform decides.
func (f *function) begins(c access.Caller, t *twin.Twin) error {
	d := &t.Definition
	if d.Configuration != nil {
		return api.Invalid("definition.configuration is what provisioning delivered; it cannot be given")
	}
	if t.Kind != twin.Instance {
		if c.Is(access.Owner) && !c.Is(access.Configurator, access.Maintainer) && t.Kind == twin.Type {
			return fmt.Errorf("%w: types are made by configurators", access.ErrDenied)
		}
		return nil
	}
	if c.Kind != access.Part && !c.Is(access.Configurator, access.Maintainer) {
		return fmt.Errorf("%w: devices come in by provisioning (POST /function/credentials/claims), or by a configurator's hand", access.ErrDenied)
	}
	if d.Suspended {
		return api.Invalid("definition.suspended is set by suspending the twin once it is there")
	}
	switch d.Phase {
	case "":
		d.Phase = twin.Onboarding
	case twin.Onboarding, twin.Provisioning, twin.Operational:
	default:
		return api.Invalid("definition.phase %.40q: a twin begins as onboarding, or as operational where its device needs no provisioning", d.Phase)
	}
	return nil
}

// settled is how long after a twin's removal began its id may be used again: what was under way has ended by then.
const settled = 5 * time.Second

// taken decides about an id that is in use: provisioning gets the twin it made before; one that is being removed makes room
// as soon as others know that it is gone.
func (f *function) taken(ctx context.Context, c access.Caller, t *twin.Twin) (*twin.Twin, error) {
	old, err := f.twins.Get(ctx, string(t.ID))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case !old.Deleted.IsZero():
		switch {
		case archives(&old) && f.p.Objects == nil:
			return nil, fmt.Errorf("%w: the data of the twin %s that was deleted are kept, because this platform has no object store to archive them in; "+
				"erase them first (castor archive delete)", api.ErrConflict, t.ID)
		case archives(&old):
			return nil, fmt.Errorf("%w: the data of the twin %s that was deleted are just being archived; try again in a minute", api.ErrUnavailable, t.ID)
		case len(old.Outbox.Pending) == 0 && f.p.Time().Sub(old.Deleted) >= settled:
			return nil, f.purge(ctx, old)
		}
		return nil, fmt.Errorf("%w: twin %s is just being removed; try again in a few seconds", api.ErrUnavailable, t.ID)
	case c.Kind == access.Part && old.Kind == t.Kind && old.Definition.Type == t.Definition.Type && old.Definition.Owner == t.Definition.Owner:
		return &old, nil
	}
	return nil, fmt.Errorf("%w: twin id %s is taken", api.ErrExists, t.ID)
}

// checkOwner: who is not a configurator names own groups only; the platform's maintainers alone may leave it open.
func (f *function) checkOwner(ctx context.Context, c access.Caller, owner string) error {
	switch {
	case c.Kind == access.Part || c.Is(access.Maintainer) && owner == "":
		return nil
	case owner == "":
		return api.Invalid("definition.owner must name the group it belongs to, else you could not see it yourself")
	case !slices.Contains(c.Groups, owner) && !c.Is(access.Maintainer, access.Configurator):
		return fmt.Errorf("%w: definition.owner: you may name your own groups only", access.ErrDenied)
	}
	return f.p.Group(ctx, c, "definition.owner", owner)
}

func (f *function) checkType(ctx context.Context, c access.Caller, id twin.TypeID) error {
	if id == "" {
		return nil
	}
	t, err := f.p.Twin(ctx, f.twins, c, access.Read, id)
	if errors.Is(err, api.ErrNotFound) || err == nil && t.Kind != twin.Type {
		return api.Invalid("definition.type: there is no type %q; make it first", id)
	}
	return err
}
