package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/store/embedded"
	"github.com/castor-iot/castor/shared/twin"
)

// What is read of credentials, places and uses of claims, to count them.
type (
	heldCredential struct {
		Twin    twin.ID      `bson:"_id"`
		Ref     device.Ref   `bson:"ref,omitempty"`
		Proofs  []heldProof  `bson:"proofs,omitempty"`
		Past    []heldProof  `bson:"past,omitempty"`
		Outbox  event.Outbox `bson:"outbox"`
		ViaTwin twin.ID      `bson:"viaTwin,omitempty"`
	}
	heldProof struct {
		Fingerprint string `bson:"fingerprint,omitempty"`
	}
	heldPlace struct {
		Ref  device.Ref `bson:"_id"`
		Twin twin.ID    `bson:"twin"`

		Gateway      string    `bson:"gateway"` // these are indexed
		Removed      bool      `bson:"removed,omitempty"`
		StayUntil    time.Time `bson:"stayUntil,omitempty"`
		RemovedAt    time.Time `bson:"removedAt,omitempty"`
		PendingSince time.Time `bson:"pendingSince,omitempty"`
	}
	heldUse struct {
		ID     string `bson:"_id"`
		Serial string `bson:"serial"`
	}
)

// census counts in the store of a platform that does not run what was made for n devices that came in, and fails unless it is one of
// each: a twin that is operational, a certificate, a place, a run and a use of a claim.
func census(ctx context.Context, dir string, n int) error {
	db, err := embedded.Open(filepath.Join(dir, "store"))
	if err != nil {
		return err
	}
	defer db.Close()
	uses := counted[string]{}
	twins, certificates, places, runs := counted[twin.ID]{}, counted[twin.ID]{}, counted[twin.ID]{}, counted[twin.ID]{}
	return errors.Join(
		scan(ctx, db, named[heldUse]("claim-uses"), func(u heldUse) { uses[u.Serial]++ }),
		scan(ctx, db, platform.OpenTwins, func(t twin.Twin) {
			if t.Kind == twin.Instance && t.Definition.Phase == twin.Operational {
				twins[t.ID]++
			}
		}),
		scan(ctx, db, platform.OpenCredentials[heldCredential], func(c heldCredential) { certificates[c.Twin] += len(c.Proofs) + len(c.Past) }),
		scan(ctx, db, platform.OpenAssignments[heldPlace], func(p heldPlace) { places[p.Twin]++ }),
		scan(ctx, db, named[provision.Run]("runs"), func(r provision.Run) {
			if r.Outcome == provision.Completed {
				runs[r.Twin]++
			}
		}),
		uses.one("uses of a claim", n), twins.one("operational twins", n), certificates.one("certificates", n), places.one("places", n), runs.one("runs", n))
}

// named opens a collection that is its function's own.
func named[T any](name string) func(context.Context, *store.DB) (*store.Collection[T], error) {
	return func(ctx context.Context, db *store.DB) (*store.Collection[T], error) {
		return store.Open[T](ctx, db, store.Spec{Name: name, Schema: 1})
	}
}

func scan[T any](ctx context.Context, db *store.DB, open func(context.Context, *store.DB) (*store.Collection[T], error), see func(T)) error {
	all, err := open(ctx, db)
	if err != nil {
		return err
	}
	return all.Scan(ctx, store.Query{}, func(v T) error { see(v); return nil })
}

// counted is how many there are of something, by whose it is.
type counted[K comparable] map[K]int

// one returns an error unless n have one each.
func (c counted[K]) one(what string, n int) error {
	for of, have := range c {
		if have != 1 {
			return fmt.Errorf("%s: %v has %d, it should be 1", what, of, have)
		}
	}
	if len(c) != n {
		return fmt.Errorf("%s: %d devices have one, %d came in", what, len(c), n)
	}
	return nil
}
