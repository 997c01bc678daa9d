package twinprovision

import (
	"context"
	"errors"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// choose returns the model that brings in a device of type t which asks as r says, and why it is that one. What conditions need of
// the device's identity is put into r. Its refusals are reasons for the device.
func (f *function) choose(ctx context.Context, t *twin.Twin, r *provision.Run) (m provision.Model, why string, err error) {
	looked := t.Definition.Model != nil && len(t.Definition.Model.Choices) > 0
	if looked {
		if err := f.know(ctx, r); err != nil {
			return m, "", err
		}
	}
	meter := provision.Metered(ctx, f.guard, judgeFor)
	chosen := provision.Choose(t.Definition.Model, meter, r.Facts())
	if ctx.Err() != nil {
		return m, "", ctx.Err()
	} else if meter.Err() != nil {
		return m, "", refusal(fmt.Sprintf("the choices of type %s take more than %s to judge; make them simpler, or fewer", t.ID, judgeFor))
	}
	m, err = f.modelFor(ctx, t, chosen.Model)
	if err == nil && !looked && m.Conditional() {
		err = f.know(ctx, r)
	}
	return m, chosen.Why, err
}

// modelFor is a model that a type names. Its refusals are reasons for the device.
func (f *function) modelFor(ctx context.Context, t *twin.Twin, id string) (m provision.Model, err error) {
	m, err = f.models.Get(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return m, refusal(fmt.Sprintf("type %s names provisioning model %s, which does not exist", t.ID, id))
	case err == nil && m.Type != "" && m.Type != t.ID:
		return m, refusal(fmt.Sprintf("type %s names provisioning model %s, which is another type's", t.ID, id))
	}
	return m, err
}

// chooseModel tells by which model a device would come in of which this much is known, and why. Nothing is looked up: what the
// sample does not say is not known.
func (f *function) chooseModel(ctx context.Context, c *faas.Call, in provision.Sample) (api.ModelChoice, error) {
	t, err := f.typeFor(ctx, c.Caller, in.Type)
	if err != nil {
		return api.ModelChoice{}, err
	}
	meter := provision.Metered(ctx, f.guard, judgeFor)
	chosen := provision.Choose(t.Definition.Model, meter, in.Facts())
	if err := meter.Err(); err != nil {
		return api.ModelChoice{}, err
	}
	m, err := f.modelFor(ctx, &t, chosen.Model)
	return api.ModelChoice{Type: t.ID, Version: m.Version, Chosen: chosen}, told(err)
}

// know looks for the device's identity, as far as it counts for the run's group.
func (f *function) know(ctx context.Context, r *provision.Run) error {
	if r.Request.Serial == "" {
		return nil
	}
	i, err := f.p.API.FindIdentity(ctx, r.Request.Serial)
	if errors.Is(err, api.ErrNotFound) {
		return nil
	}
	if err == nil && (i.Owner == "" || i.Owner == r.Owner) {
		r.Known.Identity = knownIdentity(&i)
	}
	return err
}

func knownIdentity(i *device.Identity) provision.KnownIdentity {
	return provision.KnownIdentity{ID: string(i.ID), Serial: i.Serial, MAC: i.MAC, Model: i.Model, Maker: i.Maker, Type: i.Type, Owner: i.Owner}
}

func knownClaim(c *device.Claim) provision.KnownClaim {
	return provision.KnownClaim{ID: c.ID, Owner: c.Owner, Type: string(c.Type), Batch: c.Batch, Temporary: c.Temporary}
}

// chosen is the first step's account of how a run began.
func chosen(asked string, m *provision.Model, why string) string {
	return fmt.Sprintf("%s; model %s, version %d: %s", asked, m.ID, m.Version, why)
}
