package credentials

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// A wish is what a device gave for its credential to be made from.
type wish struct {
	csr    *x509.CertificateRequest // of a certificate
	public seal.PublicKey           // of every other kind
	key    string                   // SHA-256 of either key, hexadecimal; of kind relayed there is none
}

// readWish checks what a device gave for a credential of this kind.
func readWish(kind device.Kind, csr, publicKey string) (w wish, err error) {
	if err := kind.Valid(); err != nil {
		return w, err
	}
	if kind == device.Relayed {
		if csr != "" || publicKey != "" {
			return w, api.Invalid("csr and publicKey are for devices that show something; of kind relayed they show nothing")
		}
		return w, nil
	}
	if !kind.Secret() {
		if publicKey != "" {
			return w, api.Invalid("publicKey is for kinds whose secret the platform makes; a certificate needs a csr")
		}
		w.csr, w.key, err = pki.ReadCSR(csr)
		return w, err
	}
	if csr != "" {
		return w, api.Invalid("csr is for kind certificate; a %s needs a publicKey", kind)
	}
	if w.public, err = seal.ReadPublicKey(publicKey); err != nil {
		return w, err
	}
	sum := sha256.Sum256(w.public.Bytes())
	w.key = hex.EncodeToString(sum[:])
	return w, nil
}

// make makes a proof for the credential. A secret leaves this function sealed only: to the device, and to gateways that can
// compare plain secrets only.
func (c *credentials) make(v *credential, w wish, now time.Time, life time.Duration, readers map[string]seal.PublicKey) (p proof, sealedFor map[string]string, err error) {
	p = proof{Key: w.key, Issued: now}
	if v.Kind == device.Relayed {
		return p, nil, nil
	}
	if life > 0 {
		p.Expires = now.Add(life)
	}
	if !v.Kind.Secret() {
		pem, fingerprint, expires, err := c.ca.Device(now, string(v.Ref), w.csr, life)
		p.PEM, p.Fingerprint, p.Expires = string(pem), fingerprint, expires
		if err == nil {
			p.Number, err = pki.Number(pem)
		}
		return p, nil, err
	}
	secret := newSecret(v.Kind)
	if p.Verifier, err = c.p.Verifier(v.Ref, secret); err != nil {
		return p, nil, err
	}
	out := api.Secret{Kind: v.Kind, Ref: v.Ref, Username: v.Username, Secret: secret}
	if v.Kind != device.Password {
		out.Secret = device.Joined(v.Ref, secret)
	}
	plain, err := json.Marshal(out)
	if err != nil {
		return p, nil, err
	}
	if p.Sealed, err = seal.Seal(w.public, api.SealInfo(v.Ref), plain); err != nil {
		return p, nil, err
	}
	for gateway, public := range readers {
		if sealedFor == nil {
			sealedFor = map[string]string{}
		}
		if sealedFor[gateway], err = seal.Seal(public, api.SealInfo(v.Ref), plain); err != nil {
			return p, nil, err
		}
	}
	return p, sealedFor, nil
}

// newSecret is random: 256 bits, or 26 characters that people can read out, 130 bits, for a password.
func newSecret(kind device.Kind) string {
	if kind == device.Password {
		var b [17]byte
		rand.Read(b[:]) // never fails since Go 1.24
		return base32.StdEncoding.EncodeToString(b[:])[:26]
	}
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// lifetime is how long a credential of a type's instances is good. Firmware with topics of its own knows nothing of renewal: where
// the type says nothing, its credential is good until people end it, 0.
func (c *credentials) lifetime(ctx context.Context, t twin.TypeID, own *api.Topics) (time.Duration, error) {
	v, err := c.twins.Get(ctx, string(t))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	if m := v.Definition.Model; err == nil && m != nil && m.CredentialLifetime > 0 {
		return m.CredentialLifetime.D(), nil
	}
	if own != nil {
		return 0, nil
	}
	return pki.DeviceLife, nil
}

// maxReaders is how many gateways a secret is sealed to: one of them is its device's, the others are where it may go.
const maxReaders = 16

// readers are the public keys of gateways that can compare plain secrets only, by their ids: of those that are alive and that a
// device with this kind of credential and this protocol may be sent to. None are asked for where no secret is made.
func (c *credentials) readers(ctx context.Context, kind device.Kind, protocol string) (map[string]seal.PublicKey, error) {
	if !kind.Secret() {
		return nil, nil
	}
	page, err := c.p.API.ListGateways(ctx, "operational")
	if err != nil {
		return nil, err
	}
	out := map[string]seal.PublicKey{}
	for _, g := range page.Items {
		takes := g.Protocol == cmp.Or(protocol, "mqtt") && (len(g.Kinds) == 0 || slices.Contains(g.Kinds, kind))
		if g.PublicKey == "" || g.Dead || g.Draining || g.Seen.IsZero() || !takes || len(out) >= maxReaders {
			continue
		}
		if key, err := seal.ReadPublicKey(g.PublicKey); err == nil {
			out[g.ID] = key
		} else {
			c.p.Log.WarnContext(ctx, "gateway's public key cannot be used, it gets no secrets", "gateway", g.ID, "error", err)
		}
	}
	return out, nil
}
