package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
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

// A lapse is why a run ends wherever its model stands: what let its device in was taken back.
type lapse string

func (l lapse) Error() string { return string(l) }

// lapsed returns a lapse if the claim of an open run was revoked before its device had a credential: the door turns that device away,
// and neither a twin nor a place is to be made for it. One that has its credential comes in by that, and is suspended or
// decommissioned instead.
func (f *function) lapsed(ctx context.Context, r *provision.Run) error {
	if r.Request.Claim == "" || r.Outcome != "" || r.Undoing() || r.Results.DeviceRef != "" {
		return nil
	}
	c, err := f.p.API.GetClaim(ctx, r.Request.Claim)
	if err == nil && c.Revoked {
		return lapse(fmt.Sprintf("claim %s was revoked", c.ID))
	}
	if errors.Is(err, api.ErrNotFound) {
		return nil
	}
	return err
}

// makes tells whether an action makes what a device whose claim was revoked must not have.
func makes(a provision.Action) bool {
	return a == provision.CreateTwin || a == provision.IssueCredential
}

// lapse ends a run whose claim was revoked, and tells whether it has.
func (f *function) lapse(ctx context.Context, r *provision.Run) (ended provision.Run, over bool, err error) {
	var why lapse
	if err := f.lapsed(ctx, r); !errors.As(err, &why) {
		return *r, false, err
	}
	if _, err = f.change(ctx, r.ID, func(now *provision.Run, at time.Time) error {
		if over = now.Round == r.Round && now.Results.DeviceRef == ""; !over {
			return store.Unchanged
		}
		now.Reset(self, string(why), at)
		return nil
	}); err != nil || !over {
		return *r, over, err
	}
	ended, err = f.goOn(ctx, r.ID)
	return ended, true, err
}
