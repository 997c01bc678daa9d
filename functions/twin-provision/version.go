package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"go.yaml.in/yaml/v3"
)

// A version is a model as it was until it was replaced or deleted. Its id sorts the versions of one model.
type version struct {
	ID    string          `bson:"_id"`
	Model provision.Model `bson:"model"`
}

func versionID(model string, n int64) string { return fmt.Sprintf("%s|%d", model, n) }

// keepVersion keeps a model that is about to be replaced.
func (f *function) keepVersion(ctx context.Context, m provision.Model) error {
	return f.versions.PutMany(ctx, []version{{versionID(m.ID, m.Version), m}})
}

// getModel returns a model, or a version of it that was replaced since; as YAML if that is asked for.
func (f *function) getModel(ctx context.Context, c *faas.Call, _ faas.None) (faas.Reply, error) {
	m, err := f.modelAt(ctx, c.Var("id"), c.Query.Get("version"))
	if err != nil || !strings.Contains(c.Header.Get("Accept"), "yaml") {
		return faas.Versioned(m.Version, m), err
	}
	body, err := yaml.Marshal(m)
	reply := faas.Versioned(m.Version, nil)
	reply.Body = body
	reply.Header.Set("Content-Type", "application/yaml")
	return reply, err
}

// modelAt is a model as it is, or in a version that has a number.
func (f *function) modelAt(ctx context.Context, id, number string) (provision.Model, error) {
	m, err := f.models.Get(ctx, id)
	missing := errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid)
	switch {
	case missing && number == "":
		return m, platform.NotFound("model", id)
	case err != nil && !missing, number == "":
		return m, err
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 {
		return m, api.Invalid("version %.20q must be a number from 1 on", number)
	}
	if !missing && n == m.Version {
		return m, nil
	}
	old, err := f.versions.Get(ctx, versionID(id, n))
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return m, platform.NotFound("model", fmt.Sprintf("%s, version %d", id, n))
	}
	return old.Model, err
}

// oldVersions are the versions of a model that were replaced, the newest first.
func (f *function) oldVersions(ctx context.Context, id string) (all []provision.Model, err error) {
	if twin.ID(id).Valid() != nil {
		return nil, nil
	}
	err = f.versions.Scan(ctx, store.Query{Filter: store.And(store.Gt("_id", id+"|"), store.Lt("_id", id+"}"))}, func(v version) error {
		all = append(all, v.Model)
		return nil
	})
	slices.SortFunc(all, func(a, b provision.Model) int { return int(b.Version - a.Version) })
	return all, err
}

// lastVersion is the newest version that a model had which is there no more; 0 if there was none. Numbers are never used again.
func (f *function) lastVersion(ctx context.Context, id string) (int64, error) {
	all, err := f.oldVersions(ctx, id)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return all[0].Version, nil
}

// listVersions lists all versions of a model without their states, the newest first.
func (f *function) listVersions(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[provision.Model], error) {
	id := c.Var("id")
	m, err := f.modelAt(ctx, id, "")
	if err != nil {
		return api.Page[provision.Model]{}, err
	}
	old, err := f.oldVersions(ctx, id)
	items := append([]provision.Model{m}, old...)
	items = items[:min(len(items), store.MaxLimit)]
	for i := range items {
		items[i].States = []provision.State{}
	}
	return api.Page[provision.Model]{Items: items}, err
}

// deleteModel takes a model away that no type names and no open run follows. Its versions stay: runs tell of them.
func (f *function) deleteModel(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	id := c.Var("id")
	m, err := f.modelAt(ctx, id, "")
	if err != nil {
		return faas.None{}, err
	}
	if err := f.mayEdit(ctx, c.Caller, m.Type); err != nil {
		return faas.None{}, err
	}
	if err := c.Match(m.Version); err != nil {
		return faas.None{}, err
	}
	if slices.Contains(provision.Shipped, id) {
		return faas.None{}, fmt.Errorf("%w: model %s comes with the platform; put a new version of it in its place", api.ErrConflict, id)
	}
	if why, err := f.usedBy(ctx, id); err != nil || why != "" {
		return faas.None{}, errors.Join(err, conflict(why))
	}
	if err := f.keepVersion(ctx, m); err != nil {
		return faas.None{}, err
	}
	err = f.models.Delete(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return faas.None{}, err
}

func conflict(why string) error {
	if why == "" {
		return nil
	}
	return fmt.Errorf("%w: %s", api.ErrConflict, why)
}

// usedBy tells what stands against deleting a model; "" if nothing does.
func (f *function) usedBy(ctx context.Context, id string) (why string, err error) {
	if why, err := f.namedBy(ctx, id, ""); err != nil || why != "" {
		return why, err
	}
	open := store.Query{Index: "by-outcome", Filter: store.Eq("outcome", nil), Fields: []string{"model._id"}}
	err = f.runs.Scan(ctx, open, func(r provision.Run) error {
		if r.Model.ID != id {
			return nil
		}
		why = fmt.Sprintf("run %s follows model %s; reset it, or wait for its end", r.ID, id)
		return store.Stop
	})
	return why, ignoreStop(err)
}

// namedBy tells which type but one names a model, and what is to be done about it; "" if none does. Where but is "" every type counts.
func (f *function) namedBy(ctx context.Context, id string, but twin.TypeID) (why string, err error) {
	q := store.Query{Index: "by-kind", Filter: store.Eq("kind", twin.Type), Fields: []string{"definition.model", "deleted"}}
	err = f.twins.Scan(ctx, q, func(t twin.Twin) error {
		m := t.Definition.Model
		if m == nil || t.ID == but || !t.Deleted.IsZero() || m.Provisioning != id && !slices.ContainsFunc(m.Choices, func(c twin.Choice) bool { return c.Model == id }) {
			return nil
		}
		why = fmt.Sprintf("type %s brings in devices by model %s; have it name another one first", t.ID, id)
		return store.Stop
	})
	return why, ignoreStop(err)
}

func ignoreStop(err error) error {
	if errors.Is(err, store.Stop) {
		return nil
	}
	return err
}
