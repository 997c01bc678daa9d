// Package artifacts is the device artifact repository (paper 4.4.3): system images, clients and dependencies, which people
// and devices send to and fetch from the object store directly, by URLs this function signs. It keeps who owns them, checks
// their content, stores equal content once, bounds what a group may take, and removes what nobody refers to. It never passes
// content through itself but to verify it, and does not know what it is for.
package artifacts

import (
	"context"
	"errors"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

var handle = platform.Lazy("artifacts", New)

// function is what the operations share.
type function struct {
	p         *platform.Platform
	artifacts *store.Collection[artifact]
	quotas    *store.Collection[quota]
	walks     *store.Collection[walk]
}

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		f, err := open(ctx, p)
		if err != nil {
			return nil, err
		}
		return f.routes(), nil
	})
}

func open(ctx context.Context, p *platform.Platform) (*function, error) {
	if p.Objects == nil {
		return nil, errors.New("there is no object store: CASTOR_S3_ENDPOINT must name one")
	}
	f := &function{p: p}
	var err error
	if f.artifacts, err = store.Open[artifact](ctx, p.DB, store.Spec{Name: "artifacts", Schema: 1, Indexes: []store.Index{
		{Name: "by-scope", Fields: []string{"scopes", "order"}},
		{Name: "by-content", Fields: []string{"sha256", "state"}},
		{Name: "by-object", Fields: []string{"objects", "state"}},
		{Name: "by-owner", Fields: []string{"owner", "state"}},
		{Name: "by-state", Fields: []string{"state", "since"}},
		{Name: "by-tidy", Fields: []string{"tidy"}},
		{Name: "by-debt", Fields: []string{"owed"}},
		{Name: "by-due", Fields: []string{"due"}},
	}}); err != nil {
		return nil, err
	}
	if f.quotas, err = store.Open[quota](ctx, p.DB, store.Spec{Name: "artifact-quotas", Schema: 1, Indexes: []store.Index{
		{Name: "by-recounted", Fields: []string{"recounted"}},
	}}); err != nil {
		return nil, err
	}
	f.walks, err = store.Open[walk](ctx, p.DB, store.Spec{Name: "artifact-walks", Schema: 1})
	return f, err
}

func (f *function) routes() faas.Routes {
	owners := access.Only(access.Owner, access.Configurator)
	readers := access.Users().And("*") // parts of the platform fetch for devices
	parts := access.Parts("*")
	return platform.Watched(f.p, faas.Routes{
		"POST /artifacts":               faas.Op(f.p, owners, f.create),
		"GET /artifacts":                faas.Op(f.p, access.Users(), f.list),
		"GET /artifacts/{id}":           faas.Op(f.p, readers, f.get),
		"DELETE /artifacts/{id}":        faas.Op(f.p, owners, f.delete),
		"GET /artifacts/{id}/parts":     faas.Op(f.p, owners, f.listParts),
		"POST /artifacts/{id}/complete": faas.Op(f.p, owners, f.complete),
		"GET /artifacts/{id}/download":  faas.Op(f.p, readers, f.download),

		"PUT /references/{id}/{referrer}":    faas.Op(f.p, parts, f.refer).Quiet(),
		"DELETE /references/{id}/{referrer}": faas.Op(f.p, parts, f.release).Quiet(),

		"GET /quotas/{group}": faas.Op(f.p, access.Users(), f.getQuota),
		"PUT /quotas/{group}": faas.Op(f.p, access.Only(access.Maintainer), f.putQuota),

		"POST /sweep": faas.Op(f.p, access.Parts("twin-watchdog"), f.sweep).Quiet(),
	}, f.operation())
}
