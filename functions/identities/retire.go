package identities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// retire marks the identity of a device that is decommissioned, so that it does not come back by itself with a claim that is good
// still. Who wants it back restores the identity. Asked again it changes nothing.
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

// restore takes the mark back: the device may come in again, with a claim, as any that is known. Its old credentials stay ended.
func (i *identities) restore(ctx context.Context, c *faas.Call, in api.Because) (device.Identity, error) {
	id := c.Var("id")
	if in.Reason = strings.TrimSpace(in.Reason); in.Reason == "" || len(in.Reason) > 500 || !utf8.ValidString(in.Reason) {
		return device.Identity{}, api.Invalid("reason must say why, in at most 500 bytes of text")
	}
	t, err := i.twins.Get(ctx, id)
	switch {
	case err == nil && t.Deleted.IsZero():
		return device.Identity{}, fmt.Errorf("%w: twin %q is there still; wait until it is decommissioned", api.ErrConflict, id)
	case err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrInvalid):
		return device.Identity{}, err
	}
	was := false
	out, err := i.known.Update(ctx, id, func(v *device.Identity) error {
		if was = v.Retired != nil; !was {
			return store.Unchanged
		}
		v.Retired = nil
		return nil
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return out, platform.NotFound("identity", id)
	}
	if err != nil || !was {
		return out, err
	}
	if err := i.p.Audit(ctx, access.Record{ID: platform.NewID("why"), At: i.p.Time(), Caller: c.Caller.String(), Function: "identities", Method: "RESTORE",
		Status: http.StatusOK, Path: "/identities/" + id + ": " + in.Reason}); err != nil {
		i.p.Log.WarnContext(ctx, "reason not kept in the audit", "identity", id, "error", err)
	}
	return out, nil
}
