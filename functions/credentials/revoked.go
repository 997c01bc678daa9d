package credentials

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/store"
)

// revoked is the list of certificates that have ended before they expired, for gateways that know certificates by their CA
// alone. Those that the gateways of the platform itself take are compared one by one, without it.
func (c *credentials) revoked(ctx context.Context, _ *faas.Call, _ faas.None) (faas.Reply, error) {
	now := c.p.Time()
	var all []pki.Revoked
	q := store.Query{Index: "by-retired", Filter: store.Gt("retired", now), Fields: []string{"revoked", "retired"}}
	err := c.creds.Scan(ctx, q, func(v credential) error {
		for _, r := range v.Revoked {
			if r.Expires.After(now) {
				all = append(all, r)
			}
		}
		return nil
	})
	if err != nil {
		return faas.Reply{}, err
	}
	list, err := c.ca.RevocationList(all, now, now.Add(revokedFor))
	if err != nil {
		return faas.Reply{}, err
	}
	return faas.Bytes("application/x-pem-file", list), nil
}

// revokedFor is how long a list counts: a broker that gets no new one refuses everybody then.
const revokedFor = 30 * 24 * time.Hour
