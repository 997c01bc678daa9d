package credentials

import (
	"context"
	"maps"
	"slices"

	"github.com/castor-iot/castor/shared/api"
)

// entrances fills in where the devices of a claim come in: at the nearest provisioning gateway of each protocol, or at the one that people
// insist on. Where the manager of gateways cannot be asked, or knows of none, the claim names what the platform is configured to.
func (c *credentials) entrances(ctx context.Context, in *api.NewClaim) (f api.ClaimFile, err error) {
	f = api.ClaimFile{Gateway: c.p.Provisioning, Gateways: maps.Clone(c.p.Gateways), CA: string(c.ca.PEM())}
	first := ""
	for protocol, url := range f.Gateways {
		if url == f.Gateway {
			first = protocol
		}
	}
	if first == "" {
		first = "mqtt"
	}
	prefer := append([]string{f.Gateway}, slices.Sorted(maps.Values(f.Gateways))...)
	found, err := c.p.API.FindEntrances(ctx, api.FindEntrances{Location: in.Location, Gateway: in.Gateway, Prefer: prefer})
	if err != nil {
		if in.Gateway != "" {
			return f, err
		}
		c.p.Log.WarnContext(ctx, "claim names the configured gateways: the nearest cannot be asked for", "error", err)
		return f, nil
	}
	for _, e := range found {
		if f.Gateways == nil {
			f.Gateways = map[string]string{}
		}
		if f.Gateways[e.Protocol] = e.URL; len(e.Alternatives) > 0 {
			if f.Alternatives == nil {
				f.Alternatives = map[string][]string{}
			}
			f.Alternatives[e.Protocol] = e.Alternatives
		}
		if e.Named || e.Protocol == first && in.Gateway == "" {
			f.Gateway, f.Reason = e.URL, "gateway "+e.Gateway+": "+e.Reason
		}
	}
	return f, nil
}
