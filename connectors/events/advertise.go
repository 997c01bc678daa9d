package events

import (
	"context"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/openfaas/faas-provider/types"
)

// advertised is how long an advertisement lasts, in seconds; it is renewed with every list.
const advertised = 60

// advertise registers functions that name capabilities in the service directory. A function lives only while it is called and
// cannot do that itself; that the gateway lists it is what tells that it can be called. When the directory does not answer,
// the next list comes sooner.
func (c *Connector) advertise(ctx context.Context, functions []types.FunctionStatus, wait time.Duration) time.Duration {
	if c.API == nil {
		return wait
	}
	for _, f := range functions {
		if f.Annotations == nil || !validFunction.MatchString(f.Name) || (*f.Annotations)["castor.capabilities"] == "" {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := c.API.Register(ctx, api.Advertisement{ID: f.Name, Kind: "function", Name: f.Name, URL: "/function/" + f.Name,
			Capabilities: strings.Split((*f.Annotations)["castor.capabilities"], ","), Interfaces: []string{"http"}, TTL: advertised})
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				c.Log.Warn("function not registered in the directory", "name", f.Name, "error", err)
			}
			return min(wait, time.Second)
		}
	}
	return wait
}
