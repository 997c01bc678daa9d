package gateways

import (
	"context"
	"fmt"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
)

// tells takes what a gateway has applied that may publish no events itself, and publishes it: what it says can only be of itself, and
// the events' ids are of its own too. Telling it again publishes the same.
func (g *gateways) tells(ctx context.Context, call *faas.Call, in api.Applied) (faas.None, error) {
	id := call.Var("id")
	if call.Caller.Gateway != id {
		return faas.None{}, fmt.Errorf("%w: a connector may speak for its own gateway only", access.ErrDenied)
	}
	if len(in.Applied) == 0 || len(in.Applied) > api.MaxApplied {
		return faas.None{}, api.Invalid("applied must have 1 to %d changes", api.MaxApplied)
	}
	events := make([]event.Event, len(in.Applied))
	for i, a := range in.Applied {
		switch {
		case a.Gateway != id:
			return faas.None{}, fmt.Errorf("%w: applied[%d] is of gateway %.80q; a connector may speak for its own gateway only", access.ErrDenied, i, a.Gateway)
		case !idPattern.MatchString(a.Client):
			return faas.None{}, api.Invalid("applied[%d].client must be a claim's id or a device reference", i)
		case a.Revision == 0:
			return faas.None{}, api.Invalid("applied[%d].revision must be that of the bucket's entry", i)
		case len(a.Lost) > api.MaxLost:
			return faas.None{}, api.Invalid("applied[%d].lost must be at most %d bytes", i, api.MaxLost)
		}
		events[i] = a.Event(g.p.Time())
	}
	return faas.None{}, g.p.Bus.Publish(ctx, events...)
}
