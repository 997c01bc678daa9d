package directory

import (
	"context"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
)

// maxBulk is how many advertisements one call takes.
const maxBulk = 1000

// registerMany puts many advertisements in, or renews them, by one write: what a part says of twins goes this way. None is
// taken if one is not good.
func (d *directory) registerMany(ctx context.Context, c *faas.Call, in []api.Advertisement) (faas.None, error) {
	if len(in) > maxBulk {
		return faas.None{}, api.Invalid("there are %d advertisements, at most %d are taken at a time", len(in), maxBulk)
	}
	now := d.p.Time()
	for i := range in {
		a := &in[i]
		if err := check(a); err != nil {
			return faas.None{}, fmt.Errorf("advertisement %d: %w", i+1, err)
		}
		if err := mayAdvertise(c.Caller, *a); err != nil {
			return faas.None{}, err
		}
		a.Updated, a.Expires = now, now.Add(time.Duration(a.TTL)*time.Second)
	}
	if err := d.room(ctx, c.Caller, in...); err != nil {
		return faas.None{}, err
	}
	all := make([]said, len(in))
	for i := range in {
		all[i] = said{Advertisement: in[i], By: speaker(c.Caller)}
	}
	return faas.None{}, d.says.PutMany(ctx, all)
}
