package credentials

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// renewAgain is how soon a device that asks for one more credential, with another key, before it has confirmed the last one
// gets it; for short lives it is a tenth of them.
const renewAgain = time.Minute

// renew makes a credential beside the one that the device has. Both are good until it has shown the new one, so whatever
// fails on the way, one works. Asked again with the same key, it is the same, sealed text and all.
func (c *credentials) renew(ctx context.Context, call *faas.Call, in api.Renewal) (api.RenewAnswer, error) {
	v, err := c.own(ctx, call)
	if err != nil {
		return api.RenewAnswer{}, err
	}
	ref := v.Ref
	w, err := readWish(v.Kind, in.CSR, in.PublicKey)
	if err != nil {
		return api.RenewAnswer{}, err
	}
	if w.csr != nil && w.csr.Subject.CommonName != "" && w.csr.Subject.CommonName != string(ref) {
		return api.RenewAnswer{}, api.Invalid("csr: its subject names %.80q, not %q, the device reference that asks; leave it empty, or name that", w.csr.Subject.CommonName, ref)
	}
	if v.Kind == device.Relayed {
		return api.RenewAnswer{}, api.Invalid("device %s shows nothing, so there is nothing to renew: %s speaks for it", ref, v.Via)
	}
	life, err := c.lifetime(ctx, v.Type, v.Topics)
	if err != nil {
		return api.RenewAnswer{}, err
	}
	readers, err := c.readers(ctx, v.Kind, v.Protocol)
	if err != nil {
		return api.RenewAnswer{}, err
	}
	v, err = c.creds.Update(ctx, string(v.Twin), func(v *credential) error {
		if v.Ref != ref {
			return platform.NotFound("credential", string(ref))
		}
		now, last := c.p.Time(), v.newest()
		if last.Key == w.key && last.kept() {
			return store.Unchanged
		}
		if again := again(life); len(v.Proofs) > 1 && now.Sub(last.Issued) < again {
			wait := int((last.Issued.Add(again).Sub(now) + time.Second - 1) / time.Second)
			return &api.Problem{Title: "Too many calls", Status: http.StatusTooManyRequests, RetryAfter: wait,
				Detail: fmt.Sprintf("a credential was made less than %s ago; use that one, or ask again in %d s", again, wait)}
		}
		p, sealedFor, err := c.make(v, w, now, life, readers)
		if err != nil {
			return err
		}
		if len(v.Proofs) > 1 { // the device has lost its key: nobody can show that one
			v.retire(v.Proofs[1:], "replaced before it was shown", "device:"+string(ref), now)
		}
		v.Proofs, v.SealedFor = append(v.Proofs[:1:1], p), sealedFor
		v.Version++
		v.PendingSince = now
		return nil
	})
	if err != nil {
		return api.RenewAnswer{}, err
	}
	// The device must be let in with it from the moment it has it.
	if err := c.inform(ctx, v); err != nil {
		return api.RenewAnswer{}, err
	}
	p := v.newest()
	return api.RenewAnswer{Ref: v.Ref, Kind: v.Kind, Username: v.Username, Certificate: p.PEM, Sealed: p.Sealed, Expires: p.Expires}, nil
}

// again is renewAgain for credentials of this life.
func again(life time.Duration) time.Duration {
	if life == 0 {
		return renewAgain
	}
	return min(renewAgain, life/10)
}

// confirm notes what the device has shown: the proofs before that one end, and what was kept to bring it there is erased.
func (c *credentials) confirm(ctx context.Context, call *faas.Call, in api.Shown) (faas.None, error) {
	v, err := c.own(ctx, call)
	if err != nil {
		return faas.None{}, err
	}
	ref := v.Ref
	v, err = c.creds.Update(ctx, string(v.Twin), func(v *credential) error {
		if v.Ref != ref {
			return platform.NotFound("credential", string(ref))
		}
		at := slices.IndexFunc(v.Proofs, func(p proof) bool { return p.is(in) })
		if at < 0 {
			return fmt.Errorf("%w: what device %s has shown is not good any more", api.ErrConflict, ref)
		}
		first := v.Proofs[0].Confirmed.IsZero()
		if at == 0 && !first {
			return store.Unchanged
		}
		now := c.p.Time()
		v.retire(v.Proofs[:at], "renewed", "device:"+string(ref), now)
		v.Proofs = v.Proofs[at:]
		v.Proofs[0].confirm(now)
		if at > 0 {
			v.Version++
			v.PendingSince = now
			v.warn()
		}
		if first {
			return v.changed(ref, now)
		}
		return nil
	})
	if err != nil {
		return faas.None{}, err
	}
	c.flush(ctx, v)
	return faas.None{}, c.inform(ctx, v)
}

// is compares in the same time wherever they differ.
func (p *proof) is(shown api.Shown) bool {
	same := func(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
	return same(p.Fingerprint, shown.Fingerprint) || same(p.Verifier, shown.Verifier)
}

// own is the credential that a connector's call names, if the device has its place at that connector's gateway.
func (c *credentials) own(ctx context.Context, call *faas.Call) (credential, error) {
	ref := device.Ref(call.Var("ref"))
	v, err := c.byRef(ctx, ref)
	if err != nil {
		return v, err
	}
	here, err := c.here(ctx, call.Caller.Gateway, []credential{v})
	if err == nil && len(here) == 0 {
		err = platform.NotFound("credential", string(ref))
	}
	return v, err
}

// inform tells function gateways what may be shown now, and which places must go, and notes that this is done.
func (c *credentials) inform(ctx context.Context, v credential) error {
	if v.PendingSince.IsZero() {
		return nil
	}
	for _, ref := range v.Gone {
		if err := c.p.API.RemoveAssignment(ctx, ref); err != nil {
			return err
		}
	}
	if v.Ref != "" {
		_, err := c.p.API.ChangeProof(ctx, v.Ref, api.ProofChange{Proof: v.proof(), SealedFor: v.SealedFor})
		if err != nil && !errors.Is(err, api.ErrNotFound) { // one that has no place is told of when it gets one
			return err
		}
	}
	gone, version := len(v.Gone), v.Version
	_, err := c.creds.Update(ctx, string(v.Twin), func(v *credential) error {
		if v.Version != version || v.PendingSince.IsZero() {
			return store.Unchanged // it has changed meanwhile, and whoever changed it tells that
		}
		v.Gone, v.PendingSince = slices.Delete(v.Gone, 0, gone), time.Time{}
		if len(v.Gone) == 0 {
			v.Gone = nil
		}
		if v.newest() != nil && !v.newest().Confirmed.IsZero() {
			v.SealedFor = nil
		}
		return nil
	})
	return err
}
