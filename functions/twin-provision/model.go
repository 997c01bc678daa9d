package twinprovision

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// shipped are the models that every platform has. Each is inserted once; configurators may replace it, but not delete it.
//
//go:embed models/*.yaml
var shipped embed.FS

func (f *function) insertShipped(ctx context.Context) error {
	for _, id := range provision.Shipped {
		body, err := shipped.ReadFile("models/" + id + ".yaml")
		if err != nil {
			return err
		}
		m, err := f.readGood(body, false, id)
		if err != nil {
			return err
		}
		m.Version, m.Updated = 1, f.p.Time()
		if err := f.models.Insert(ctx, m); err != nil && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
	return nil
}

// readGood reads a model that has no faults. With an id, it has that or none.
func (f *function) readGood(body []byte, isJSON bool, id string) (provision.Model, error) {
	if len(body) > faas.MaxBody {
		return provision.Model{}, errors.Join(api.ErrTooLarge, api.Invalid("a model may have %d bytes", faas.MaxBody))
	}
	t := readModel(body, isJSON)
	if t.model.ID == "" {
		t.model.ID = id
	}
	faults := t.check(f.guard)
	if id != "" && t.model.ID != id && (len(faults) == 0 || len(t.model.States) > 0) {
		faults = append(faults, t.placed(provision.Fault{Path: "id", Text: fmt.Sprintf("the path says %q, the model %.80q", id, t.model.ID)}))
	}
	if len(faults) > 0 {
		return t.model, &provision.FaultyError{Model: id, Faults: faults}
	}
	return t.model, nil
}

// isJSON tells whether a call's body is said to be JSON; it is YAML else.
func isJSON(c *faas.Call) bool { return !strings.Contains(c.Header.Get("Content-Type"), "yaml") }

// putModel makes a model or a new version of it, from JSON or YAML. Runs under way keep the version they began with.
func (f *function) putModel(ctx context.Context, c *faas.Call, body []byte) (faas.Reply, error) {
	id := c.Var("id")
	if id == "schema" {
		return faas.Reply{}, api.Invalid("id: a model cannot be called %s, for that is where their JSON Schema is", id)
	}
	m, err := f.readGood(body, isJSON(c), id)
	if err != nil {
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
		if exists && same(*v, m) {
			return store.Unchanged
		}
		if exists && m.Type != "" && m.Type != v.Type {
			if why, err := f.namedBy(ctx, id, m.Type); err != nil || why != "" {
				return errors.Join(err, conflict(why))
			}
		}
		version := v.Version
		if exists {
			if err := f.keepVersion(ctx, *v); err != nil {
				return err
			}
		} else if version, err = f.lastVersion(ctx, id); err != nil {
			return err
		}
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

// same tells whether two models say the same; that one was put later than the other is not said by them.
func same(a, b provision.Model) bool {
	a.Version, a.Updated, b.Version, b.Updated = 0, time.Time{}, 0, time.Time{}
	x, err := json.Marshal(a)
	y, other := json.Marshal(b)
	return err == nil && other == nil && bytes.Equal(x, y)
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
