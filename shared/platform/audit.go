package platform

import (
	"context"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/event"
)

// Audit hands the record to function authorization, which keeps it. It returns when the bus has stored it.
func (p *Platform) Audit(ctx context.Context, r access.Record) error {
	return p.Bus.Publish(context.WithoutCancel(ctx), event.New(r.ID, event.Audit, r.Path, r.At, r))
}
