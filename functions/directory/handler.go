// Package directory is the service directory (paper 4.2.2): parts of the platform advertise here what they can do and where
// they are entered, and find each other by it. An advertisement that is not renewed is gone; nothing here calls anybody.
package directory

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

var handle = platform.Lazy("directory", New)

// directory is the function with its collection.
type directory struct {
	p    *platform.Platform
	says *store.Collection[said]
}

// A said is an advertisement with who it is by.
type said struct {
	api.Advertisement `bson:",inline"`

	By string `bson:"by,omitempty"`

	// Sealed is a service's secret, sealed for sealOf.
	Sealed []byte `bson:"sealed,omitempty"`
}

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		says, err := store.Open[said](ctx, p.DB, store.Spec{Name: "advertisements", Schema: 1, Indexes: []store.Index{
			{Name: "by-capability", Fields: []string{"capabilities"}},
			{Name: "by-interface", Fields: []string{"interfaces"}},
			{Name: "by-name", Fields: []string{"name"}},
			{Name: "by-kind", Fields: []string{"kind"}},
			{Name: "by-expiry", Fields: []string{"expires"}},
			{Name: "by-speaker", Fields: []string{"by"}},
		}})
		d := &directory{p: p, says: says}
		speakers := access.Services().And("*", "connector", "events")
		readers := access.Users().And("*", "connector", "events")
		return faas.Routes{
			"GET /services":      faas.Op(p, readers, d.list),
			"GET /services/{id}": faas.Op(p, readers, d.get),
			"GET /twins":         faas.Op(p, access.Users(), d.twins),
			// Not audited: they are repeated all the time, and change nothing that anybody decided.
			"PUT /services":             faas.Op(p, access.Parts("*", "connector", "events"), d.registerMany).Quiet(),
			"PUT /services/{id}":        faas.Op(p, speakers, d.register).Quiet(),
			"DELETE /services/{id}":     faas.Op(p, speakers, d.deregister).Quiet(),
			"GET /services/{id}/secret": faas.Op(p, access.Parts("twin-provision"), d.secret).Quiet(),
			"POST /schedule":            faas.Schedule(p, d.purge),
		}, err
	})
}

// purge removes what has expired. Lists leave it out before that.
func (d *directory) purge(ctx context.Context, _ time.Time) error {
	for {
		n, err := d.says.DeleteRange(ctx, store.Query{Index: "by-expiry", Filter: store.Lte("expires", d.p.Time()), Limit: 1000})
		if err != nil || n < 1000 {
			return err
		}
	}
}
