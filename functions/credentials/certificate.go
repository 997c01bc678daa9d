package credentials

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// A certificate is all there is to know of a twin's credential: one document per twin, so that one compare-and-swap decides
// which key, reference and generation it has. Once withdrawn, only the generation stays.
type certificate struct {
	Twin       twin.ID     `bson:"_id"`
	Type       twin.TypeID `bson:"type"`
	Generation int64       `bson:"generation"`

	Ref         device.Ref `bson:"ref,omitempty"`
	Key         string     `bson:"key,omitempty"` // SHA-256 of the public key
	Fingerprint string     `bson:"fingerprint,omitempty"`
	PEM         string     `bson:"pem,omitempty"` // until it is delivered and erased
	Expires     time.Time  `bson:"expires,omitempty"`
	Issued      time.Time  `bson:"issued,omitempty"`

	// Run is for whom it was issued. Ended is the run that has withdrawn last: what comes late of it changes nothing.
	Run   string `bson:"run,omitempty"`
	Ended string `bson:"ended,omitempty"`

	Outbox event.Outbox `bson:"outbox"`
}

// changed puts the event into the outbox that empties caches of ref → twin.
func (v *certificate) changed(ref device.Ref, now time.Time) error {
	if v.Outbox.Full() {
		return fmt.Errorf("%w: too many changes of twin %s are still to be published", api.ErrUnavailable, v.Twin)
	}
	v.Outbox.Add("certificate:"+string(v.Twin), event.CredentialChanged, string(v.Twin), now, api.CredentialChanged{Ref: ref, Twin: v.Twin})
	return nil
}

func (c *credentials) issue(ctx context.Context, _ *faas.Call, in api.CertificateRequest) (api.Certificate, error) {
	csr, key, err := pki.ReadCSR(in.CSR)
	if err != nil {
		return api.Certificate{}, err
	}
	if !runPattern.MatchString(in.Run) {
		return api.Certificate{}, api.Invalid("run must be 1 to 80 letters, digits, '.', '-' or '_'")
	}
	t, err := c.p.Twin(ctx, c.twins, self, access.Read, in.Twin)
	if err != nil {
		return api.Certificate{}, err
	}
	if t.Kind != twin.Instance {
		return api.Certificate{}, api.Invalid("twin: %s is a twin of kind %s; only instances have certificates", t.ID, t.Kind)
	}
	v, err := c.certs.Upsert(ctx, string(t.ID), func(v *certificate, _ bool) error {
		switch {
		case v.Ended == in.Run:
			return fmt.Errorf("%w: run %s has withdrawn the certificate of twin %s", api.ErrConflict, in.Run, t.ID)
		case v.Ref != "" && v.Key != key:
			return fmt.Errorf("%w: twin %s has a certificate for another key; reset its provisioning run to enrol it anew", api.ErrConflict, t.ID)
		case v.Ref != "" && v.PEM == "":
			return fmt.Errorf("%w: the certificate of twin %s was delivered and erased; reset its provisioning run to enrol it anew", api.ErrConflict, t.ID)
		case v.Ref != "":
			return store.Unchanged
		}
		now := c.p.Time()
		v.Run, v.Ended = in.Run, ""
		v.Type, v.Key, v.Ref, v.Issued = t.Definition.Type, key, newRef(t.ID), now
		v.Generation++
		// Should another instance sign at the same time, one certificate is stored and the other never leaves this function.
		pem, fingerprint, expires, err := c.ca.Device(now, string(v.Ref), csr)
		if err != nil {
			return err
		}
		v.PEM, v.Fingerprint, v.Expires = string(pem), fingerprint, expires
		return v.changed(v.Ref, now)
	})
	if err != nil {
		return api.Certificate{}, err
	}
	c.flush(ctx, v)
	return api.Certificate{Ref: v.Ref, Twin: v.Twin, Certificate: v.PEM, Fingerprint: v.Fingerprint, Generation: v.Generation, Expires: v.Expires}, nil
}

// newRef makes a reference that people can recognise and nobody has had: the twin's id as far as it goes, and 32 random bits.
// It need not be secret. The unique index has the last word.
func newRef(id twin.ID) device.Ref {
	var b [4]byte
	rand.Read(b[:])                                  // never fails since Go 1.24
	name := strings.ReplaceAll(string(id), ".", "-") // the one character an id may have and a reference may not
	return device.Ref(name[:min(len(name), 55)] + "-" + hex.EncodeToString(b[:]))
}

// flush publishes what is in the outbox; what cannot be is left to the sweep.
func (c *credentials) flush(ctx context.Context, v certificate) {
	if err := c.outbox.Flush(ctx, v); err != nil {
		c.p.Log.WarnContext(ctx, "event not published yet", "twin", v.Twin, "error", err)
	}
}

// byRef returns the certificate that has the reference now.
func (c *credentials) byRef(ctx context.Context, ref device.Ref) (certificate, error) {
	v, err := c.certs.FindOne(ctx, store.Query{Index: "by-ref", Filter: store.Eq("ref", ref)})
	if errors.Is(err, store.ErrNotFound) || ref.Valid() != nil {
		return v, platform.NotFound("certificate", string(ref))
	}
	return v, err
}

func (c *credentials) erase(ctx context.Context, call *faas.Call, _ faas.None) (faas.None, error) {
	ref := device.Ref(call.Var("ref"))
	v, err := c.byRef(ctx, ref)
	if err != nil {
		return faas.None{}, err
	}
	_, err = c.certs.Update(ctx, string(v.Twin), func(v *certificate) error {
		if v.Ref != ref || v.PEM == "" {
			return store.Unchanged
		}
		v.PEM = ""
		return nil
	})
	return faas.None{}, err
}

// withdraw ends the certificate that a twin has by a run. That it has none, or another's, is no error; the run gets none later.
func (c *credentials) withdraw(ctx context.Context, call *faas.Call, _ faas.None) (faas.None, error) {
	id, run := twin.ID(call.Query.Get("twin")), call.Query.Get("run")
	if err := id.Valid(); err != nil {
		return faas.None{}, fmt.Errorf("twin: %w", err)
	}
	if !runPattern.MatchString(run) {
		return faas.None{}, api.Invalid("run must be 1 to 80 letters, digits, '.', '-' or '_'")
	}
	v, err := c.certs.Upsert(ctx, string(id), func(v *certificate, _ bool) error {
		if v.Ref != "" && v.Run != run {
			return store.Unchanged
		}
		return v.end(run, c.p.Time())
	})
	if err != nil {
		return faas.None{}, err
	}
	c.flush(ctx, v)
	return faas.None{}, nil
}

// end removes all but the generation.
func (v *certificate) end(run string, now time.Time) error {
	ref := v.Ref
	v.Ended = run
	v.Ref, v.Run, v.Key, v.Fingerprint, v.PEM, v.Expires, v.Issued = "", "", "", "", "", time.Time{}, time.Time{}
	if ref == "" {
		return nil
	}
	return v.changed(ref, now)
}

func (c *credentials) caPEM(context.Context, *faas.Call, faas.None) (faas.Reply, error) {
	return faas.Bytes("application/x-pem-file", c.ca.PEM()), nil
}
