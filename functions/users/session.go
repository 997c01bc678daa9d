package users

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

// sessionLife is how long a session lives after its last use.
const sessionLife = 30 * 24 * time.Hour

// maxSessions is how many sessions a user may have; signing in once more ends the one that was not used for longest.
const maxSessions = 100

// reuseFor is how long the secret that was replaced last is still taken, for the same new one that its first use gave: two pages
// may refresh at once, and an answer may be lost on its way.
const reuseFor = 30 * time.Second

// A session is what a refresh token belongs to: "<id>.<secret>". Each use changes the secret; one that was replaced reuseFor
// ago or earlier and is shown again was copied by somebody, so it ends the session for both.
type session struct {
	ID    string    `bson:"_id"`
	User  string    `bson:"user"`
	Epoch int64     `bson:"epoch"` // the user's when it began
	Hash  []byte    `bson:"hash"`  // SHA-256 of the secret that is good now
	Began time.Time `bson:"began"`
	Bound string    `bson:"bound,omitempty"` // faas.Bound of the console's page that began it, and that alone goes on with it

	// Former is the hash of the secret before, Replaced when that was changed for the present one, which is made of it and Salt
	// (see successor): whoever shows it gets the present one again, and what is stored gives away neither.
	Former   []byte    `bson:"former,omitempty"`
	Salt     []byte    `bson:"salt,omitempty"`
	Replaced time.Time `bson:"replaced,omitempty"`

	Used    time.Time `bson:"used"`
	Expires time.Time `bson:"expires"`
}

// errBound ends no session: who got the cookies of a page, as any server on its host does, must not even sign the person out.
var errBound = fmt.Errorf("%w: the session is of another page of the console; sign in again", access.ErrUnauthenticated)

var errSession = fmt.Errorf("%w: the session is over; sign in again", access.ErrUnauthenticated)

// begin makes a session for a user who has signed in.
func (u *users) begin(ctx context.Context, v user, bound string) (api.Token, error) {
	now := u.p.Time()
	if _, err := u.sessions.DeleteRange(ctx, store.Query{Index: "by-expiry", Filter: store.Lt("expires", now), Limit: 100}); err != nil {
		return api.Token{}, err
	}
	secret := random(32)
	s := session{ID: base64.RawURLEncoding.EncodeToString(random(16)), User: v.ID, Epoch: v.Epoch, Hash: sum(secret), Began: now, Bound: bound, Used: now, Expires: now.Add(sessionLife)}
	if err := u.sessions.Insert(ctx, s); err != nil {
		return api.Token{}, err
	}
	own := store.Eq("user", v.ID)
	n, err := u.sessions.Count(ctx, own, "by-user")
	if err == nil && n > maxSessions {
		_, err = u.sessions.DeleteRange(ctx, store.Query{Index: "by-user", Filter: own, Limit: n - maxSessions})
	}
	if err != nil {
		return api.Token{}, err
	}
	return u.tokenOf(ctx, v, s, secret)
}

func (u *users) tokenOf(ctx context.Context, v user, s session, secret []byte) (api.Token, error) {
	t, err := u.sign(ctx, access.Caller{Kind: access.User, ID: v.ID, Roles: v.Roles, Groups: v.Groups}, userLife, userAudience, s.Bound)
	t.Refresh, t.User = s.ID+"."+base64.RawURLEncoding.EncodeToString(secret), &v.User
	return t, err
}

// refresh exchanges a refresh token; used twice within reuseFor, it gives the same one both times. Roles and groups are those
// the user has now.
func (u *users) refresh(ctx context.Context, _ *faas.Call, in api.Refresh) (api.Token, error) {
	id, secret, err := parseRefresh(in.Refresh)
	if err != nil {
		return api.Token{}, err
	}
	bound, err := boundOf(in.Bound)
	if err != nil {
		return api.Token{}, err
	}
	var next []byte
	now, shown := u.p.Time(), sum(secret)
	s, err := u.sessions.Update(ctx, id, func(s *session) error {
		if !same(s.Bound, bound) {
			return errBound
		}
		if now.After(s.Expires) {
			return errSession
		}
		if subtle.ConstantTimeCompare(shown, s.Former) == 1 && now.Sub(s.Replaced) < reuseFor {
			next = successor(secret, s.Salt)
			return store.Unchanged
		}
		if subtle.ConstantTimeCompare(shown, s.Hash) != 1 {
			return errSession
		}
		s.Salt, s.Former, s.Replaced = random(32), shown, now
		next = successor(secret, s.Salt)
		s.Hash, s.Used, s.Expires = sum(next), now, now.Add(sessionLife)
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return api.Token{}, errSession
	}
	if err == nil {
		var v user
		if v, err = u.byName(ctx, s.User); err == nil && v.active() && v.Epoch == s.Epoch {
			return u.tokenOf(ctx, v, s, next)
		} else if err == nil {
			err = errSession
		}
	}
	if errors.Is(err, errSession) {
		if err := u.end(ctx, id); err != nil {
			return api.Token{}, err
		}
	}
	return api.Token{}, err
}

// logout ends the session of a refresh token, an old one too. A session that is over already is no error.
func (u *users) logout(ctx context.Context, c *faas.Call, in api.Refresh) (faas.None, error) {
	id, _, err := parseRefresh(in.Refresh)
	if err != nil {
		return faas.None{}, err
	}
	bound, err := boundOf(in.Bound)
	if err != nil {
		return faas.None{}, err
	}
	s, err := u.sessions.Get(ctx, id)
	switch {
	case err == nil && !same(s.Bound, bound):
		return faas.None{}, errBound
	case err == nil:
		c.Caller = access.Caller{Kind: access.User, ID: s.User}
	case !errors.Is(err, store.ErrNotFound):
		return faas.None{}, err
	}
	return faas.None{}, u.end(ctx, id)
}

// boundOf is what is kept of the page's value that came with a call; of none, nothing.
func boundOf(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	bound, err := faas.Bound(value)
	if err != nil {
		return "", api.Invalid("bound is not a value of the console's page: %v", err)
	}
	return bound, nil
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (u *users) end(ctx context.Context, id string) error {
	if err := u.sessions.Delete(ctx, id); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

func parseRefresh(token string) (id string, secret []byte, err error) {
	id, rest, _ := strings.Cut(token, ".")
	secret, err = base64.RawURLEncoding.DecodeString(rest)
	if b, e := base64.RawURLEncoding.DecodeString(id); e != nil || len(b) != 16 || err != nil || len(secret) != 32 {
		return "", nil, api.Invalid("refresh must be the refresh token that signing in gave")
	}
	return id, secret, nil
}

// successor is the secret that follows one: without that, the salt says nothing of it.
func successor(secret, salt []byte) []byte {
	m := hmac.New(sha256.New, salt)
	m.Write(secret)
	return m.Sum(nil)
}

func sum(secret []byte) []byte {
	s := sha256.Sum256(secret)
	return s[:]
}
