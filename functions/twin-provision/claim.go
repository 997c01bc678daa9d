package twinprovision

import (
	"context"
	"fmt"

	"github.com/castor-iot/castor/shared/device"
)

// hasUse refuses a device that its claim does not name, or has no use left for. The use is taken later, by the run; without this, one
// claim would make runs without end.
func (f *function) hasUse(ctx context.Context, c *device.Claim, serial string) error {
	if c.Used >= c.MaxUses {
		return refusal(fmt.Sprintf("claim %s is used up: it was for %d devices", c.ID, c.MaxUses))
	}
	if c.Listed == 0 {
		return nil
	}
	named, err := f.p.API.ClaimNames(ctx, c.ID, serial)
	if err == nil && !named {
		err = refusal(fmt.Sprintf("claim %s names %d serials, and %.64q is not among them", c.ID, c.Listed, serial))
	}
	return err
}
