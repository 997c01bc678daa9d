package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/store/embedded"
	"github.com/castor-iot/castor/shared/twin"
)

// What function credentials and function gateways keep of a device that has come in.
type (
	issued struct {
		Twin       twin.ID       `bson:"_id"`
		Type       twin.TypeID   `bson:"type"`
		Generation int64         `bson:"generation"`
		Version    int64         `bson:"version"`
		Ref        device.Ref    `bson:"ref"`
		Kind       device.Kind   `bson:"kind"`
		Proofs     []issuedProof `bson:"proofs"`
		Run        string        `bson:"run"`
		Outbox     event.Outbox  `bson:"outbox"`
		ViaTwin    twin.ID       `bson:"viaTwin,omitempty"`
	}
	issuedProof struct {
		Key         string    `bson:"key"`
		Fingerprint string    `bson:"fingerprint,omitempty"`
		Number      string    `bson:"number,omitempty"`
		Verifier    string    `bson:"verifier,omitempty"`
		Issued      time.Time `bson:"issued"`
		Expires     time.Time `bson:"expires"`
		Confirmed   time.Time `bson:"confirmed"`
	}
	assigned struct {
		api.Assignment `bson:",inline"`
		Protocol       string    `bson:"protocol"`
		Counted        bool      `bson:"counted"`
		Told           int64     `bson:"told"`
		StayUntil      time.Time `bson:"stayUntil,omitempty"` // these are indexed
		Removed        bool      `bson:"removed,omitempty"`
		RemovedAt      time.Time `bson:"removedAt,omitempty"`
		PendingSince   time.Time `bson:"pendingSince,omitempty"`
	}
)

// A population is devices that came in long ago. They were put into the store of a platform that did not run, each like one that
// was provisioned, since thousands of provisionings take minutes. The platform itself tells the gateway of them.
type population struct {
	ca     *pki.CA
	verify []byte // what secrets are verified with
	like   twin.Twin
	now    time.Time

	twins  []twin.Twin
	proofs []issued
	places []assigned
}

const operationalGateway = "operational-1"

// populate starts a platform in dir that has n devices of each kind, and returns what one needs to connect as them.
func (b *bench) populate(ctx context.Context, dir string, n int, kinds []device.Kind, args ...string) (*castor, map[device.Kind][]peer, error) {
	c, err := b.up(ctx, dir, "")
	if err != nil {
		return nil, nil, err
	}
	id, err := c.one(ctx)
	if err := errors.Join(err, c.stop()); err != nil {
		return nil, nil, err
	}
	keys := platform.SecretFiles(filepath.Join(dir, "keys"))
	p := &population{now: time.Now()}
	cert, err1 := keys(platform.SecretCACert)
	key, err2 := keys(platform.SecretCAKey)
	if p.verify, err = keys(platform.SecretVerify); errors.Join(err, err1, err2) != nil {
		return nil, nil, errors.Join(err, err1, err2)
	}
	if p.ca, err = pki.LoadCA(cert, key); err != nil {
		return nil, nil, err
	}
	all := map[device.Kind][]peer{}
	err = p.write(ctx, dir, id, func() error {
		for _, kind := range kinds {
			for i := range n {
				peer, err := p.add(kind, i)
				if err != nil {
					return err
				}
				all[kind] = append(all[kind], peer)
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	// The gateway's bucket is lost, so that the platform fills a new one with all places that there are.
	if err := os.RemoveAll(filepath.Join(dir, "nats", "jetstream", "$G", "streams", "KV_"+api.BucketOf(operationalGateway))); err != nil {
		return nil, nil, err
	}
	if c, err = b.up(ctx, dir, c.password, args...); err != nil {
		return nil, nil, err
	}
	for _, peers := range all {
		for i := range peers {
			peers[i].addr = c.operational
		}
	}
	return c, all, c.admitted(ctx, n*len(kinds))
}

// admitted waits until the operational gateway has told that it knows n devices.
func (c *castor) admitted(ctx context.Context, n int) error {
	for {
		applied := 0
		for q := (api.AssignmentQuery{Gateway: operationalGateway, Limit: 1000}); ; {
			page, err := c.admin.ListAssignments(ctx, q)
			if err != nil {
				return err
			}
			for _, a := range page.Items {
				if a.Applied {
					applied++
				}
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if applied >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the gateway knows %d of %d devices: %w", applied, n, ctx.Err())
		case <-time.After(time.Second):
		}
	}
}

// write puts what add makes, like the device of the twin with the id, into the store in dir.
func (p *population) write(ctx context.Context, dir string, id twin.ID, add func() error) error {
	db, err := embedded.Open(filepath.Join(dir, "store"))
	if err != nil {
		return err
	}
	defer db.Close()
	twins, err1 := platform.OpenTwins(ctx, db)
	credentials, err2 := platform.OpenCredentials[issued](ctx, db)
	places, err3 := platform.OpenAssignments[assigned](ctx, db)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	if p.like, err = twins.Get(ctx, string(id)); err != nil {
		return err
	}
	if err := add(); err != nil {
		return err
	}
	return errors.Join(insert(ctx, twins, p.twins), insert(ctx, credentials, p.proofs), insert(ctx, places, p.places))
}

func insert[T any](ctx context.Context, c *store.Collection[T], all []T) error {
	for len(all) > 0 {
		n := min(1000, len(all))
		errs, err := c.InsertMany(ctx, all[:n])
		if err := errors.Join(append(errs, err)...); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// add makes what there is of device i of its kind.
func (p *population) add(kind device.Kind, i int) (peer, error) {
	t := p.like
	t.Live = twin.Twin{}.Live // nothing was heard of it
	t.ID = twin.ID(fmt.Sprintf("%s-%05d", kind, i))
	ref := device.Ref(fmt.Sprintf("%s-%08x", t.ID, i))
	proof := issuedProof{Issued: p.now, Confirmed: p.now, Expires: p.now.AddDate(1, 0, 0)}
	shown := peer{ref: string(ref), twin: t.ID, tls: &tls.Config{RootCAs: p.ca.Pool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}}
	place := assigned{Protocol: "mqtt", Counted: true, Told: 1, Assignment: api.Assignment{Ref: ref, Twin: t.ID, Gateway: operationalGateway,
		Reason: "it was always here", Revision: 1, Updated: p.now, Proof: api.Proof{Version: 1, Kind: kind, Expires: proof.Expires}}}
	if kind.Secret() {
		var secret [32]byte
		rand.Read(secret[:]) // never fails since Go 1.24
		shown.secret = hex.EncodeToString(secret[:])
		proof.Verifier = device.Verifier(p.verify, ref, shown.secret)
		place.Verifiers = []string{proof.Verifier}
	} else {
		key, certificate, err := certify(p.ca, string(ref))
		if err != nil {
			return peer{}, err
		}
		shown.tls.Certificates = []tls.Certificate{key}
		proof.Fingerprint = pki.Fingerprint(key.Certificate[0])
		proof.Number, err = pki.Number(certificate)
		if err != nil {
			return peer{}, err
		}
		place.Fingerprints, place.Proof.Expires = []string{proof.Fingerprint}, time.Time{}
	}
	sum := make([]byte, 32)
	rand.Read(sum)
	proof.Key = hex.EncodeToString(sum)
	p.twins, p.places = append(p.twins, t), append(p.places, place)
	p.proofs = append(p.proofs, issued{Twin: t.ID, Type: t.Definition.Type, Generation: 1, Version: 1, Ref: ref, Kind: kind, Proofs: []issuedProof{proof}, Run: "run." + string(t.ID)})
	return shown, nil
}

// certify makes a key and a certificate for it, also as PEM.
func certify(ca *pki.CA, ref string) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	certificate, _, _, err := ca.Device(time.Now(), ref, &x509.CertificateRequest{PublicKey: key.Public()}, 365*24*time.Hour)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	block, _ := pem.Decode(certificate)
	return tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key}, certificate, nil
}
