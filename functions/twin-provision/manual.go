package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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
	if err := f.p.Group(ctx, c.Caller, "owner", in.Owner); err != nil {
		return faas.Reply{}, err
	}
	t, err := f.typeFor(ctx, c.Caller, in.Type)
	if err != nil {
		return faas.Reply{}, err
	}
	if err := f.readWays(ctx, c.Caller, &t, &in, &req); err != nil {
		return faas.Reply{}, err
	}
	id := platform.NewID("run")
	if in.Serial != "" {
		id = runID(in.Type, req.Serial)
		if err := f.free(ctx, id, id, req.Serial); err != nil {
			return faas.Reply{}, f.named(ctx, c.Caller, err)
		}
	}
	first := provision.Run{Type: in.Type, Request: req, Owner: in.Owner, Location: in.Location}
	model, why, err := f.chooseManual(ctx, c.Caller, &t, &first, in.Provisioning)
	if err != nil {
		return faas.Reply{}, told(err)
	}
	if req.PublicKey == "" && req.Via == "" && issues(&model) { // it would fail once an installer has walked to the device
		return faas.Reply{}, api.Invalid("publicKey is missing: the secret that model %s has made for the device is sealed to it (castor run start --key FILE makes one)", model.ID)
	}
	var no error
	r, err := f.runs.Upsert(ctx, id, func(r *provision.Run, exists bool) error {
		no = nil
		if exists && r.Outcome != provision.Rejected {
			if r.By == c.Caller.String() && r.Owner == in.Owner && r.Outcome == "" && r.Request.PublicKey == req.PublicKey && r.Request.Via == req.Via && r.Request.Called() == req.Called() {
				return store.Unchanged // asked for again
			}
			no = taking(r)
			return no
		}
		if exists {
			if no = told(f.anew(ctx, r, in.Owner)); no != nil {
				return no
			}
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
		return faas.Reply{}, f.named(ctx, c.Caller, err)
	}
	if went, err := f.goOn(ctx, r.ID); err == nil {
		r = went
	} else { // it is stored: the schedule takes it on
		f.p.Log.WarnContext(ctx, "run not taken on yet", "run", r.ID, "error", err)
	}
	return faas.Created("/runs/"+r.ID, r), nil
}

// chooseManual returns the model by which people bring a device in: the one that is named, which only those may who change the type;
// else the type's, if it has steps for an installer; else one with such steps among those that the type names. A type that names none
// is for devices that ask themselves, and what its model demands of them is not to be passed by.
func (f *function) chooseManual(ctx context.Context, c access.Caller, t *twin.Twin, r *provision.Run, named string) (m provision.Model, why string, err error) {
	if named != "" {
		return f.namedModel(ctx, c, t, r, named)
	}
	m, why, err = f.choose(ctx, t, r)
	if err != nil || forPeople(&m, r) {
		return m, why, err
	}
	own := m.ID
	var others []string
	if d := t.Definition.Model; d != nil {
		for _, c := range d.Choices {
			others = append(others, c.Model)
		}
		others = append(others, d.Provisioning)
	}
	for _, id := range others {
		m, err := f.models.Get(ctx, id)
		if err == nil && forPeople(&m, r) && (m.Type == "" || m.Type == t.ID) {
			return m, "the type names it; " + own + " has no " + steps(r), nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrInvalid) {
			return m, "", err
		}
	}
	like := "manual"
	if r.Request.Via != "" {
		like = "relayed"
	}
	return m, why, fmt.Errorf("%w: type %s brings devices in by model %s, which has no %s; set the type's provisioning, or one of its choices, to a model that has, like %s",
		api.ErrConflict, t.ID, own, steps(r), like)
}

// namedModel is the model that whoever may change the type names for one run.
func (f *function) namedModel(ctx context.Context, c access.Caller, t *twin.Twin, r *provision.Run, id string) (m provision.Model, why string, err error) {
	if !c.Is(access.Configurator, access.Maintainer) {
		return m, "", fmt.Errorf("%w: provisioning: a configurator of the type names the model; leave it out", access.ErrDenied)
	}
	// A type that belongs to nobody is every configurator's here, as the models of no type are that it names.
	if t.Definition.Owner != "" {
		if err := f.p.May(ctx, c, access.Write, access.Twin(t), "type"); err != nil {
			return m, "", err
		}
	}
	m, err = f.models.Get(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrInvalid):
		return m, "", api.Invalid("provisioning: there is no model %.40q", id)
	case err != nil:
		return m, "", err
	case m.Type != "" && m.Type != t.ID:
		return m, "", api.Invalid("provisioning: model %s is another type's", id)
	case !forPeople(&m, r):
		return m, "", api.Invalid("provisioning: model %s has no %s", id, steps(r))
	}
	return m, c.String() + " names it", f.know(ctx, r)
}

// forInstallers tells whether a model leads an installer.
func forInstallers(m *provision.Model) bool {
	return slices.ContainsFunc(m.States, func(s provision.State) bool { return s.Do == provision.Instruct })
}

// issues tells whether a model has a credential made.
func issues(m *provision.Model) bool {
	return slices.ContainsFunc(m.States, func(s provision.State) bool { return s.Do == provision.IssueCredential })
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
	case in.Kind == string(device.Relayed) && in.Via == "":
		return req, api.Invalid("via is missing: say which twin's device speaks for this one")
	case in.Kind == string(device.Certificate):
		return req, api.Invalid("kind: a certificate is for a device that has a key of its own; take token, password or api-key")
	case in.Kind != "" && device.Kind(in.Kind).Valid() != nil:
		return req, api.Invalid("kind %.40q must be token, password or api-key", in.Kind)
	}
	req = provision.Request{Serial: i.Serial, MAC: i.MAC, Model: i.Model, PublicKey: in.PublicKey, Protocol: in.Protocol, Kind: in.Kind}
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
