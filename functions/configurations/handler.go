// Package configurations is the device configuration directory (paper 4.4.2): it keeps templates, finds them by their
// metadata, and populates them for one twin. It does not push anything to devices, and it does not keep what it rendered:
// that is the twin's.
package configurations

import (
	"context"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

var handle = platform.Lazy("configurations", New)

// configurations is the function with its collections.
type configurations struct {
	p         *platform.Platform
	templates *store.Collection[template]
	versions  *store.Collection[version]
	twins     *store.Collection[twin.Twin] // read only
}

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		c := &configurations{p: p}
		var err error
		if c.templates, err = store.Open[template](ctx, p.DB, store.Spec{Name: "templates", Schema: 1, Indexes: []store.Index{
			{Name: "by-metadata", Fields: []string{"labels"}},
		}}); err != nil {
			return nil, err
		}
		if c.versions, err = store.Open[version](ctx, p.DB, store.Spec{Name: "template-versions", Schema: 1}); err != nil {
			return nil, err
		}
		if c.twins, err = platform.OpenTwins(ctx, p.DB); err != nil {
			return nil, err
		}
		return c.routes(), nil
	})
}

func (c *configurations) routes() faas.Routes {
	configurators := access.Only(access.Configurator)
	return faas.Routes{
		"PUT /templates/{name}":         faas.Op(c.p, configurators, c.putTemplate),
		"GET /templates/{name}":         faas.Op(c.p, configurators, c.getTemplate),
		"GET /templates":                faas.Op(c.p, configurators, c.listTemplates),
		"POST /templates/{name}/render": faas.Op(c.p, configurators.And("twin-provision"), c.render).Quiet(), // it changes nothing
	}
}

// A template as it is stored.
type template struct {
	api.Template `bson:",inline"`

	// Labels are the metadata as "key=value", for the index.
	Labels []string `bson:"labels,omitempty"`
}

// A version is a template as it was: its id is name@version.
type version struct {
	ID       string       `bson:"_id"`
	Template api.Template `bson:"template"`
}
