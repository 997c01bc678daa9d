package twinprovision

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"go.yaml.in/yaml/v3"
)

// automatic is the model of types that name none. It is inserted once; configurators may replace it.
//
//go:embed automatic.yaml
var automatic []byte

const automaticID = "automatic"

func (f *function) insertAutomatic(ctx context.Context) error {
	m, err := readYAML(automatic)
	if err == nil {
		err = m.Valid(f.guard)
	}
	if err != nil {
		return err
	}
	m.Version, m.Updated = 1, f.p.Time()
	if err := f.models.Insert(ctx, m); err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	return nil
}

func readYAML(body []byte) (m provision.Model, err error) {
	d := yaml.NewDecoder(bytes.NewReader(body))
	d.KnownFields(true)
	if err := d.Decode(&m); err != nil {
		return m, api.Invalid("the body is not the YAML expected here: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(new(yaml.Node)); err != io.EOF {
		return m, api.Invalid("there is something behind the first YAML document")
	}
	return m, nil
}

// putModel makes a model or a new version of it, from JSON or YAML. Runs under way keep the version they began with.
func (f *function) putModel(ctx context.Context, c *faas.Call, body []byte) (faas.Reply, error) {
	if len(body) > faas.MaxBody {
		return faas.Reply{}, errors.Join(api.ErrTooLarge, api.Invalid("the body may have %d bytes", faas.MaxBody))
	}
	var m provision.Model
	var err error
	if t := c.Header.Get("Content-Type"); strings.Contains(t, "yaml") {
		m, err = readYAML(body)
	} else {
		err = faas.JSON(body, &m)
	}
	if err != nil {
		return faas.Reply{}, err
	}
	id := c.Var("id")
	if m.ID == "" {
		m.ID = id
	}
	if m.ID != id {
		return faas.Reply{}, api.Invalid("id: the path says %q, the body %.80q", id, m.ID)
	}
	if len(m.Note) > 1000 {
		return faas.Reply{}, api.Invalid("note must be at most 1000 bytes")
	}
	if err := m.Valid(f.guard); err != nil {
		return faas.Reply{}, err
	}
	if err := f.mayEdit(ctx, c.Caller, m.Type); err != nil {
		return faas.Reply{}, err
	}
	made := false
	m, err = f.models.Upsert(ctx, id, func(v *provision.Model, exists bool) error {
		if err := f.mayEdit(ctx, c.Caller, v.Type); err != nil {
			return err
		}
		if err := c.Match(v.Version); err != nil {
			return err
		}
		made = !exists
		if exists {
			if err := f.keepVersion(ctx, *v); err != nil {
				return err
			}
		}
		version := v.Version
		*v = m
		v.Version, v.Updated = version+1, f.p.Time()
		return nil
	})
	if err != nil {
		return faas.Reply{}, err
	}
	reply := faas.Versioned(m.Version, m)
	if made {
		reply.Status = 201
		reply.Header.Set("Location", "/models/"+id)
	}
	return reply, nil
}

// mayEdit returns nil if the caller may write the type that owns a model; a model of no type is every configurator's.
func (f *function) mayEdit(ctx context.Context, caller access.Caller, owner twin.TypeID) error {
	if owner == "" {
		return nil
	}
	t, err := f.p.Twin(ctx, f.twins, caller, access.Write, owner)
	if isNotFound(err) || err == nil && t.Kind != twin.Type {
		return api.Invalid("type: there is no type %q that you may change", owner)
	}
	return err
}

// getModel returns a model, or a version of it that was replaced since.
func (f *function) getModel(ctx context.Context, c *faas.Call, _ faas.None) (faas.Reply, error) {
	id := c.Var("id")
	m, err := f.models.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return faas.Reply{}, platform.NotFound("model", id)
	}
	v := c.Query.Get("version")
	if err != nil || v == "" {
		return faas.Versioned(m.Version, m), err
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 1 {
		return faas.Reply{}, api.Invalid("version %.20q must be a number from 1 on", v)
	}
	if n == m.Version {
		return faas.Versioned(n, m), nil
	}
	old, err := f.versions.Get(ctx, versionID(id, n))
	if errors.Is(err, store.ErrNotFound) {
		return faas.Reply{}, platform.NotFound("model", fmt.Sprintf("%s, version %d", id, n))
	}
	return faas.Versioned(n, old.Model), err
}

// A version is a model as it was until it was replaced.
type version struct {
	ID    string          `bson:"_id"`
	Model provision.Model `bson:"model"`
}

func versionID(model string, n int64) string { return fmt.Sprintf("%s|%d", model, n) }

// keepVersion keeps a model that is about to be replaced.
func (f *function) keepVersion(ctx context.Context, m provision.Model) error {
	return f.versions.PutMany(ctx, []version{{versionID(m.ID, m.Version), m}})
}

func (f *function) listModels(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[provision.Model], error) {
	limit, err := c.Limit()
	if err != nil {
		return api.Page[provision.Model]{}, err
	}
	page, err := f.models.Find(ctx, store.Query{Limit: limit, Cursor: c.Query.Get("cursor")})
	if page.Items == nil {
		page.Items = []provision.Model{}
	}
	return api.Page[provision.Model](page), err
}

// modelOf returns the model that brings in devices of a type; its errors are reasons for the device.
func (f *function) modelOf(ctx context.Context, t *twin.Twin) (provision.Model, error) {
	id := automaticID
	if t.Definition.Model != nil && t.Definition.Model.Provisioning != "" {
		id = t.Definition.Model.Provisioning
	}
	m, err := f.models.Get(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return m, refusal(fmt.Sprintf("type %s names provisioning model %s, which does not exist", t.ID, id))
	case err == nil && m.Type != "" && m.Type != t.ID:
		return m, refusal(fmt.Sprintf("type %s names provisioning model %s, which is another type's", t.ID, id))
	}
	return m, err
}
