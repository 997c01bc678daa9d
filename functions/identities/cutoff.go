package identities

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// replacing lists devices that have taken over from others whose access is still to be ended: whoever replaced them may have died.
func (i *identities) replacing(ctx context.Context, _ *faas.Call, _ faas.None) (api.Page[device.Identity], error) {
	page, err := i.known.Find(ctx, store.Query{Index: "by-replacing", Filter: store.Gt("replacing", time.UnixMilli(0)), Limit: 100})
	out := api.Page[device.Identity]{Items: page.Items}
	if out.Items == nil {
		out.Items = []device.Identity{}
	}
	return out, err
}

// cutOff notes that nothing is left of the device which the one with this serial took over from. Of another serial it changes nothing.
func (i *identities) cutOff(ctx context.Context, c *faas.Call, in api.CutOff) (device.Identity, error) {
	id := c.Var("id")
	out, err := i.known.Update(ctx, id, func(v *device.Identity) error {
		if v.Serial != in.Serial || v.Replacing.IsZero() {
			return store.Unchanged
		}
		v.Replacing = time.Time{}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		err = platform.NotFound("identity", id)
	}
	return out, err
}
