package link

import (
	"context"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
)

// mappings is the transformer's lookup in the credential mapper (paper 4.9).
type mappings struct {
	*lookup[device.Ref, api.Mapping]
}

func newMappings(l *Link) *mappings {
	return &mappings{newLookup(l, "device references cannot be resolved", func(ctx context.Context, refs []device.Ref) (map[device.Ref]api.Mapping, error) {
		found, err := l.api.Resolve(ctx, refs)
		known := make(map[device.Ref]api.Mapping, len(found))
		for _, m := range found {
			if m.Twin.Valid() == nil {
				known[m.Ref] = m
			}
		}
		return known, err
	})}
}

// changed forgets what an event says has changed.
func (c *mappings) changed(e event.Event) {
	var d api.CredentialChanged
	if err := e.Decode(&d); err != nil || d.Ref == "" {
		c.clear()
		return
	}
	c.forget(d.Ref)
}
