package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

// byDevice is who began a run that a device asked for.
const byDevice = "device"

// manual tells whether people have begun the run, and carry to the device what it needs.
func manual(r *provision.Run) bool { return r.By != "" && r.By != byDevice }

// startRun begins a run for a device that cannot ask. No claim is needed: who may make claims for the group might as well let
// the device in with one.
func (f *function) startRun(ctx context.Context, c *faas.Call, in api.NewRun) (faas.Reply, error) {
	req, err := readNewRun(&in)
	if err != nil {
		return faas.Reply{}, err
	}
	if !c.Caller.Is(access.Maintainer, access.Configurator) && !slices.Contains(c.Caller.Groups, in.Owner) {
		return faas.Reply{}, fmt.Errorf("%w: owner: you may bring devices in for your own groups only", access.ErrDenied)
	}
	if err := f.checkGroup(ctx, c.Caller, in.Owner); err != nil {
		return faas.Reply{}, err
	}
	t, err := f.typeFor(ctx, c.Caller, in.Type)
	if err != nil {
		return faas.Reply{}, err
	}
	id := platform.NewID("run")
	if in.Serial != "" {
		id = runID(in.Type, req.Serial)
		if err := f.free(ctx, id, id, req.Serial); err != nil {
			return faas.Reply{}, err
		}
	}
	first := provision.Run{Type: in.Type, Request: req, Owner: in.Owner, Location: in.Location}
	model, why, err := f.chooseManual(ctx, &t, &first)
	if err != nil {
		return faas.Reply{}, told(err)
	}
	var no error
	r, err := f.runs.Upsert(ctx, id, func(r *provision.Run, exists bool) error {
		no = nil
		if exists && r.Outcome != provision.Rejected {
			if r.By == c.Caller.String() && r.Owner == in.Owner && r.Outcome == "" && r.Request.PublicKey == req.PublicKey {
				return store.Unchanged // asked for again
			}
			no = taking(r)
			return no
		}
		now := f.p.Time()
		r.By, r.Type, r.Model, r.Request, r.Owner, r.Location = c.Caller.String(), in.Type, model, req, in.Owner, in.Location
		r.Known, r.Trace = first.Known, trace.Of(ctx)
		r.Under(f.guard).Begin(now)
		r.Log(provision.Step{At: now, State: r.State, Actor: r.By, Outcome: "done", Reason: strings.TrimSuffix(
			chosen("begun for group "+in.Owner, &model, why)+": "+in.Reason, ": ")})
		return f.tellOf(ctx, r, now)
	})
	if err != nil && no != nil {
		err = no // in its own words
	}
	if err != nil {
		return faas.Reply{}, err
	}
	if went, err := f.goOn(ctx, r.ID); err == nil {
		r = went
	} else { // it is stored: the schedule takes it on
		f.p.Log.WarnContext(ctx, "run not taken on yet", "run", r.ID, "error", err)
	}
	return faas.Created("/runs/"+r.ID, r), nil
}

// manualModel is the model of runs that people begin.
const manualModel = "manual"

// chooseManual returns the model by which people bring a device in: the type's, if it has steps for an installer, else the one
// that every platform has for this.
func (f *function) chooseManual(ctx context.Context, t *twin.Twin, r *provision.Run) (m provision.Model, why string, err error) {
	m, why, err = f.choose(ctx, t, r)
	if err != nil || slices.ContainsFunc(m.States, func(s provision.State) bool { return s.Do == provision.Instruct }) {
		return m, why, err
	}
	m, err = f.models.Get(ctx, manualModel)
	if errors.Is(err, store.ErrNotFound) {
		err = refusal("there is no provisioning model " + manualModel)
	}
	return m, "the type's own, " + why + ", has no steps for an installer", err
}

// told makes a reason that a device would be told a caller's fault.
func told(err error) error {
	if no := refusal(""); errors.As(err, &no) {
		return fmt.Errorf("%w: %s", api.ErrConflict, no)
	}
	return err
}

func readNewRun(in *api.NewRun) (req provision.Request, err error) {
	serial := in.Serial
	if serial == "" {
		serial = "x"
	}
	i, err := readIdentity(serial, in.MAC, in.Model, "")
	if err != nil {
		return req, err
	}
	if in.Serial == "" {
		i.Serial = ""
	}
	switch {
	case twin.ID(in.Owner).Valid() != nil:
		return req, api.Invalid("owner must be the id of the group that the device will belong to")
	case !legible(in.Reason, maxDeviceText):
		return req, api.Invalid("reason must be plain text of at most %d bytes", maxDeviceText)
	case in.Location != nil && in.Location.Validate() != nil:
		return req, in.Location.Validate()
	case !protocols[in.Protocol]:
		return req, api.Invalid("protocol %.40q must be mqtt, grpc or http", in.Protocol)
	case in.Kind != "" && device.Kind(in.Kind).Valid() != nil:
		return req, device.Kind(in.Kind).Valid()
	case in.Kind == string(device.Certificate):
		return req, api.Invalid("kind: a certificate is for a device that has a key of its own; take token, password or api-key")
	}
	req = provision.Request{Serial: i.Serial, MAC: i.MAC, Model: i.Model, PublicKey: in.PublicKey, Protocol: in.Protocol, Kind: in.Kind}
	if req.Kind == "" {
		req.Kind = string(device.Token)
	}
	if in.PublicKey != "" {
		req.Key, err = keyOf("", "", in.PublicKey)
	}
	return req, err
}

// getBundle is what the installer's page gets for the device: its secret is sealed to the page's own key.
func (f *function) getBundle(ctx context.Context, c *faas.Call, _ faas.None) (api.Bundle, error) {
	r, err := f.find(ctx, c.Caller, access.Write, c.Var("id"))
	switch {
	case err != nil:
		return api.Bundle{}, err
	case !manual(&r):
		return api.Bundle{}, fmt.Errorf("%w: the device of run %s asked itself, and is handed its bundle itself", api.ErrConflict, r.ID)
	}
	a := answer(&r)
	if a.Bundle == nil {
		return api.Bundle{}, fmt.Errorf("%w: run %s has no bundle: it is %s", api.ErrConflict, r.ID, stateOf(&r))
	}
	return *a.Bundle, nil
}

func stateOf(r *provision.Run) string {
	if r.Outcome != "" {
		return string(r.Outcome)
	}
	return "in state " + r.State
}

// A taken is a serial that a run has which did not know it when it began: its own id is not made of it.
type taken struct {
	ID  string    `bson:"_id"` // runID of type and serial
	Run string    `bson:"run"`
	At  time.Time `bson:"at"`
}

// takenFor is how long a serial is a run's that has not noted it: whoever took it for that died.
const takenFor = time.Minute

// take makes a serial a run's, unless it is another's. Both look after they have written: of two that begin at once at most one goes
// on.
func (f *function) take(ctx context.Context, r *provision.Run, serial string) error {
	id := runID(r.Type, serial)
	if id == r.ID {
		return nil
	}
	var no error
	_, err := f.serials.Upsert(ctx, id, func(t *taken, exists bool) error {
		no = nil
		if exists && t.Run != r.ID {
			if no = f.holds(ctx, t, serial); no != nil {
				return no
			}
		}
		t.Run, t.At = r.ID, f.p.Time()
		return nil
	})
	if err != nil && no != nil {
		err = no // in its own words
	}
	if err != nil {
		return err
	}
	own, err := f.runs.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && own.Outcome == provision.Rejected {
		return nil
	}
	if err == nil {
		err = taking(&own)
		_ = f.serials.DeleteIf(ctx, id, store.Eq("run", r.ID)) // it ends by itself otherwise
	}
	return err
}

// free returns nil if no other run than r has the serial that id is made of.
func (f *function) free(ctx context.Context, id, run, serial string) error {
	t, err := f.serials.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && t.Run == run {
		return nil
	} else if err != nil {
		return err
	}
	return f.holds(ctx, &t, serial)
}

// holds returns why a serial that a run took is still that run's; nil if it is not.
func (f *function) holds(ctx context.Context, t *taken, serial string) error {
	r, err := f.runs.Get(ctx, t.Run)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case r.Outcome == provision.Rejected, r.Request.Serial != serial && f.p.Time().Sub(t.At) > takenFor:
		return nil
	}
	r.Request.Serial = serial
	return taking(&r)
}

// taking says that a run has the serial.
func taking(r *provision.Run) error {
	if r.Outcome == provision.Completed {
		return fmt.Errorf("%w: serial %s is provisioned already, by run %s; reset that to enrol the device anew", api.ErrConflict, r.Request.Serial, r.ID)
	}
	return fmt.Errorf("%w: serial %s is being provisioned already, by run %s", api.ErrConflict, r.Request.Serial, r.ID)
}
