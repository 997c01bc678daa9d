package twinprovision

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
)

// asked is the parameter that has the device choose the kind of its credential.
const asked = "asked"

// issueCredential has the device's credential made: a certificate for its key, or a secret that is sealed to its public key.
func (f *function) issueCredential(ctx context.Context, r *provision.Run, kind string) (result, error) {
	if !r.Results.TwinReady {
		return result{}, refusal("the model issues a credential before there is a twin")
	}
	k, err := kindOf(r, kind)
	if err != nil {
		return result{}, err
	}
	ca, err := f.caPEM(ctx)
	if err != nil {
		return result{}, err
	}
	in := api.NewCredential{Twin: r.Twin, Run: roundOf(r), Kind: k, PublicKey: r.Request.PublicKey, Protocol: r.Request.Protocol}
	switch {
	case k == device.Relayed:
		if in.Via, err = f.viaOf(ctx, r); err != nil {
			return result{}, err
		}
		in.Name, in.PublicKey = r.Request.Called(), ""
	case !k.Secret():
		in.CSR, in.PublicKey = r.Request.CSR, ""
	case manual(r):
		in.Username = r.Request.Username
		if in.Topics, err = f.topicsOf(ctx, r, k); err != nil {
			return result{}, err
		}
	}
	c, err := f.p.API.IssueCredential(ctx, in)
	if err != nil {
		return result{}, err
	}
	return result{noteOf(&c, r), func(r *provision.Run) {
		s := &r.Results
		s.DeviceRef, s.Kind, s.Username, s.CA, s.ProofVersion, s.Expires = string(c.Ref), string(c.Kind), c.Username, ca, c.Version, c.Expires
		s.Certificate, s.Fingerprint, s.Sealed, s.Verifier = c.Certificate, c.Fingerprint, c.Sealed, c.Verifier
		s.SealedFor, s.Topics = c.SealedFor, c.Topics
	}}, nil
}

// noteOf says in the log what a credential is.
func noteOf(c *api.Credential, r *provision.Run) string {
	note := fmt.Sprintf("%s, device reference %s", c.Kind, c.Ref)
	if c.Kind == device.Relayed {
		note += fmt.Sprintf(", %q at %s", c.Name, r.Request.Via)
	}
	if t := c.Topics; t != nil {
		note += ", topics of its own like " + strings.ReplaceAll(t.Up[0], "{device}", cmp.Or(t.Device, "{device}"))
	}
	if !c.Expires.IsZero() {
		note += ", until " + c.Expires.Format(time.DateOnly)
	}
	return note
}

// kindOf is the kind of credential that a device gets: the model's, or the one that it asks for.
func kindOf(r *provision.Run, kind string) (device.Kind, error) {
	if kind == "" || kind == asked {
		kind = r.Request.Kind
	}
	if r.Request.Via != "" && kind != string(device.Relayed) {
		return "", refusal(fmt.Sprintf("%s is to speak for the device, and the model has a credential of kind %s made; it needs one with kind relayed, like model relayed", r.Request.Via, kind))
	}
	if kind == "" && r.Request.CSR == "" {
		kind = string(device.Token)
	}
	if kind == "" {
		kind = string(device.Certificate)
	}
	k := device.Kind(kind)
	switch {
	case k.Valid() != nil:
		return k, refusal(k.Valid().Error())
	case k == device.Relayed && r.Request.Via == "":
		return k, refusal("the model is for devices that another device speaks for, and nobody said which: via is missing")
	case k == device.Relayed:
		return k, nil
	case k.Secret() && r.Request.PublicKey == "":
		return k, refusal(fmt.Sprintf("a credential of kind %s is sealed to the device's public key, and it has sent none: publicKey is missing", k))
	case !k.Secret() && r.Request.CSR == "":
		return k, refusal("a certificate is made from a certificate request, and the device has sent none: csr is missing")
	}
	return k, nil
}

// caPEM is the platform's CA, which does not change while the function runs.
func (f *function) caPEM(ctx context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ca == "" {
		ca, err := f.p.API.CA(ctx)
		if err != nil {
			return "", err
		}
		f.ca = ca
	}
	return f.ca, nil
}

func (f *function) registerGateway(ctx context.Context, r *provision.Run) (result, error) {
	s := &r.Results
	if s.DeviceRef == "" {
		return result{}, refusal("the model registers at a gateway before there is a credential")
	}
	if s.Kind == string(device.Relayed) {
		return f.placeOf(ctx, r)
	}
	in := api.Assign{Ref: device.Ref(s.DeviceRef), Twin: r.Twin, Protocol: r.Request.Protocol, Location: r.Location, SealedFor: s.SealedFor,
		Proof: api.Proof{Version: s.ProofVersion, Kind: device.Kind(s.Kind), Username: s.Username, Topics: s.Topics}}
	if in.Kind.Secret() {
		in.Verifiers, in.Expires = []string{s.Verifier}, s.Expires
	} else {
		in.Fingerprints = []string{s.Fingerprint}
	}
	a, err := f.p.API.AssignGateway(ctx, in)
	if err != nil {
		return result{}, err
	}
	return result{fmt.Sprintf("gateway %s: %s", a.Gateway, a.Reason), func(r *provision.Run) {
		r.Results.Gateway, r.Results.GatewayURL, r.Results.GatewayReason = a.Gateway, a.URL, a.Reason
		r.Results.Gateways = a.Alternatives
		if a.Applied {
			r.Triggered(provision.GatewayReady, "gateway:"+a.Gateway, "", f.p.Time())
		}
	}}, nil
}

// eraseCredential erases what was kept of the credential for its delivery, here and where it was made.
func (f *function) eraseCredential(ctx context.Context, r *provision.Run) (result, error) {
	if r.Results.DeviceRef == "" {
		return done("there is no credential"), nil
	}
	if err := f.p.API.EraseCredential(ctx, device.Ref(r.Results.DeviceRef)); err != nil {
		return result{}, err
	}
	return result{"", func(r *provision.Run) {
		r.Results.Certificate, r.Results.Sealed, r.Results.SealedFor = "", "", nil
	}}, nil
}
