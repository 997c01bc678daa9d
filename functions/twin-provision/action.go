package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// A result is what an action made: apply puts it into the run, note into the log.
type result struct {
	note  string
	apply func(*provision.Run)
}

func done(note string) result { return result{note, func(*provision.Run) {}} }

// act does the action that is due; a state without one is done at once.
func (f *function) act(ctx context.Context, r *provision.Run) (result, error) {
	switch a := r.Task(); a.Do {
	case "":
		return done(""), nil
	case provision.CheckClaim:
		return f.checkClaim(ctx, r)
	case provision.CheckIdentity:
		return f.checkIdentity(ctx, r, a.With)
	case provision.CreateTwin:
		return f.createTwin(ctx, r)
	case provision.RegisterIdentity:
		return f.registerIdentity(ctx, r)
	case provision.CheckLocation:
		return checkLocation(r, a.With["region"])
	case provision.IssueCredential:
		return f.issueCredential(ctx, r, a.With["kind"])
	case provision.RegisterGateway:
		return f.registerGateway(ctx, r)
	case provision.RenderConfig:
		return f.renderConfiguration(ctx, r)
	case provision.Deliver:
		return f.deliver(ctx, r)
	case provision.CloseClaim:
		return f.closeClaim(ctx, r)
	case provision.EraseCredential:
		return f.eraseCredential(ctx, r)
	case provision.Activate:
		return f.activate(ctx, r)
	case provision.Ask, provision.Instruct:
		return done(""), nil // the run asks while it waits
	case provision.Notify:
		return f.notify(ctx, r, a.With)
	case provision.CallService:
		return f.callService(ctx, r, a.With)
	case provision.Withdraw:
		return f.withdraw(ctx, r)
	default:
		return result{}, refusal(fmt.Sprintf("this version of the platform has no action %q", a.Do))
	}
}

// roundOf names one round of a run to other functions, so that what comes late of an earlier round changes nothing.
func roundOf(r *provision.Run) string { return fmt.Sprintf("%s.%d", r.ID, r.Round) }

func (f *function) checkClaim(ctx context.Context, r *provision.Run) (result, error) {
	if r.Request.Claim == "" && manual(r) {
		return done("no claim is needed: " + r.By + " may bring devices in for group " + r.Owner), nil
	}
	c, err := f.p.API.UseClaim(ctx, r.Request.Claim, api.ClaimUse{Run: roundOf(r), Type: r.Type, Serial: r.Request.Serial})
	if err != nil {
		return result{}, err
	}
	return result{fmt.Sprintf("claim %s of group %s, use %d of %d", c.ID, c.Owner, c.Used, c.MaxUses), func(r *provision.Run) {
		r.Owner, r.Location, r.Results.ClaimUsed, r.Known.Claim = c.Owner, c.Location, true, knownClaim(&c)
	}}, nil
}

func (f *function) checkIdentity(ctx context.Context, r *provision.Run, with map[string]string) (result, error) {
	i, err := f.p.API.FindIdentity(ctx, r.Request.Serial)
	if p := (*api.Problem)(nil); errors.As(err, &p) && errors.Is(err, api.ErrNotFound) && refused(err) {
		return result{}, refusal(reason(err)) // it was replaced: nobody is to let it in
	}
	// One that an owner has made counts for claims of that group only: to others the serial is as unknown as any.
	if errors.Is(err, api.ErrNotFound) || err == nil && i.Owner != "" && i.Owner != r.Owner {
		return result{}, f.unknown(ctx, r, with)
	}
	if err != nil {
		return result{}, err
	}
	if why := differs(&i, r.Type, r.Request.Serial, r.Request.MAC, r.Request.Model); why != "" {
		return result{}, refusal(why)
	}
	return result{"twin " + string(i.ID), func(r *provision.Run) { r.Twin, r.Known.Identity = i.ID, knownIdentity(&i) }}, nil
}

// differs says why a device of type t that says serial, mac and model of itself is not the one that identity i is of; "" if it is.
func differs(i *device.Identity, t twin.TypeID, serial, mac, model string) string {
	parsed, err := net.ParseMAC(mac)
	switch {
	case i.Retired != nil:
		return fmt.Sprintf("the device with serial %q was decommissioned on %s: %s; to let it in again restore it: castor identity restore %s",
			serial, i.Retired.At.UTC().Format(time.DateOnly), i.Retired.Reason, i.ID)
	case i.Type != "" && i.Type != string(t):
		return fmt.Sprintf("serial %q is of type %s, not %s", serial, i.Type, t)
	case i.MAC != "" && (err != nil || parsed.String() != i.MAC):
		return fmt.Sprintf("mac %q is not the one that serial %q is registered with", mac, serial)
	case i.Model != "" && model != i.Model:
		return fmt.Sprintf("model %q is not the one that serial %q is registered with", model, serial)
	}
	return ""
}

// createTwin makes the instance, or takes the one that people have made. That this run makes it is noted before it does, so
// that a run which dies in between withdraws it.
func (f *function) createTwin(ctx context.Context, r *provision.Run) (result, error) {
	if r.Twin == "" {
		return result{}, refusal("the model creates a twin before it has checked the identity")
	}
	err := f.free(ctx, runID(r.Type, r.Request.Serial), r.ID, r.Request.Serial)
	if other := (*takenError)(nil); errors.As(err, &other) && r.By == byDevice && r.Request.Claim != "" {
		if gone, no := f.givesWay(ctx, &other.run, r.Owner, r.Known.Identity); no != nil {
			return result{}, no
		} else if gone {
			err = nil
		}
	}
	if errors.Is(err, api.ErrConflict) {
		return result{}, refusal(reason(err)) // an installer has typed the serial in a run of theirs
	} else if err != nil {
		return result{}, err
	}
	t, err := f.p.API.GetTwin(ctx, r.Twin)
	if errors.Is(err, api.ErrNotFound) {
		if err := f.intendTwin(ctx, r, true); err != nil {
			return result{}, err
		}
		t, err = f.p.API.CreateTwin(ctx, api.NewTwin{ID: r.Twin, Kind: twin.Instance, Definition: twin.Definition{
			Type: r.Type, Owner: r.Owner, Location: r.Location, Phase: twin.Provisioning}})
		if errors.Is(err, api.ErrExists) { // another instance of this function, or somebody else, was faster
			t, err = f.p.API.GetTwin(ctx, r.Twin)
		}
	}
	if err != nil {
		return result{}, err
	}
	if t.Definition.Phase != twin.Provisioning { // this run makes none that begins otherwise: people were faster
		if err := f.intendTwin(ctx, r, false); err != nil {
			return result{}, err
		}
	}
	if t.Kind != twin.Instance || t.Definition.Type != r.Type {
		return result{}, refusal(fmt.Sprintf("twin %s exists and is not of type %s", t.ID, r.Type))
	}
	if t.Definition.Owner != "" && t.Definition.Owner != r.Owner {
		return result{}, refusal(fmt.Sprintf("twin %s belongs to another group than claim %s", t.ID, r.Request.Claim))
	}
	note := fmt.Sprintf("twin %s of group %s", t.ID, t.Definition.Owner)
	switch t.Definition.Phase {
	case twin.Provisioning:
	case twin.Onboarding:
		if _, err := f.p.API.SetPhase(ctx, t.ID, api.PhaseChange{Phase: twin.Provisioning}); err != nil {
			return result{}, err
		}
	default:
		return result{}, refusal(fmt.Sprintf("twin %s is %s already; reset its provisioning run to enrol the device anew", t.ID, t.Definition.Phase))
	}
	return result{note, func(r *provision.Run) { r.Results.TwinReady = true }}, nil
}

// intendTwin notes whether the run's twin is one that it makes itself.
func (f *function) intendTwin(ctx context.Context, r *provision.Run, made bool) error {
	if r.Results.TwinMade == made {
		return nil
	}
	_, err := f.change(ctx, r.ID, func(now *provision.Run, _ time.Time) error {
		if now.Attempt != r.Attempt {
			return errSuperseded
		}
		now.Results.TwinMade = made
		return nil
	})
	if err == nil {
		r.Results.TwinMade = made
	}
	return err
}

// errSuperseded tells that another instance has taken the run further meanwhile.
var errSuperseded = fmt.Errorf("%w: another instance works on this run", api.ErrUnavailable)

func (f *function) renderConfiguration(ctx context.Context, r *provision.Run) (result, error) {
	t, err := f.twins.Get(ctx, string(r.Type))
	if errors.Is(err, store.ErrNotFound) {
		return result{}, refusal(fmt.Sprintf("there is no type %s any more", r.Type))
	} else if err != nil {
		return result{}, err
	}
	if t.Definition.Model == nil || t.Definition.Model.Template == "" {
		return done("the type has no configuration template"), nil
	}
	if !r.Results.TwinReady {
		return result{}, refusal("the model renders a configuration before there is a twin")
	}
	c, err := f.p.API.RenderTemplate(ctx, t.Definition.Model.Template, api.Render{Twin: r.Twin})
	if err != nil {
		return result{}, err
	}
	return result{fmt.Sprintf("template %s, version %d", c.Template, c.Version), func(r *provision.Run) { r.Results.Configuration = &c }}, nil
}

func (f *function) closeClaim(ctx context.Context, r *provision.Run) (result, error) {
	if r.Request.Claim == "" {
		return done("there is no claim"), nil
	}
	err := f.p.API.CloseClaim(ctx, r.Request.Claim, roundOf(r))
	if errors.Is(err, api.ErrNotFound) {
		return done("no use of the claim was taken"), nil
	}
	return done(""), err
}

func (f *function) activate(ctx context.Context, r *provision.Run) (result, error) {
	if !r.Results.TwinReady {
		return result{}, refusal("the model activates a device before there is a twin")
	}
	_, err := f.p.API.SetPhase(ctx, r.Twin, api.PhaseChange{Phase: twin.Operational, Configuration: r.Results.Configuration})
	if err != nil {
		return result{}, err
	}
	return result{"", func(r *provision.Run) {
		if !r.Results.Bundled() { // the bundle is not asked for any more, and the twin keeps the configuration
			r.Results.Configuration = nil
		}
	}}, nil
}
