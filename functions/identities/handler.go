// Package identities is the twin identity manager (paper 4.3.1): it keeps what never changes about a device (id, serial, MAC,
// model), also before the device is seen for the first time. Where a device is, whose it is and how it does is the twin's to
// say.
package identities

import (
	"context"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

var handle = platform.Lazy("identities", New)

// identities is the function with its collections.
type identities struct {
	p     *platform.Platform
	known *store.Collection[device.Identity]
	twins *store.Collection[twin.Twin] // read only
}

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		known, err := store.Open[device.Identity](ctx, p.DB, store.Spec{Name: "identities", Schema: 1, Indexes: []store.Index{
			{Name: "by-serial", Fields: []string{"serial"}, Unique: true},
			{Name: "by-serials", Fields: []string{"serials"}, Unique: true},
			{Name: "by-mac", Fields: []string{"mac"}, Unique: true},
			{Name: "by-owner", Fields: []string{"owner"}},
			{Name: "by-model", Fields: []string{"model"}},
			{Name: "by-replacing", Fields: []string{"replacing"}},
		}})
		if err != nil {
			return nil, err
		}
		twins, err := platform.OpenTwins(ctx, p.DB)
		if err != nil {
			return nil, err
		}
		i := &identities{p, known, twins}
		readers, makers := access.Users().And("*"), access.Only(access.Configurator, access.Owner)
		return faas.Routes{
			"POST /identities":               faas.Op(p, makers.And("twin-provision"), i.create),
			"GET /identities":                faas.Op(p, readers, i.list),
			"GET /identities/{id}":           faas.Op(p, readers, i.get),
			"DELETE /identities/{id}":        faas.Op(p, makers, i.remove),
			"POST /identities/{id}/replace":  faas.Op(p, makers.And("twin-provision"), i.replace),
			"POST /identities/{id}/retire":   faas.Op(p, access.Parts("twins"), i.retire),
			"POST /identities/{id}/restore":  faas.Op(p, access.Only(access.Configurator), i.restore),
			"GET /replacing":                 faas.Op(p, access.Parts("twin-provision"), i.replacing).Quiet(),
			"POST /identities/{id}/replaced": faas.Op(p, access.Parts("twin-provision"), i.cutOff),
			"POST /import":                   faas.Op(p, access.Only(access.Configurator), i.imports),
		}, nil
	})
}
