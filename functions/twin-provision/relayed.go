package twinprovision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// maxCalled bounds what a device is called by whoever speaks for it, or in topics of its own, in bytes.
const maxCalled = 256

// readWays reads into req how a device that people bring in will speak: by another one, by topics of its own, or as any.
func (f *function) readWays(ctx context.Context, c access.Caller, t *twin.Twin, in *api.NewRun, req *provision.Request) error {
	req.Via, req.Name, req.Bridge, req.Username = in.Via, in.Name, in.Bridge, in.Username
	switch {
	case !legible(in.Name, maxCalled):
		return api.Invalid("name must be plain text of at most %d bytes", maxCalled)
	case !legible(in.Username, 64):
		return api.Invalid("username must be plain text of at most 64 bytes")
	case in.Via != "":
		return f.readVia(ctx, c, in, req)
	}
	own, err := f.topicsOf(ctx, &provision.Run{Type: t.ID, Request: *req}, device.Password)
	if err != nil {
		return told(err)
	}
	switch {
	case own == nil && (in.Name != "" || in.Bridge):
		return api.Invalid("name and bridge are for devices with topics of their own, which the driver of type %s has none of, and for those that another one speaks for, which via names", t.ID)
	case own != nil && req.Kind == "": // such firmware has fields for a user and a password
		req.Kind = string(device.Password)
	}
	req.Kind = cmp.Or(req.Kind, string(device.Token))
	if in.Username == "" {
		return nil
	}
	if req.Kind != string(device.Password) {
		return api.Invalid("username is for kind password, not %s", req.Kind)
	}
	return device.CheckUsername(in.Username) // here, not when an installer has walked to the device
}

// readVia checks who is to speak for a device: one of the same group, which whoever brings the device in may see.
func (f *function) readVia(ctx context.Context, c access.Caller, in *api.NewRun, req *provision.Request) error {
	switch {
	case in.Kind != "" && in.Kind != string(device.Relayed):
		return api.Invalid("kind: a device that %s speaks for shows nothing; leave kind out", in.Via)
	case in.PublicKey != "" || in.Username != "" || in.Bridge:
		return api.Invalid("publicKey, username and bridge are for devices that log in themselves; leave them out where via is given")
	case in.Serial == "":
		return api.Invalid("serial is missing: it is what the device is known by, like its EUI")
	}
	v, err := f.p.Twin(ctx, f.twins, c, access.Read, in.Via)
	if errors.Is(err, api.ErrNotFound) {
		return api.Invalid("via: there is no twin %.64q", string(in.Via))
	}
	if err != nil {
		return err
	}
	if v.Kind != twin.Instance || v.Definition.Owner != in.Owner {
		return api.Invalid("via: twin %s is no device of group %s; who speaks for a device must be of its group", v.ID, in.Owner)
	}
	req.Kind, req.Protocol = string(device.Relayed), ""
	_, err = f.viaOf(ctx, &provision.Run{Request: *req})
	return told(err)
}

// viaOf is the reference of the device that is to speak for the run's.
func (f *function) viaOf(ctx context.Context, r *provision.Run) (device.Ref, error) {
	page, err := f.p.API.ListCredentials(ctx, r.Request.Via)
	if err != nil {
		return "", err
	}
	for _, c := range page.Items {
		switch {
		case c.State == api.CredentialEnded:
		case c.Kind == device.Relayed:
			return "", refusal(fmt.Sprintf("%s is relayed itself, by %s; name that one", c.Twin, c.Via))
		default:
			return c.Ref, nil
		}
	}
	return "", refusal(fmt.Sprintf("the device of twin %s has no credential that is good; bring it in first", r.Request.Via))
}

// placeOf is where a relayed device's messages come in: where who speaks for it has its place, today. It has none of its own.
func (f *function) placeOf(ctx context.Context, r *provision.Run) (result, error) {
	via, err := f.viaOf(ctx, r)
	if err != nil {
		return result{}, err
	}
	a, err := f.p.API.GetAssignment(ctx, via)
	if errors.Is(err, api.ErrNotFound) {
		return result{}, refusal(fmt.Sprintf("the device of twin %s has no place at a gateway; bring it in first", r.Request.Via))
	}
	if err != nil {
		return result{}, err
	}
	return result{fmt.Sprintf("by %s, which is at gateway %s", r.Request.Via, a.Gateway), func(r *provision.Run) {
		r.Triggered(provision.GatewayReady, "gateway:"+a.Gateway, "", f.p.Time())
	}}, nil
}

// topicsOf are the topics of a device whose type's driver has such; nil if it uses the platform's. They are those of the newest version
// that is in use: a gateway lets a device in by one set of topics, whatever its firmware.
func (f *function) topicsOf(ctx context.Context, r *provision.Run, k device.Kind) (*api.Topics, error) {
	if k != device.Password && k != device.Token || r.Request.Protocol != "" && r.Request.Protocol != "mqtt" {
		return nil, nil
	}
	t, err := f.twins.Get(ctx, string(r.Type))
	if err != nil || t.Definition.Model == nil || t.Definition.Model.Driver == "" {
		return nil, err
	}
	d, err := f.p.API.GetDriver(ctx, t.Definition.Model.Driver)
	if errors.Is(err, api.ErrNotFound) {
		return nil, refusal(fmt.Sprintf("the driver %s of type %s is not known; publish it, or give the type another", t.Definition.Model.Driver, t.ID))
	}
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(d.Versions, func(v api.DriverVersion) bool { return v.State == api.DriverActive })
	if i < 0 || len(d.Versions[i].Topics) == 0 {
		return nil, nil
	}
	own := &api.Topics{Up: d.Versions[i].Topics, Down: d.Versions[i].Downlinks}
	if !r.Request.Bridge {
		own.Device = r.Request.Called()
	}
	if own.Device == "" && !r.Request.Bridge {
		return own, nil // its serial is not known yet
	}
	if err := own.Check(); err != nil {
		return nil, refusal(fmt.Sprintf("by the topics of driver %s the device cannot come in: %v", d.Name, err))
	}
	return own, nil
}

// forPeople tells whether a model leads people who bring in the run's device: step by step, or at once where nothing is carried to it.
func forPeople(m *provision.Model, r *provision.Run) bool {
	if r.Request.Via == "" {
		return forInstallers(m)
	}
	return slices.ContainsFunc(m.States, func(s provision.State) bool {
		return s.Do == provision.IssueCredential && s.With["kind"] == string(device.Relayed)
	})
}

// steps are what forPeople looks for, in words.
func steps(r *provision.Run) string {
	if r.Request.Via == "" {
		return "steps for an installer"
	}
	return "credential of kind relayed"
}
