package users

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/golang-jwt/jwt/v5"
)

// How long tokens live.
const (
	userLife = 15 * time.Minute
	partLife = 10 * time.Minute
)

const userAudience = platform.Audience

var (
	partPattern    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	gatewayPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

	errSecret = fmt.Errorf("%w: the secret is not that of this part or account", access.ErrUnauthenticated)
)

// sign makes a token for a caller, bound to a page of the console unless that is "".
func (u *users) sign(ctx context.Context, c access.Caller, life time.Duration, audience, bound string) (api.Token, error) {
	kid, key, err := u.signer.current(ctx)
	if err != nil {
		return api.Token{}, err
	}
	now := u.p.Time()
	expires := now.Add(life).Truncate(time.Second) // tokens count in seconds
	claims := platform.Claims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: platform.Issuer, Subject: c.ID, Audience: jwt.ClaimStrings{audience}, ID: rand.Text(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires)},
		Kind: c.Kind, Roles: c.Roles, Groups: c.Groups, Gateway: c.Gateway, Phase: c.Phase, Bound: bound,
	}
	if !c.Made.IsZero() {
		claims.Made = c.Made.UnixMilli()
	}
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	t.Header["kid"] = kid
	text, err := t.SignedString(key)
	return api.Token{Access: text, Expires: expires}, err
}

// exchange trades the secret of a part or a service account for a token (the idea of RFC 8693).
func (u *users) exchange(ctx context.Context, c *faas.Call, in api.Exchange) (api.Token, error) {
	switch {
	case (in.Part == "") == (in.Account == ""):
		return api.Token{}, api.Invalid("part or account must name who asks, one of the two")
	case in.Account != "":
		return u.exchangeAccount(ctx, c, in)
	case !partPattern.MatchString(in.Part):
		return api.Token{}, api.Invalid("part %.80q must be the name of a function or connector", in.Part)
	case in.Gateway != "" && !gatewayPattern.MatchString(in.Gateway):
		return api.Token{}, api.Invalid("gateway %.80q must be a gateway's id", in.Gateway)
	case !partPattern.MatchString(in.Audience) || in.Audience == userAudience:
		return api.Token{}, api.Invalid("audience %.80q must be the name of the one function to be called", in.Audience)
	}
	key, err := u.p.Key(platform.SecretParts)
	if err != nil {
		return api.Token{}, err
	}
	bond, ok := platform.CheckPart(key, in.Part, in.Gateway, in.Secret)
	if !ok {
		return api.Token{}, errSecret
	}
	who := access.Caller{Kind: access.Part, ID: in.Part, Gateway: in.Gateway, Phase: bond.Phase, Made: bond.Made}
	c.Caller = who
	return u.sign(ctx, who, partLife, in.Audience, "")
}

func (u *users) exchangeAccount(ctx context.Context, c *faas.Call, in api.Exchange) (api.Token, error) {
	switch {
	case in.Gateway != "":
		return api.Token{}, api.Invalid("gateway is for connectors only")
	case in.Audience != "" && in.Audience != "*":
		return api.Token{}, api.Invalid("audience must be \"*\" for a service account")
	case checkID("account", in.Account) != nil:
		return api.Token{}, errSecret
	}
	a, err := u.accounts.Get(ctx, in.Account)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return api.Token{}, err
	}
	secret, err := base64.RawURLEncoding.DecodeString(in.Secret)
	if err != nil || len(secret) != 32 || subtle.ConstantTimeCompare(sum(secret), a.Hash) != 1 {
		return api.Token{}, errSecret
	}
	who := access.Caller{Kind: access.Service, ID: a.ID, Roles: a.Roles, Groups: a.Groups}
	c.Caller = who
	return u.sign(ctx, who, partLife, userAudience, "")
}
