package platform

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/singleflight"
)

// Issuer is the iss of every token.
const Issuer = "castor"

// Audience of users' and service accounts' tokens: any function. A part's token names the one function it is for.
const Audience = "castor"

// Claims is what a token says. Function users signs it, nobody else.
type Claims struct {
	jwt.RegisteredClaims
	Kind    access.CallerKind `json:"knd"`
	Roles   []access.Role     `json:"rol,omitempty"`
	Groups  []string          `json:"grp,omitempty"`
	Gateway string            `json:"gwy,omitempty"`
	Phase   string            `json:"phs,omitempty"` // what a connector's folder is bound to
	Made    int64             `json:"mde,omitempty"` // and when it was made, in milliseconds
	Bound   string            `json:"bnd,omitempty"` // the console's page that it is for (faas.Bound)
}

// Authenticate tells who calls, from the Authorization header and, for calls on a user's behalf, api.HeaderFor. Without a
// token the caller is nobody (Kind ""); a bad token is access.ErrUnauthenticated, with the reason. A token that is bound to a page of
// the console counts in that page's calls only; on behalf, the part that calls has seen to that.
func (p *Platform) Authenticate(ctx context.Context, h http.Header) (access.Caller, error) {
	a := h.Get("Authorization")
	if a == "" {
		return access.Caller{}, nil
	}
	token, ok := strings.CutPrefix(a, "Bearer ")
	if !ok {
		return access.Caller{}, fmt.Errorf("%w: the Authorization header must be \"Bearer\" and a token", access.ErrUnauthenticated)
	}
	c, bound, err := p.verify(ctx, token)
	if err != nil {
		return access.Caller{}, err
	}
	if c.Bound = bound != ""; c.Bound && !faas.BoundTo(h, bound) {
		return access.Caller{}, fmt.Errorf("%w: the token is of a page of the console, and counts with that page's %s only", access.ErrUnauthenticated, faas.HeaderConsole)
	}
	if behalf := h.Get(api.HeaderFor); behalf != "" && c.Kind == access.Part {
		u, _, err := p.verify(ctx, behalf)
		if err != nil {
			return access.Caller{}, err
		}
		if u.Kind == access.Part {
			return access.Caller{}, fmt.Errorf("%w: %s must carry a user's token", access.ErrUnauthenticated, api.HeaderFor)
		}
		c.For = &u
	}
	return c, nil
}

func (p *Platform) verify(ctx context.Context, token string) (who access.Caller, bound string, err error) {
	var c Claims
	_, err = jwt.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		return p.keys.get(ctx, kid)
	}, jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithIssuer(Issuer), jwt.WithExpirationRequired(), jwt.WithTimeFunc(p.Now), jwt.WithLeeway(5*time.Second))
	if errors.Is(err, api.ErrUnavailable) {
		return access.Caller{}, "", err // the token may be good: try again
	}
	if err != nil {
		return access.Caller{}, "", fmt.Errorf("%w: the token is not good: %w", access.ErrUnauthenticated, err)
	}
	want := Audience
	if c.Kind == access.Part {
		want = p.Part
	}
	if len(c.Audience) != 1 || c.Audience[0] != want {
		return access.Caller{}, "", fmt.Errorf("%w: the token is for another function", access.ErrUnauthenticated)
	}
	if c.Subject == "" || c.Kind != access.User && c.Kind != access.Service && c.Kind != access.Part {
		return access.Caller{}, "", fmt.Errorf("%w: the token does not say whose it is", access.ErrUnauthenticated)
	}
	who = access.Caller{Kind: c.Kind, ID: c.Subject, Roles: c.Roles, Groups: c.Groups, Gateway: c.Gateway, Phase: c.Phase, Expires: c.ExpiresAt.UTC()}
	if c.Made != 0 {
		who.Made = time.UnixMilli(c.Made).UTC()
	}
	return who, c.Bound, nil
}

// UseKeys makes tokens be checked with the keys that fetch returns, instead of asking function users: for users itself.
func (p *Platform) UseKeys(fetch func(context.Context) (api.JWKS, error)) { p.keys.fetch = fetch }

// keys keeps the public keys tokens are signed with.
type keys struct {
	fetch func(context.Context) (api.JWKS, error)
	now   func() time.Time

	mu    sync.Mutex
	byID  map[string]ed25519.PublicKey
	asked time.Time // when byID was fetched
	tried time.Time // when it was last to be fetched
	err   error     // what came of that
	one   singleflight.Group
}

// keysFor is how long keys are believed without asking again, so that a withdrawn key ends.
const keysFor = 5 * time.Minute

// keysEvery is how often function users is asked at most, once some keys are known: a flood of tokens with made-up keys, or
// of tokens while users is away, must not become a flood of questions. A new key signs only when it has been published for
// longer than this.
const keysEvery = time.Second

func (k *keys) get(ctx context.Context, kid string) (ed25519.PublicKey, error) {
	k.mu.Lock()
	key, ok := k.byID[kid]
	age := k.now().Sub(k.asked)
	k.mu.Unlock()
	if ok && age < keysFor {
		return key, nil
	}
	// An unknown key may be a new one.
	if _, err, _ := k.one.Do("", func() (any, error) { return nil, k.load(context.WithoutCancel(ctx)) }); err != nil {
		if ok {
			return key, nil // users is away; the key was good a moment ago
		}
		return nil, fmt.Errorf("%w: the keys of function users: %w", api.ErrUnavailable, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok = k.byID[kid]; !ok {
		return nil, fmt.Errorf("unknown key %.40q", kid)
	}
	return key, nil
}

// load fetches the keys, unless that was done, or tried, less than keysEvery ago: then what came of it counts.
func (k *keys) load(ctx context.Context) error {
	k.mu.Lock()
	since := k.now().Sub(k.tried)
	if len(k.byID) > 0 && since >= 0 && since < keysEvery {
		defer k.mu.Unlock()
		return k.err
	}
	k.tried = k.now()
	k.mu.Unlock()
	err := k.ask(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
	return err
}

func (k *keys) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	set, err := k.fetch(ctx)
	if err != nil {
		return err
	}
	byID := map[string]ed25519.PublicKey{}
	for _, j := range set.Keys {
		if x, err := base64.RawURLEncoding.DecodeString(j.X); err == nil && j.Kty == "OKP" && j.Crv == "Ed25519" && len(x) == ed25519.PublicKeySize {
			byID[j.Kid] = x
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byID, k.asked = byID, k.now()
	return nil
}

// tokens trades the part's secret for tokens, one per audience, and renews them before they end, or when they are refused.
type tokens struct {
	api           *api.Client
	secrets       Secrets
	part, gateway string
	now           func() time.Time

	mu      sync.Mutex
	has     map[string]api.Token
	dropped map[string]time.Time // when a token was last refused, by function
	one     singleflight.Group
}

// dropEvery is how often a refused token is given up at most, per function: calls may be refused for other reasons than the
// part's token, such as that of the user they are made for, and a flood of them must not become a flood of exchanges.
const dropEvery = time.Second

// renew gives up the token in header, which function refused, unless there is another by now or one was given up just before.
func (t *tokens) renew(function, header string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tok, ok := t.has[function]
	since := t.now().Sub(t.dropped[function])
	if !ok || header != "Bearer "+tok.Access || since >= 0 && since < dropEvery {
		return
	}
	delete(t.has, function)
	if t.dropped == nil {
		t.dropped = map[string]time.Time{}
	}
	t.dropped[function] = t.now()
}

// authorize is the header for calls of function.
func (t *tokens) authorize(ctx context.Context, function string) (string, error) {
	t.mu.Lock()
	tok, ok := t.has[function]
	t.mu.Unlock()
	if ok && t.now().Before(tok.Expires.Add(-time.Minute)) {
		return "Bearer " + tok.Access, nil
	}
	v, err, _ := t.one.Do(function, func() (any, error) {
		secret, err := t.secrets(PartSecret(t.part, t.gateway))
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		tok, err := t.api.Exchange(ctx, api.Exchange{Part: t.part, Gateway: t.gateway, Secret: string(secret), Audience: function})
		if err != nil {
			return nil, fmt.Errorf("a token for function %s: %w", function, err)
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.has == nil {
			t.has = map[string]api.Token{}
		}
		t.has[function] = tok
		return tok, nil
	})
	if err != nil {
		return "", err
	}
	return "Bearer " + v.(api.Token).Access, nil
}
