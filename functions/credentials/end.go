package credentials

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// erase notes that the device has its credential: what was kept to bring it there goes.
func (c *credentials) erase(ctx context.Context, call *faas.Call, _ faas.None) (faas.None, error) {
	ref := device.Ref(call.Var("ref"))
	v, err := c.byRef(ctx, ref)
	if err != nil {
		return faas.None{}, err
	}
	v, err = c.creds.Update(ctx, string(v.Twin), func(v *credential) error {
		if v.Ref != ref || !v.Proofs[0].Confirmed.IsZero() {
			return store.Unchanged
		}
		now := c.p.Time()
		v.Proofs[0].confirm(now)
		if len(v.Proofs) == 1 {
			v.SealedFor = nil
		}
		return v.changed(ref, now) // mappings are not pending any more
	})
	if err == nil {
		c.flush(ctx, v)
	}
	return faas.None{}, err
}

// withdraw ends the credential that a twin has by a run. That it has none, or another's, is no error; the run gets none later.
func (c *credentials) withdraw(ctx context.Context, call *faas.Call, _ faas.None) (faas.None, error) {
	id, run := twin.ID(call.Query.Get("twin")), call.Query.Get("run")
	if err := id.Valid(); err != nil {
		return faas.None{}, fmt.Errorf("twin: %w", err)
	}
	if !runPattern.MatchString(run) {
		return faas.None{}, errRun
	}
	v, err := c.creds.Upsert(ctx, string(id), func(v *credential, _ bool) error {
		if v.Ref != "" && v.Run != run {
			return store.Unchanged
		}
		return v.end(run, "withdrawn by run "+run, call.Caller.String(), c.p.Time())
	})
	if err != nil {
		return faas.None{}, err
	}
	c.flush(ctx, v)
	return faas.None{}, nil
}

// revoke ends a credential at people's wish. The write that ends it also says that the device's place must go, so that
// whoever comes after a crash takes it away.
func (c *credentials) revoke(ctx context.Context, call *faas.Call, in api.Because) (faas.None, error) {
	ref := device.Ref(call.Var("ref"))
	in.Reason = strings.TrimSpace(in.Reason)
	if in.Reason == "" || len(in.Reason) > 500 || !utf8.ValidString(in.Reason) {
		return faas.None{}, api.Invalid("reason must say why, in at most 500 bytes of text")
	}
	v, err := c.byRef(ctx, ref)
	if err != nil {
		return faas.None{}, err
	}
	switch err := c.may(ctx, call.Caller, access.Write, v.Twin); {
	case errors.Is(err, api.ErrNotFound):
		return faas.None{}, platform.NotFound("credential", string(ref))
	case err != nil:
		return faas.None{}, err
	}
	v, err = c.creds.Update(ctx, string(v.Twin), func(v *credential) error {
		if v.Ref != ref {
			return platform.NotFound("credential", string(ref)) // somebody was faster
		}
		now := c.p.Time()
		if v.Kind != device.Relayed { // that has no place of its own
			v.Gone, v.PendingSince = append(v.Gone, ref), now
		}
		return v.end(v.Run, in.Reason, call.Caller.String(), now)
	})
	if err != nil {
		return faas.None{}, err
	}
	c.flush(ctx, v)
	return faas.None{}, c.inform(ctx, v)
}

// may returns nil if the caller may use right on a twin.
func (c *credentials) may(ctx context.Context, caller access.Caller, right access.Right, id twin.ID) error {
	_, err := c.p.Twin(ctx, c.twins, caller, right, id)
	return err
}

// listCredentials tells what a twin's device proves itself by. No secret and no verifier is among it.
func (c *credentials) listCredentials(ctx context.Context, call *faas.Call, _ faas.None) (api.Page[api.CredentialFact], error) {
	out := api.Page[api.CredentialFact]{Items: []api.CredentialFact{}}
	id := twin.ID(call.Query.Get("twin"))
	if call.Caller.Kind != access.Part || call.Caller.For != nil {
		if err := c.may(ctx, call.Caller, access.Read, id); err != nil {
			return out, err
		}
	} else if err := id.Valid(); err != nil {
		return out, fmt.Errorf("twin: %w", err)
	}
	v, err := c.creds.Get(ctx, string(id))
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	}
	out.Items = append(out.Items, v.facts()...)
	return out, err
}

func (c *credentials) caPEM(context.Context, *faas.Call, faas.None) (faas.Reply, error) {
	return faas.Bytes("application/x-pem-file", c.ca.PEM()), nil
}
