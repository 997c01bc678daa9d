package users_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/golang-jwt/jwt/v5"
)

// probe is a function that tells who calls; it checks tokens with the keys that users publishes.
func probe(p *platform.Platform) faas.Func {
	return faas.Routes{
		"GET /who": faas.Op(p, access.Users().And("*", "connector"), func(_ context.Context, c *faas.Call, _ faas.None) (access.Caller, error) {
			return c.Caller, nil
		}),
		"GET /owners": faas.Op(p, access.Only(access.Owner).And("alerts"), func(_ context.Context, c *faas.Call, _ faas.None) (access.Caller, error) {
			return c.Caller, nil
		}),
	}.Func()
}

// platformKey is the private key that users signs with: what a thief of store and seal would have. Tests use it to sign what
// users never would.
func platformKey(t *testing.T, w *functiontest.World) (kid string, key ed25519.PrivateKey) {
	t.Helper()
	type doc struct {
		ID     string `bson:"_id"`
		Kid    string `bson:"kid"`
		Sealed []byte `bson:"sealed"`
	}
	ctx := context.Background()
	c, err := store.Open[doc](ctx, w.Base.DB, store.Spec{Name: "signing-keys", Schema: 1})
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.FindOne(ctx, store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	seed, err := w.Platform("users").Unseal("signing-keys/"+d.Kid, d.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	return d.Kid, ed25519.NewKeyFromSeed(seed)
}

func claims(now time.Time, change func(*platform.Claims)) platform.Claims {
	c := platform.Claims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: platform.Issuer, Subject: "mallory", Audience: jwt.ClaimStrings{platform.Audience},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute))},
		Kind: access.User, Roles: []access.Role{access.Maintainer},
	}
	change(&c)
	return c
}

func TestHostileTokens(t *testing.T) {
	w := functiontest.New(t, functiontest.Functions{"probe": probe})
	now := w.Now()
	kid, key := platformKey(t, w)
	_, foreign, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(method jwt.SigningMethod, kid string, key any, change func(*platform.Claims)) string {
		tok := jwt.NewWithClaims(method, claims(now, change))
		if kid != "" {
			tok.Header["kid"] = kid
		}
		s, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	as := func(change func(*platform.Claims)) string { return sign(jwt.SigningMethodEdDSA, kid, key, change) }
	same := func(*platform.Claims) {}
	good := as(same)
	part := strings.Split(good, ".")

	if who, err := get(w, "probe", "/who", "Bearer "+good, ""); err != nil || who.ID != "mallory" {
		t.Fatalf("a token that only lacks nothing: %+v, %v", who, err)
	}
	for name, header := range map[string]string{
		"algorithm none":                              "Bearer " + sign(jwt.SigningMethodNone, kid, jwt.UnsafeAllowNoneSignatureType, same),
		"the public key as an HMAC secret":            "Bearer " + sign(jwt.SigningMethodHS256, kid, []byte(key.Public().(ed25519.PublicKey)), same),
		"somebody else's key under our name":          "Bearer " + sign(jwt.SigningMethodEdDSA, kid, foreign, same),
		"somebody else's key":                         "Bearer " + sign(jwt.SigningMethodEdDSA, "theirs", foreign, same),
		"no key named":                                "Bearer " + sign(jwt.SigningMethodEdDSA, "", key, same),
		"no signature":                                "Bearer " + part[0] + "." + part[1] + ".",
		"a payload exchanged":                         "Bearer " + part[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"castor","sub":"admin","aud":"castor","exp":99999999999,"knd":"user"}`)) + "." + part[2],
		"expired":                                     "Bearer " + as(func(c *platform.Claims) { c.ExpiresAt = jwt.NewNumericDate(now.Add(-10 * time.Second)) }),
		"without an end":                              "Bearer " + as(func(c *platform.Claims) { c.ExpiresAt = nil }),
		"good only in the future":                     "Bearer " + as(func(c *platform.Claims) { c.NotBefore = jwt.NewNumericDate(now.Add(time.Hour)) }),
		"another issuer":                              "Bearer " + as(func(c *platform.Claims) { c.Issuer = "castor.example" }),
		"another audience":                            "Bearer " + as(func(c *platform.Claims) { c.Audience = jwt.ClaimStrings{"another"} }),
		"several audiences":                           "Bearer " + as(func(c *platform.Claims) { c.Audience = jwt.ClaimStrings{"castor", "probe"} }),
		"no audience":                                 "Bearer " + as(func(c *platform.Claims) { c.Audience = nil }),
		"a user's token for one function":             "Bearer " + as(func(c *platform.Claims) { c.Audience = jwt.ClaimStrings{"probe"} }),
		"a part's token for everything":               "Bearer " + as(func(c *platform.Claims) { c.Kind = access.Part }),
		"a part's token for another function":         "Bearer " + as(func(c *platform.Claims) { c.Kind = access.Part; c.Audience = jwt.ClaimStrings{"alerts"} }),
		"a kind that does not exist":                  "Bearer " + as(func(c *platform.Claims) { c.Kind = "god" }),
		"no kind":                                     "Bearer " + as(func(c *platform.Claims) { c.Kind = "" }),
		"nobody as the subject":                       "Bearer " + as(func(c *platform.Claims) { c.Subject = "" }),
		"another scheme":                              "Basic " + base64.StdEncoding.EncodeToString([]byte("admin:"+functiontest.Password)),
		"no scheme":                                   good,
		"an empty token":                              "Bearer ",
		"rubbish":                                     "Bearer " + strings.Repeat("A", 100_000),
		"deeply nested JSON in the place of a header": "Bearer " + base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat(`[`, 50_000))) + "." + part[1] + "." + part[2],
	} {
		t.Run(name, func(t *testing.T) {
			for _, function := range []string{"probe", "users"} {
				path := map[string]string{"probe": "/who", "users": "/users"}[function]
				if _, err := get(w, function, path, header, ""); !errors.Is(err, access.ErrUnauthenticated) {
					t.Errorf("function %s: %v, want that it is not signed in", function, err)
				}
			}
		})
	}
}

// A part calls for a user: both must be real, and both must be let in.
func TestOnBehalf(t *testing.T) {
	w := functiontest.New(t, functiontest.Functions{"probe": probe})
	ctx := context.Background()
	owner, viewer := w.User("ada", []access.Role{access.Owner}), w.User("vic", []access.Role{access.Viewer})
	bearer := func(c *api.Client) string {
		a, err := c.Authorize(ctx, "probe")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	user := func(c *api.Client) string { return strings.TrimPrefix(bearer(c), "Bearer ") }
	alerts, twins := bearer(w.Part("alerts", "")), bearer(w.Part("twins", ""))

	who, err := get(w, "probe", "/owners", alerts, user(owner))
	if err != nil || who.ID != "alerts" || who.For == nil || who.For.ID != "ada" {
		t.Errorf("alerts for ada: %+v, %v", who, err)
	}
	for name, c := range map[string]struct {
		authorization, behalf string
		want                  error
	}{
		"the user may not":                         {alerts, user(viewer), access.ErrDenied},
		"the part may not":                         {twins, user(owner), access.ErrDenied},
		"the user's token is bad":                  {alerts, user(owner) + "x", access.ErrUnauthenticated},
		"a part in the place of the user":          {alerts, strings.TrimPrefix(twins, "Bearer "), access.ErrUnauthenticated},
		"a user cannot lend another user's rights": {bearer(viewer), user(owner), access.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			if who, err := get(w, "probe", "/owners", c.authorization, c.behalf); !errors.Is(err, c.want) {
				t.Errorf("%+v, %v; want %v", who, err, c.want)
			}
		})
	}
}

// get calls a function with headers as they are given.
func get(w *functiontest.World, function, path, authorization, behalf string) (access.Caller, error) {
	var who access.Caller
	h := http.Header{"Authorization": {authorization}}
	if behalf != "" {
		h.Set(api.HeaderFor, behalf)
	}
	resp, err := w.Nobody().Do(context.Background(), "GET", function, path, h, nil)
	if err != nil {
		return who, err
	}
	defer resp.Body.Close()
	return who, json.NewDecoder(resp.Body).Decode(&who)
}
