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
	"github.com/castor-iot/castor/shared/driver/topic"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
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
	if err := device.CheckUsername(in.Username); err != nil { // here, not when an installer has walked to the device
		return err
	}
	return f.freeUsername(ctx, in.Username, runID(in.Type, req.Serial))
}

// freeUsername refuses a user name that a device has, or is to have by another run than this one. The credential's index has the last
// word; this is for who would find it out at the device.
func (f *function) freeUsername(ctx context.Context, name, run string) error {
	taken := fmt.Errorf("%w: username %s is not free; take another", api.ErrExists, name)
	if _, err := f.p.API.Username(ctx, name); err == nil {
		return taken
	} else if !errors.Is(err, api.ErrNotFound) {
		return err
	}
	return f.runs.Scan(ctx, store.Query{Index: "by-username", Filter: store.Eq("request.username", name), Fields: []string{"_id", "outcome"}}, func(r provision.Run) error {
		if r.ID != run && r.Outcome == "" {
			return taken
		}
		return nil
	})
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
	if v.Definition.Phase == twin.Retired {
		return api.Invalid("via: twin %s is being decommissioned; name another", v.ID)
	}
	if v.Kind != twin.Instance || v.Definition.Owner != in.Owner {
		return api.Invalid("via: twin %s is no device of group %s; who speaks for a device must be of its group", v.ID, in.Owner)
	}
	req.Kind, req.Protocol = string(device.Relayed), ""
	by, err := f.speaker(ctx, in.Via)
	if err != nil {
		return told(err)
	}
	return told(canSay(&by, req.Called()))
}

// canSay refuses a name that the device whose credential v is cannot call another by, because it speaks for itself alone or its topics
// do not carry that; function credentials has the last word.
func canSay(v *api.CredentialFact, name string) error {
	switch {
	case v.Topics == nil:
		return api.SpeaksAlone(v.Twin, v.Protocol)
	case v.Topics.Device != "":
		return api.Invalid("via: %s logs in for itself alone, as %s in its topics; bring it in as a bridge (castor run start --bridge) to have it speak for others", v.Twin, v.Topics.Device)
	}
	if err := topic.Carries(v.Topics.Up, name); err != nil {
		return api.Invalid("name: %s cannot speak for a device called %.80q, because %w; call the device otherwise there, and say that name", v.Twin, name, err)
	}
	return nil
}

// viaOf is the reference of the device that is to speak for the run's.
func (f *function) viaOf(ctx context.Context, r *provision.Run) (device.Ref, error) {
	v, err := f.speaker(ctx, r.Request.Via)
	return v.Ref, err
}

// speaker is the credential of the device that is to speak for others.
func (f *function) speaker(ctx context.Context, via twin.ID) (out api.CredentialFact, err error) {
	page, err := f.p.API.ListCredentials(ctx, via)
	if err != nil {
		return out, err
	}
	for _, c := range page.Items {
		switch {
		case c.State == api.CredentialEnded:
		case c.Kind == device.Relayed:
			return out, refusal(fmt.Sprintf("%s is relayed itself, by %s; name that one", c.Twin, c.ViaTwin))
		default:
			return c, nil
		}
	}
	return out, refusal(fmt.Sprintf("the device of twin %s has no credential that is good; bring it in first", via))
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
		return nil, refusal(fmt.Sprintf("the driver %s of type %s is not published yet; publish it (castor driver publish), or have the type name another (castor driver list)", t.Definition.Model.Driver, t.ID))
	}
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(d.Versions, func(v api.DriverVersion) bool { return v.State == api.DriverActive })
	if i < 0 { // by the platform's topics, which such firmware does not know, its device would never come
		i = slices.IndexFunc(d.Versions, func(v api.DriverVersion) bool { return len(v.Topics) > 0 })
		if i >= 0 {
			return nil, refusal(fmt.Sprintf("no version of driver %s of type %s is active, and the device's topics are its; promote one first: castor driver promote %s %s", d.Name, t.ID, d.Name, d.Versions[i].Version))
		}
	}
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
