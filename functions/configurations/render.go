package configurations

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// render populates a template for one twin. The call's parameters go above the type's, those above the template's own.
func (c *configurations) render(ctx context.Context, call *faas.Call, in api.Render) (twin.Configuration, error) {
	if err := checkPairs("parameters", in.Parameters, maxValue); err != nil {
		return twin.Configuration{}, err
	}
	tpl, err := c.find(ctx, call.Var("name"))
	if err != nil {
		return twin.Configuration{}, err
	}
	t, err := c.p.Twin(ctx, c.twins, call.Caller, access.Read, in.Twin)
	if err != nil {
		return twin.Configuration{}, err
	}
	if t.Kind != twin.Instance {
		return twin.Configuration{}, api.Invalid("twin: %s is a twin of kind %s; configurations are rendered for instances", t.ID, t.Kind)
	}
	parameters := map[string]string{}
	maps.Copy(parameters, tpl.Parameters)
	of, err := c.twins.Get(ctx, string(t.Definition.Type))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return twin.Configuration{}, err
	}
	if of.Definition.Model != nil {
		maps.Copy(parameters, of.Definition.Model.Parameters)
	}
	maps.Copy(parameters, in.Parameters)
	identity, err := c.p.API.GetIdentity(ctx, t.ID)
	if err != nil && !errors.Is(err, api.ErrNotFound) { // a twin made by hand may have none
		return twin.Configuration{}, fmt.Errorf("the identity of %s: %w", t.ID, err)
	}
	content, err := expand(tpl, data(&t, &identity, parameters))
	if err != nil {
		return twin.Configuration{}, err
	}
	return twin.Configuration{Template: tpl.Name, Version: tpl.Version, Content: content, Rendered: c.p.Time()}, nil
}

// data is what templates see: plain values, so that no method of ours can be called.
func data(t *twin.Twin, i *device.Identity, parameters map[string]string) map[string]any {
	location := map[string]any{"region": "", "site": ""}
	if l := t.Definition.Location; l != nil {
		location["region"], location["site"] = l.Region, l.Site
		if l.Latitude != nil {
			location["latitude"] = *l.Latitude
		}
		if l.Longitude != nil {
			location["longitude"] = *l.Longitude
		}
	}
	name := t.Definition.Name
	if name == "" {
		name = string(t.ID)
	}
	return map[string]any{
		"Twin":       map[string]any{"id": string(t.ID), "name": name, "type": string(t.Definition.Type), "owner": t.Definition.Owner, "location": location},
		"Identity":   map[string]any{"serial": i.Serial, "mac": i.MAC, "model": i.Model, "maker": i.Maker},
		"Parameters": parameters,
	}
}
