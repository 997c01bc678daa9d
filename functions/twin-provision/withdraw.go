package twinprovision

import (
	"context"
	"errors"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// withdraw undoes what the round has made, also what it made without having noted it. The gateway comes first, so that the
// device is cut off at once. Each part may be repeated.
func (f *function) withdraw(ctx context.Context, r *provision.Run) (result, error) {
	if r.Results.DeviceRef != "" && r.Results.Kind != string(device.Relayed) { // that has no place of its own
		if err := f.p.API.RemoveAssignment(ctx, device.Ref(r.Results.DeviceRef)); err != nil {
			return result{}, err
		}
	}
	if r.Results.TwinReady {
		if err := f.p.API.WithdrawCredential(ctx, r.Twin, roundOf(r)); err != nil {
			return result{}, err
		}
	}
	if err := f.withdrawTwin(ctx, r); err != nil {
		return result{}, err
	}
	if !r.Results.Kept && r.Request.Claim != "" {
		if err := f.p.API.ReturnClaim(ctx, r.Request.Claim, roundOf(r)); err != nil && !errors.Is(err, api.ErrNotFound) {
			return result{}, err
		}
	}
	return result{"", func(r *provision.Run) { r.Results, r.Came = provision.Results{}, nil }}, nil
}

// withdrawTwin deletes the twin that the run has made. One that people made, or that was operational, goes back to where it
// was before it asked for a place.
func (f *function) withdrawTwin(ctx context.Context, r *provision.Run) error {
	if r.Twin == "" {
		return nil
	}
	t, err := f.p.API.GetTwin(ctx, r.Twin)
	switch {
	case errors.Is(err, api.ErrNotFound):
		return nil
	case err != nil:
		return err
	case t.Definition.Type != r.Type:
		return nil // never ours
	case !r.Results.TwinReady && (t.Definition.Phase != twin.Provisioning || t.Definition.Owner != r.Owner):
		return nil // it was going to be made, and somebody else was faster
	case r.Results.TwinMade && !r.Results.Kept && !t.Definition.Suspended: // who has suspended it would find it let in with the next run
		if err := f.p.API.DeleteTwin(ctx, r.Twin); err != nil && !errors.Is(err, api.ErrNotFound) {
			return err
		}
	// Who is kept was operational; else only this round can have made it so, for it found the twin in an earlier phase.
	case t.Definition.Phase == twin.Provisioning, (r.Results.Kept || r.Results.TwinReady) && (t.Definition.Phase == twin.Operational || t.Definition.Phase == twin.Suspended):
		_, err := f.p.API.SetPhase(ctx, r.Twin, api.PhaseChange{Phase: twin.Onboarding})
		return err
	}
	return nil
}
