package identities

import (
	"context"
	"errors"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// retire marks the identity of a device that is decommissioned, so that it does not come back by itself with a claim that is good
// still. Who wants it back removes the identity and makes it known anew. Asked again it changes nothing.
func (i *identities) retire(ctx context.Context, c *faas.Call, in api.Reset) (device.Identity, error) {
	id := c.Var("id")
	out, err := i.known.Update(ctx, id, func(v *device.Identity) error {
		if v.Retired != nil {
			return store.Unchanged
		}
		v.Retired = &device.Retirement{At: i.p.Time(), Reason: in.Reason}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		err = platform.NotFound("identity", id)
	}
	return out, err
}
