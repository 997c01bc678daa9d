package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
)

// anew readies a run that was rejected for a round of a group. A device whose twin is another group's stays that group's, whoever
// asks with its serial; and what was logged of another group's rounds is not for this one.
func (f *function) anew(ctx context.Context, r *provision.Run, owner string) error {
	if r.Twin != "" {
		t, err := f.twins.Get(ctx, string(r.Twin))
		switch {
		case err == nil && t.Deleted.IsZero() && t.Definition.Type == r.Type && t.Definition.Owner != "" && t.Definition.Owner != owner:
			return refusal(fmt.Sprintf("serial %s is another group's device", r.Request.Serial))
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	if r.Owner != owner {
		r.Steps, r.Created = nil, time.Time{}
	}
	return nil
}

// standsIdle tells whether a run that people have begun waits for them and has made nothing yet.
func standsIdle(r *provision.Run) bool {
	return manual(r) && r.Outcome == "" && !r.Withdrawing && r.Waiting && !r.Results.TwinReady && r.Results.DeviceRef == ""
}

// givesWay ends an idle run of people of another group for a device that has come itself, and tells whether it did: the device has a
// claim of group owner, and that group has made its identity.
func (f *function) givesWay(ctx context.Context, idle *provision.Run, owner string, known provision.KnownIdentity) (bool, error) {
	if owner == "" || known.Owner != owner || idle.Owner == owner || !standsIdle(idle) {
		return false, nil
	}
	r, err := f.change(ctx, idle.ID, func(r *provision.Run, now time.Time) error {
		if r.Round != idle.Round || !standsIdle(r) {
			return store.Unchanged
		}
		r.Reset(self, "the device has come itself, with a claim and an identity of its own group", now)
		return nil
	})
	if err == nil {
		r, err = f.goOn(ctx, r.ID)
	}
	return err == nil && r.Outcome == provision.Rejected, err
}

// cameItself is givesWay for a run whose device asks now.
func (f *function) cameItself(ctx context.Context, idle *provision.Run, req provision.Request) (bool, error) {
	if !standsIdle(idle) || req.Claim == "" {
		return false, nil
	}
	claim, err := f.p.API.GetClaim(ctx, req.Claim)
	if err != nil || claim.Covers(idle.Type, req.Serial, f.p.Time()) != nil {
		if isNotFound(err) {
			err = nil
		}
		return false, err
	}
	came := provision.Run{Type: idle.Type, Request: req, Owner: claim.Owner}
	if err := f.know(ctx, &came); err != nil {
		return false, err
	}
	return f.givesWay(ctx, idle, claim.Owner, came.Known.Identity)
}
