package credentials

import (
	"context"
	"errors"
	"fmt"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// issue makes a credential for a run. One write stores the verifier together with what is sealed, before anything is sent:
// a run that is gone on with after a crash gets the same again, and never a second.
func (c *credentials) issue(ctx context.Context, _ *faas.Call, in api.NewCredential) (api.Credential, error) {
	if in.Kind == "" {
		in.Kind = device.Certificate
	}
	w, err := readWish(in.Kind, in.CSR, in.PublicKey)
	switch {
	case err != nil:
		return api.Credential{}, err
	case !runPattern.MatchString(in.Run):
		return api.Credential{}, errRun
	case in.Username != "" && in.Kind != device.Password:
		return api.Credential{}, api.Invalid("username is for kind password, not %s", in.Kind)
	}
	if in.Username != "" {
		if err := device.CheckUsername(in.Username); err != nil {
			return api.Credential{}, err
		}
	}
	if err := checkWays(&in); err != nil {
		return api.Credential{}, err
	}
	t, err := c.p.Twin(ctx, c.twins, self, access.Read, in.Twin)
	if err != nil {
		return api.Credential{}, err
	}
	if t.Kind != twin.Instance {
		return api.Credential{}, api.Invalid("twin: %s is a twin of kind %s; only instances have credentials", t.ID, t.Kind)
	}
	var via credential
	if in.Kind == device.Relayed {
		if via, err = c.checkVia(ctx, in.Via, in.Name, &t); err != nil {
			return api.Credential{}, err
		}
	}
	life, err := c.lifetime(ctx, t.Definition.Type, in.Topics)
	if err != nil {
		return api.Credential{}, err
	}
	readers, err := c.readers(ctx, in.Kind, in.Protocol)
	if err != nil {
		return api.Credential{}, err
	}
	v, err := c.creds.Upsert(ctx, string(t.ID), func(v *credential, _ bool) error {
		switch {
		case v.Ended == in.Run:
			return fmt.Errorf("%w: run %s has ended the credential of twin %s", api.ErrConflict, in.Run, t.ID)
		case v.Ref != "" && (v.Kind != in.Kind || v.Proofs[0].Key != w.key || v.Via != in.Via && v.ViaTwin != via.Twin || v.Name != in.Name):
			return fmt.Errorf("%w: twin %s has a credential of another kind or for another key; reset its provisioning run to enrol it anew", api.ErrConflict, t.ID)
		case v.Ref != "" && !v.Proofs[0].kept() && v.Kind != device.Relayed:
			return fmt.Errorf("%w: the credential of twin %s was delivered and erased; reset its provisioning run to enrol it anew", api.ErrConflict, t.ID)
		case v.Ref != "":
			return store.Unchanged
		}
		now := c.p.Time()
		v.Run, v.Ended = in.Run, ""
		v.Type, v.Kind, v.Username, v.Ref = t.Definition.Type, in.Kind, in.Username, newRef(t.ID)
		v.Protocol, v.Topics = in.Protocol, in.Topics
		if in.Kind == device.Relayed {
			v.relayedBy(&via, in.Name)
		}
		v.Generation++
		v.Version++
		// Should another instance make one at the same time, one is stored and the other never leaves this function.
		p, sealedFor, err := c.make(v, w, now, life, readers)
		if err != nil {
			return err
		}
		v.Proofs, v.SealedFor = []proof{p}, sealedFor
		v.warn()
		return v.changed(v.Ref, now)
	})
	if errors.Is(err, store.ErrExists) && in.Username != "" {
		return api.Credential{}, fmt.Errorf("%w: username %s is not free; take another", api.ErrExists, in.Username)
	}
	if errors.Is(err, store.ErrExists) && in.Kind == device.Relayed {
		return api.Credential{}, c.called(ctx, self, &via, in.Name)
	}
	if err != nil {
		return api.Credential{}, err
	}
	c.flush(ctx, v)
	if v.Kind == device.Relayed {
		if v, err = c.stillSpeaks(ctx, v); err != nil {
			return api.Credential{}, err
		}
		return v.issued(), nil
	}
	return v.issued(), c.follow(ctx, v, t.Definition.Owner)
}

var errRun = api.Invalid("run must be 1 to 80 letters, digits, '.', '-' or '_'")
