package platform

import (
	"context"
	"errors"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// Twin returns a twin that the caller may use right on. A twin that is not there and one the caller may not see are told
// of in the same words.
func (p *Platform) Twin(ctx context.Context, twins *store.Collection[twin.Twin], c access.Caller, right access.Right, id twin.ID) (twin.Twin, error) {
	if id.Valid() != nil {
		return twin.Twin{}, NotFound("twin", string(id))
	}
	t, err := twins.Get(ctx, string(id))
	if errors.Is(err, store.ErrNotFound) {
		return t, NotFound("twin", string(id))
	}
	if err != nil {
		return t, err
	}
	if !t.Deleted.IsZero() {
		return twin.Twin{}, NotFound("twin", string(id))
	}
	return t, p.May(ctx, c, right, access.Twin(&t), "twin")
}
