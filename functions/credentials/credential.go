package credentials

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// A credential is all there is to know of what a twin's device proves itself by: one document per twin, so that one
// compare-and-swap decides which key, reference and generation it has, and a secret and its verifier are never apart. Once it
// has ended, the generation stays, and what is told of it.
type credential struct {
	Twin       twin.ID     `bson:"_id"`
	Type       twin.TypeID `bson:"type"`
	Generation int64       `bson:"generation"`
	Version    int64       `bson:"version"` // counts the changes of what may be shown

	Ref      device.Ref  `bson:"ref,omitempty"`
	Kind     device.Kind `bson:"kind,omitempty"`
	Username string      `bson:"username,omitempty"`
	Protocol string      `bson:"protocol,omitempty"` // that the device speaks

	// Via speaks for a device of kind relayed, and calls it Name; ViaTwin is that one's twin, which stays when its reference becomes
	// another, or none. Topics are those of firmware that has its own.
	Via     device.Ref  `bson:"via,omitempty"`
	ViaTwin twin.ID     `bson:"viaTwin,omitempty"`
	Name    string      `bson:"name,omitempty"`
	Topics  *api.Topics `bson:"topics,omitempty"`

	// Moving is the twin whose device is to speak for this one, and what it is to call it there (as "TWIN/NAME"): until that is decided nothing
	// has moved. Who takes that device out of service waits for those that are on their way to it. MovingBy is who has it move.
	Moving      string    `bson:"moving,omitempty"`
	MovingSince time.Time `bson:"movingSince,omitempty"`
	MovingBy    string    `bson:"movingBy,omitempty"`

	// Untold is what the twin's log does not have yet, the oldest first, and UntoldSince since when.
	Untold      []occurrence `bson:"untold,omitempty"`
	UntoldSince time.Time    `bson:"untoldSince,omitempty"`

	// Proofs are what may be shown now, the newest last: one, and a second one from when the device asks for another until it
	// has shown that.
	Proofs []proof `bson:"proofs,omitempty"`

	// SealedFor has the newest secret for gateways that compare plain ones, sealed to them, until they know.
	SealedFor map[string]string `bson:"sealedFor,omitempty"`

	// Run is for whom it was issued. Ended is the run that has withdrawn last: what comes late of it changes nothing.
	Run   string `bson:"run,omitempty"`
	Ended string `bson:"ended,omitempty"`

	// Past are those that have ended, the latest last.
	Past []api.CredentialFact `bson:"past,omitempty"`

	// Revoked are certificates that have ended before they expired, and Retired when the last of them expires.
	Revoked []pki.Revoked `bson:"revoked,omitempty"`
	Retired time.Time     `bson:"retired,omitempty"`

	// Gone are references whose places are to be taken away, and PendingSince is set while function gateways is to be told of
	// that, or of what may be shown now.
	Gone         []device.Ref `bson:"gone,omitempty"`
	PendingSince time.Time    `bson:"pendingSince,omitempty"`

	// Warn is when somebody should hear that it was not renewed; the zero time once that was told, or when nothing is to be.
	Warn time.Time `bson:"warn,omitempty"`

	Outbox event.Outbox `bson:"outbox"`
}

// A proof is one certificate or secret. What is kept for its delivery goes once the device has confirmed it.
type proof struct {
	Key         string    `bson:"key"` // SHA-256 of the device's public key: a repeated request is known by it; "" if it has none
	Fingerprint string    `bson:"fingerprint,omitempty"`
	Number      string    `bson:"number,omitempty"` // of a certificate, as its list of revoked ones names it
	Verifier    string    `bson:"verifier,omitempty"`
	PEM         string    `bson:"pem,omitempty"`
	Sealed      string    `bson:"sealed,omitempty"`
	Issued      time.Time `bson:"issued"`
	Expires     time.Time `bson:"expires,omitempty"` // the zero time = never
	Confirmed   time.Time `bson:"confirmed,omitempty"`
}

// kept tells whether the proof can still be handed out.
func (p *proof) kept() bool { return p.PEM != "" || p.Sealed != "" }

// confirm notes that the device has the proof, and erases what was kept to bring it there.
func (p *proof) confirm(now time.Time) {
	p.PEM, p.Sealed = "", ""
	if p.Confirmed.IsZero() {
		p.Confirmed = now
	}
}

// maxPast is how many ended credentials are told of.
const maxPast = 20

// maxRevoked is how many certificates of one twin the list of revoked ones has.
const maxRevoked = 200

func openCredentials(ctx context.Context, p *platform.Platform) (*store.Collection[credential], error) {
	_, err1 := platform.OpenCredentials[credential](ctx, p.DB) // what readers rely on
	_, err2 := platform.OpenSpoken[credential](ctx, p.DB)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return store.Open[credential](ctx, p.DB, store.Spec{Name: "credentials", Schema: 1, Indexes: []store.Index{
		{Name: "by-ref", Fields: []string{"ref"}, Unique: true},
		{Name: "by-username", Fields: []string{"username"}, Unique: true},
		{Name: "by-via", Fields: []string{"viaTwin"}},
		{Name: "by-moving", Fields: []string{"moving"}, Unique: true}, // so that it holds only those that move
		{Name: "by-outbox", Fields: []string{"outbox.since"}},
		{Name: "by-pending", Fields: []string{"pendingSince"}},
		{Name: "by-warn", Fields: []string{"warn"}},
		{Name: "by-untold", Fields: []string{"untoldSince"}},
		{Name: "by-retired", Fields: []string{"retired"}},
	}})
}

// newest is the proof that was made last; nil if there is none.
func (v *credential) newest() *proof {
	if len(v.Proofs) == 0 {
		return nil
	}
	return &v.Proofs[len(v.Proofs)-1]
}

// proof is what function gateways is told.
func (v *credential) proof() api.Proof {
	out := api.Proof{Version: v.Version, Kind: v.Kind, Username: v.Username, Topics: v.Topics}
	for _, p := range v.Proofs {
		if v.Kind.Secret() {
			out.Verifiers, out.Expires = append(out.Verifiers, p.Verifier), p.Expires
		} else {
			out.Fingerprints = append(out.Fingerprints, p.Fingerprint)
		}
	}
	return out
}

// issued is the answer to whoever asked for it.
func (v *credential) issued() api.Credential {
	p := v.newest()
	return api.Credential{Ref: v.Ref, Twin: v.Twin, Kind: v.Kind, Username: v.Username, Certificate: p.PEM, Fingerprint: p.Fingerprint,
		Sealed: p.Sealed, Verifier: p.Verifier, SealedFor: v.SealedFor, Via: v.Via, Name: v.Name, Topics: v.Topics,
		Generation: v.Generation, Version: v.Version, Expires: p.Expires}
}

// facts are what people may know, the newest first.
func (v *credential) facts() []api.CredentialFact {
	out := slices.Clone(v.Past)
	for _, p := range v.Proofs {
		out = append(out, v.fact(p))
	}
	slices.Reverse(out)
	return out
}

func (v *credential) fact(p proof) api.CredentialFact {
	f := api.CredentialFact{Ref: v.Ref, Twin: v.Twin, Kind: v.Kind, Username: v.Username, Fingerprint: p.Fingerprint, Generation: v.Generation,
		Via: v.Via, ViaTwin: v.ViaTwin, Name: v.Name, Topics: v.Topics, Protocol: v.Protocol, State: api.CredentialPending, Issued: p.Issued, Confirmed: p.Confirmed, Expires: p.Expires}
	if !p.Confirmed.IsZero() {
		f.State = api.CredentialActive
	}
	return f
}

// retire moves proofs to what has ended.
func (v *credential) retire(gone []proof, reason, by string, now time.Time) {
	for _, p := range gone {
		f := v.fact(p)
		f.State, f.Ended, f.Reason, f.By = api.CredentialEnded, now, reason, by
		v.Past = append(v.Past, f)
		if p.Number != "" && p.Expires.After(now) {
			v.Revoked = append(v.Revoked, pki.Revoked{Number: p.Number, At: now, Expires: p.Expires})
		}
	}
	v.Revoked, v.Retired = slices.DeleteFunc(v.Revoked, func(r pki.Revoked) bool { return !r.Expires.After(now) }), time.Time{}
	v.Revoked = v.Revoked[max(0, len(v.Revoked)-maxRevoked):]
	for _, r := range v.Revoked {
		if r.Expires.After(v.Retired) {
			v.Retired = r.Expires
		}
	}
	v.Past = v.Past[max(0, len(v.Past)-maxPast):]
}

// end takes all that may be shown away; the device is nobody from then on.
func (v *credential) end(run, reason, by string, now time.Time) error {
	ref := v.Ref
	v.Ended = run
	v.retire(v.Proofs, reason, by, now)
	v.Ref, v.Kind, v.Username, v.Run, v.Proofs, v.SealedFor, v.Warn = "", "", "", "", nil, nil, time.Time{}
	v.Via, v.ViaTwin, v.Name, v.Topics = "", "", "", nil
	v.stay()
	if ref == "" {
		return nil
	}
	v.Version++
	return v.changed(ref, now)
}

// changed puts the event into the outbox that empties caches of ref → twin.
func (v *credential) changed(ref device.Ref, now time.Time) error {
	if v.Outbox.Full() {
		return fmt.Errorf("%w: too many changes of twin %s are still to be published", api.ErrUnavailable, v.Twin)
	}
	v.Outbox.Add("credential:"+string(v.Twin), event.CredentialChanged, string(v.Twin), now, api.CredentialChanged{Ref: ref, Twin: v.Twin})
	return nil
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
func (c *credentials) flush(ctx context.Context, v credential) {
	if err := c.outbox.Flush(ctx, v); err != nil {
		c.p.Log.WarnContext(ctx, "event not published yet", "twin", v.Twin, "error", err)
	}
}

// byRef returns the credential that has the reference now.
func (c *credentials) byRef(ctx context.Context, ref device.Ref) (credential, error) {
	v, err := c.creds.FindOne(ctx, store.Query{Index: "by-ref", Filter: store.Eq("ref", ref)})
	if errors.Is(err, store.ErrNotFound) || ref.Valid() != nil {
		return v, platform.NotFound("credential", string(ref))
	}
	return v, err
}
