package gateways

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

// findEntrances says at which provisioning gateways devices are to come in, one for each protocol: the nearest that is alive and has room for
// a session more, and what else they may dial. Of gateways that are equally near the preferred come first: those that the platform is
// configured to name.
func (g *gateways) findEntrances(ctx context.Context, _ *faas.Call, in api.FindEntrances) ([]api.Entrance, error) {
	if in.Location != nil {
		if err := in.Location.Validate(); err != nil {
			return nil, err
		}
	}
	now := g.p.Time()
	all, err := g.ofPhase(ctx, provisioning)
	if err != nil {
		return nil, err
	}
	if in.Gateway != "" {
		if err := g.mayName(ctx, in.Gateway, now); err != nil {
			return nil, err
		}
	}
	open := map[string][]gateway{}
	for _, w := range all {
		if w.healthy(now) && (w.Sessions < w.Capacity || w.ID == in.Gateway) {
			w.Devices, w.Kinds, w.PublicKey = 0, nil, "" // nobody has a place there, and who asks shows a claim
			open[w.Protocol] = append(open[w.Protocol], w)
		}
	}
	out := []api.Entrance{}
	for protocol, some := range open {
		slices.SortStableFunc(some, func(a, b gateway) int { return cmp.Compare(rank(in.Prefer, a.URL), rank(in.Prefer, b.URL)) })
		w := want{protocol: protocol, location: in.Location}
		w.order(some)
		e := api.Entrance{Protocol: protocol, Gateway: some[0].ID, URL: some[0].URL}
		e.Reason = w.why(&some[0], fmt.Sprintf("it has %d of %d sessions", some[0].Sessions, some[0].Capacity), len(some))
		if n := slices.IndexFunc(some, func(w gateway) bool { return w.ID == in.Gateway }); n >= 0 {
			e.Gateway, e.URL, e.Reason, e.Named = some[n].ID, some[n].URL, "it was asked for", true
		}
		e.Alternatives = w.alternatives(some, e.URL, now)[1:]
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b api.Entrance) int { return cmp.Compare(a.Protocol, b.Protocol) })
	return out, nil
}

// rank is where the address is in the list, beyond its end if it is not.
func rank(urls []string, url string) int {
	if n := slices.Index(urls, url); n >= 0 {
		return n
	}
	return len(urls)
}

// mayName refuses a gateway at which no device could come in.
func (g *gateways) mayName(ctx context.Context, id string, now time.Time) error {
	v, err := g.gateways.Get(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrInvalid):
		return api.Invalid("gateway: there is no gateway %.80q; leave it out, and the nearest is named", id)
	case err != nil:
		return err
	case v.Phase != provisioning:
		return api.Invalid("gateway: %s is an operational one, and devices come in at provisioning ones; leave it out, and the nearest is named", id)
	case !v.healthy(now):
		return api.Invalid("gateway: %s is not heard of; leave it out, and the nearest that is alive is named", id)
	}
	return nil
}
