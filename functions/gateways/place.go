package gateways

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// A place is an assignment as it is stored. Its document comes first and says what is intended, then the gateway counts the
// device, then the bucket is written; whoever finds PendingSince set may finish it.
type place struct {
	api.Assignment `bson:",inline"`

	Protocol string         `bson:"protocol"`
	Location *twin.Location `bson:"location,omitempty"`

	// SealedFor has the device's secret, sealed to gateways that need it, until the gateway has it.
	SealedFor map[string]string `bson:"sealedFor,omitempty"`

	// Counted is set while the device counts among its gateway's.
	Counted bool `bson:"counted,omitempty"`

	// LeftCounted tells that the gateway that is being left (Leaving) may still count the device. While StayUntil is set, that
	// one lets the device in as well; the zero time = not any more.
	LeftCounted bool      `bson:"leftCounted,omitempty"`
	StayUntil   time.Time `bson:"stayUntil,omitempty"`

	// Changes counts what the gateway must be told anew; Told is Changes plus one as the gateway's bucket has it.
	Changes int64 `bson:"changes,omitempty"`
	Told    int64 `bson:"told,omitempty"`

	// AppliedRevision is the newest revision that the gateway has written back.
	AppliedRevision uint64 `bson:"appliedRevision,omitempty"`

	// Removed is for ever: references are not used again, and what comes late must not bring one back.
	Removed   bool      `bson:"removed,omitempty"`
	RemovedAt time.Time `bson:"removedAt,omitempty"`

	// GoneAt is when the gateway has written back that the device is out, in GoneRevision of its bucket.
	GoneAt       time.Time `bson:"goneAt,omitempty"`
	GoneRevision uint64    `bson:"goneRevision,omitempty"`

	PendingSince time.Time `bson:"pendingSince,omitempty"`
}

// change notes that the gateways must be told anew.
func (v *place) change(now time.Time) {
	v.Changes++
	v.Applied, v.PendingSince, v.Updated = false, now, now
}

// applied keeps Applied: the gateway has what was written last.
func (v *place) applied() {
	v.Applied = !v.out() && v.Lost == "" && v.Revision > 0 && v.Told == v.Changes+1 && v.AppliedRevision >= v.Revision
	if v.Applied {
		v.SealedFor = nil
	}
}

// out tells whether nobody is to be let in.
func (v *place) out() bool { return v.Suspended || v.ended() }

// ended tells whether there is nothing that the device could ever be let in by.
func (v *place) ended() bool {
	return v.Removed || len(v.Fingerprints) == 0 && len(v.Verifiers) == 0
}

// staying tells whether the gateway that is being left still lets the device in.
func (v *place) staying() bool { return v.Leaving != "" && !v.StayUntil.IsZero() }

// mayLeave tells whether the gateway that is being left need not wait for the device any more.
func (v *place) mayLeave(now time.Time) bool {
	return v.Leaving != "" && (v.StayUntil.IsZero() || v.Applied && !now.Before(v.StayUntil))
}

// admission is what a gateway must know of the device; nil if it must not let it in. A gateway that alone has its secret (keeps) is told of
// a suspended device too: if it forgot the secret, the device could not come back.
func (v *place) admission(at string, keeps bool) *api.Admission {
	phase := operational
	if v.Suspended && keeps && !v.ended() && v.Kind.Secret() {
		phase = string(twin.Suspended)
	} else if v.out() {
		return nil
	}
	if v.Gateway != at && !(v.staying() && v.Leaving == at) {
		return nil
	}
	kind := v.Kind
	if kind == "" {
		kind = device.Certificate
	}
	return &api.Admission{Client: string(v.Ref), Phase: phase, Kind: kind, Username: v.Username,
		Fingerprints: v.Fingerprints, Verifiers: v.Verifiers, Expires: v.Proof.Expires, Topics: v.Topics, Sealed: v.SealedFor[at]}
}

var sumPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

const maxSealed = 64 // gateways that a secret may be sealed for

func checkProof(p *api.Proof, sealed map[string]string) error {
	if p.Kind != "" {
		if err := p.Kind.Valid(); err != nil {
			return err
		}
	}
	if err := p.Topics.Check(); err != nil {
		return err
	}
	switch {
	case p.Kind == device.Relayed:
		return api.Invalid("kind: a relayed device has no place of its own, it has that of who speaks for it")
	case len(p.Fingerprints) > api.MaxProofs || len(p.Verifiers) > api.MaxProofs:
		return api.Invalid("fingerprints and verifiers: at most %d at a time", api.MaxProofs)
	case len(p.Username) > 128:
		return api.Invalid("username must be at most 128 characters")
	case p.Version < 0:
		return api.Invalid("version must not be below zero")
	case len(sealed) > maxSealed:
		return api.Invalid("sealedFor: at most %d gateways", maxSealed)
	}
	for _, s := range p.Fingerprints {
		if !sumPattern.MatchString(s) {
			return api.Invalid("fingerprints must be 64 hexadecimal digits in lower case")
		}
	}
	for _, s := range p.Verifiers {
		if !sumPattern.MatchString(s) {
			return api.Invalid("verifiers must be 64 hexadecimal digits in lower case")
		}
	}
	for id, s := range sealed {
		if !idPattern.MatchString(id) || len(s) > 4096 {
			return api.Invalid("sealedFor: a gateway's id and at most 4,096 characters each")
		}
	}
	return nil
}

// inform makes a gateway's bucket say of a device what its place says at this moment. The place is read after the bucket's
// entry, which must not have changed when it is written: so of several that inform at once, the last has read the newest
// place, and the order in which they come does not matter.
func (g *gateways) inform(ctx context.Context, ref, at string) (revision uint64, err error) {
	b, err := g.p.Bus.Bucket(ctx, api.BucketOf(at))
	if err != nil {
		return 0, err
	}
	key := api.AdmissionKey(ref)
	for range 20 {
		e, err := b.Get(ctx, key)
		there := err == nil
		if !there && !errors.Is(err, bus.ErrNotFound) {
			return 0, err
		}
		v, err := g.places.Get(ctx, ref)
		if errors.Is(err, store.ErrNotFound) {
			v, err = place{Removed: true}, nil
		}
		if err != nil {
			return 0, err
		}
		keeps, err := g.keeps(ctx, &v, at)
		if err != nil {
			return 0, err
		}
		switch a := v.admission(at, keeps); {
		case a != nil && there:
			revision, err = b.Update(ctx, key, encode(*a), e.Revision)
		case a != nil:
			revision, err = b.Create(ctx, key, encode(*a))
		case there:
			revision, err = b.DeleteIf(ctx, key, e.Revision)
		default:
			revision, err = b.Delete(ctx, key)
		}
		if !errors.Is(err, bus.ErrConflict) {
			return revision, err
		}
	}
	return 0, fmt.Errorf("%w: what gateway %s knows of device %s is being changed by others", api.ErrUnavailable, at, ref)
}

// keeps tells whether a suspended device's secret is at the gateway only, which had it sealed and has a hash of its own now.
func (g *gateways) keeps(ctx context.Context, v *place, at string) (bool, error) {
	if !v.Suspended || v.Removed || !v.Kind.Secret() {
		return false, nil
	}
	w, err := g.gateways.Get(ctx, at)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return w.PublicKey != "", err
}

// merge puts what is sealed for gateways beside what there is.
func (v *place) merge(sealed map[string]string) {
	if len(sealed) > 0 {
		v.SealedFor = maps.Clone(sealed)
	}
}

func encode(a api.Admission) []byte {
	b, err := json.Marshal(a)
	if err != nil {
		panic(err) // it is all strings and a time within RFC 3339's years
	}
	return b
}
