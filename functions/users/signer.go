package users

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// A signingKey is one generation of the key that tokens are signed with.
type signingKey struct {
	ID      string    `bson:"_id"` // its generation, in 10 digits: the same for replicas that make one at once, so one wins
	Kid     string    `bson:"kid"` // RFC 7638 thumbprint
	Public  []byte    `bson:"public"`
	Sealed  []byte    `bson:"sealed"` // the private part
	Created time.Time `bson:"created"`
}

// A new key is published for useAfter before tokens are signed with it, so that all replicas know it by then: they look
// every lookAgain.
const (
	useAfter  = 10 * time.Second
	lookAgain = 5 * time.Second
)

// A key is published until the last token signed with it has ended: it signs until the next one is useAfter old, and its
// tokens then live for at most userLife, the longest. The rest is for clocks that differ a little.
const keepFor = useAfter + userLife + time.Minute

// maxKeys bounds how many keys are published at a time, so that no series of rotations ends a token before its time.
const maxKeys = 8

// A signer keeps the signing keys.
type signer struct {
	p    *platform.Platform
	keys *store.Collection[signingKey]

	mu     sync.Mutex
	ring   []signingKey // newest first; also keys that are published no more
	looked time.Time
	opened map[string]ed25519.PrivateKey // by kid
}

func openSigner(ctx context.Context, p *platform.Platform) (*signer, error) {
	keys, err := store.Open[signingKey](ctx, p.DB, store.Spec{Name: "signing-keys", Schema: 1})
	if err != nil {
		return nil, err
	}
	s := &signer{p: p, keys: keys, opened: map[string]ed25519.PrivateKey{}}
	ring, err := s.look(ctx, true)
	if err == nil && len(ring) == 0 {
		err = s.make(ctx, 1)
	}
	return s, err
}

// make adds a generation, unless somebody else was faster.
func (s *signer) make(ctx context.Context, generation int) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	kid := thumbprint(public)
	sealed, err := s.p.Seal("signing-keys/"+kid, private.Seed())
	if err != nil {
		return err
	}
	err = s.keys.Insert(ctx, signingKey{ID: fmt.Sprintf("%010d", generation), Kid: kid, Public: public, Sealed: sealed, Created: s.p.Time()})
	if err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	_, err = s.look(ctx, true)
	return err
}

// look returns the published keys, newest first, at most lookAgain old; now makes it ask the store.
func (s *signer) look(ctx context.Context, now bool) ([]signingKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.p.Time()
	if age := t.Sub(s.looked); now || len(s.ring) == 0 || age < 0 || age >= lookAgain {
		page, err := s.keys.Find(ctx, store.Query{Reverse: true, Limit: maxKeys})
		if err != nil {
			return nil, err
		}
		s.ring, s.looked = page.Items, t
	}
	for i := 1; i < len(s.ring); i++ {
		if !t.Before(s.ring[i-1].Created.Add(keepFor)) {
			return s.ring[:i], nil
		}
	}
	return s.ring, nil
}

// current is the key to sign with: the newest that has been published long enough for everybody to know it.
func (s *signer) current(ctx context.Context) (kid string, key ed25519.PrivateKey, err error) {
	ring, err := s.look(ctx, false)
	if err != nil {
		return "", nil, err
	}
	k := ring[len(ring)-1]
	for _, young := range ring {
		if !s.p.Time().Before(young.Created.Add(useAfter)) {
			k = young
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if key, ok := s.opened[k.Kid]; ok {
		return k.Kid, key, nil
	}
	seed, err := s.p.Unseal("signing-keys/"+k.Kid, k.Sealed)
	if err != nil {
		// Not the caller's fault, whatever the error says.
		return "", nil, fmt.Errorf("the signing key: %s; is secret %s the one it was sealed with?", err.Error(), platform.SecretSeal)
	}
	key = ed25519.NewKeyFromSeed(seed)
	clear(s.opened)
	s.opened[k.Kid] = key
	return k.Kid, key, nil
}

// published is the key set for everybody who checks tokens.
func (s *signer) published(ctx context.Context) (api.JWKS, error) {
	ring, err := s.look(ctx, false)
	if err != nil {
		return api.JWKS{}, err
	}
	set := api.JWKS{Keys: make([]api.JWK, len(ring))}
	for i, k := range ring {
		set.Keys[i] = api.JWK{Kty: "OKP", Crv: "Ed25519", Kid: k.Kid, X: base64.RawURLEncoding.EncodeToString(k.Public), Alg: "EdDSA", Use: "sig"}
	}
	return set, nil
}

func (u *users) keys(ctx context.Context, _ *faas.Call, _ faas.None) (api.JWKS, error) {
	return u.signer.published(ctx)
}

// rotateKeys makes a new signing key; those before stay good for checking until their tokens have ended. Replicas that do it at
// once make one key, because its id comes from those they count here.
func (u *users) rotateKeys(ctx context.Context, _ *faas.Call, _ faas.None) (faas.Reply, error) {
	ring, err := u.signer.look(ctx, true)
	if err != nil {
		return faas.Reply{}, err
	}
	if len(ring) >= maxKeys {
		free := ring[maxKeys-2].Created.Add(keepFor + time.Second - time.Millisecond).Truncate(time.Second) // up to a whole one
		return faas.Reply{}, fmt.Errorf("%w: %d keys are published, each until its last token has ended; a new one can be made at %s",
			api.ErrTooMany, len(ring), free.Format(time.RFC3339))
	}
	generation, err := strconv.Atoi(ring[0].ID)
	if err != nil {
		return faas.Reply{}, err
	}
	if err := u.signer.make(ctx, generation+1); err != nil {
		return faas.Reply{}, err
	}
	set, err := u.signer.published(ctx)
	return faas.Created("/keys", set), err
}

// thumbprint is the key's name by RFC 7638.
func thumbprint(public ed25519.PublicKey) string {
	h := sha256.Sum256(fmt.Appendf(nil, `{"crv":"Ed25519","kty":"OKP","x":%q}`, base64.RawURLEncoding.EncodeToString(public)))
	return base64.RawURLEncoding.EncodeToString(h[:])
}
