package platform_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/tests/functiontest"
)

func who(p *platform.Platform) faas.Func {
	return faas.Routes{"GET /who": faas.Op(p, access.Users().And("*"), func(_ context.Context, c *faas.Call, _ faas.None) (access.Caller, error) {
		return c.Caller, nil
	})}.Func()
}

// counted is a world whose calls of one path are counted.
func counted(t *testing.T, w *functiontest.World, path string) (url string, n *atomic.Int64) {
	n = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			n.Add(1)
		}
		r.RequestURI = ""
		r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(w.URL, "http://")
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		rw.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(rw, resp.Body)
	}))
	t.Cleanup(s.Close)
	return s.URL, n
}

// A part trades its secret once per function it calls, however many call at once, and again before the token ends.
func TestTokensAreKept(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, functiontest.Functions{"who": who, "other": who})
	url, asked := counted(t, w, "/function/users/token")
	base := w.Base
	base.Gateway = url
	now := time.Now().UTC()
	w.SetTime(now)
	p := platform.New(base, "alerts", "")
	call := func(function string) {
		t.Helper()
		var c access.Caller
		if err := p.API.Call(ctx, "GET", function, "/who", nil, &c); err != nil || c.Kind != access.Part || c.ID != "alerts" {
			t.Errorf("%+v, %v", c, err)
		}
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { call("who") })
	}
	wg.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("asked for %d tokens, want 1", n)
	}
	call("other")
	if n := asked.Load(); n != 2 {
		t.Errorf("asked for %d tokens for two functions", n)
	}
	w.SetTime(now.Add(9*time.Minute + 5*time.Second))
	call("who")
	if n := asked.Load(); n != 3 {
		t.Errorf("asked for %d tokens; one that is about to end is to be renewed", n)
	}
}

func TestAPartWithoutSecretCallsNobody(t *testing.T) {
	w := functiontest.New(t, functiontest.Functions{"who": who})
	base := w.Base
	base.Secrets = func(string) ([]byte, error) { return nil, platform.ErrNoSecret }
	if err := platform.New(base, "alerts", "").API.Call(context.Background(), "GET", "who", "/who", nil, nil); !errors.Is(err, platform.ErrNoSecret) {
		t.Errorf("without: %v", err)
	}
	base.Secrets = func(string) ([]byte, error) { return []byte("guessed"), nil }
	if err := platform.New(base, "alerts", "").API.Call(context.Background(), "GET", "who", "/who", nil, nil); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("with a guess: %v", err)
	}
}

func TestKeysAreKept(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	now := time.Now().UTC()
	w.SetTime(now)
	tok, err := w.Nobody().Login(ctx, api.Login{Name: functiontest.Admin, Password: functiontest.Password})
	if err != nil {
		t.Fatal(err)
	}
	p := w.Platform("twins")
	fetch := func(ctx context.Context) (api.JWKS, error) { return w.Nobody().Keys(ctx) }
	asked, away := 0, false
	p.UseKeys(func(ctx context.Context) (api.JWKS, error) {
		asked++
		if away {
			return api.JWKS{}, api.ErrUnavailable
		}
		return fetch(ctx)
	})
	authenticate := func(token string) error {
		_, err := p.Authenticate(ctx, http.Header{"Authorization": {"Bearer " + token}})
		return err
	}

	away = true
	if err := authenticate(tok.Access); !errors.Is(err, api.ErrUnavailable) || errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("while no key is known: %v; the token may be good", err)
	}
	away = false
	for range 10 {
		if err := authenticate(tok.Access); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times, want once more", asked)
	}
	// Tokens of made-up keys must not become as many questions.
	_, rest, _ := strings.Cut(tok.Access, ".")
	for i := range 100 {
		header := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"EdDSA","typ":"JWT","kid":"made-up-%d"}`, i))
		if err := authenticate(header + "." + rest); !errors.Is(err, access.ErrUnauthenticated) {
			t.Fatal(err)
		}
	}
	if asked > 3 {
		t.Errorf("a flood of bad tokens asked %d times", asked)
	}
	away = true
	before := asked
	w.SetTime(now.Add(2 * time.Second))
	for i := range 100 {
		header := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"EdDSA","typ":"JWT","kid":"made-up-%d"}`, i))
		if err := authenticate(header + "." + rest); !errors.Is(err, api.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if asked != before+1 {
		t.Errorf("a flood of bad tokens while users is away asked %d times", asked-before)
	}
	w.SetTime(now.Add(6 * time.Minute))
	if err := authenticate(tok.Access); err != nil {
		t.Errorf("while users is away for a while: %v", err)
	}
	away = false
	w.SetTime(now.Add(6*time.Minute + time.Second))
	p.UseKeys(func(context.Context) (api.JWKS, error) {
		return api.JWKS{Keys: []api.JWK{{Kty: "RSA"}, {Kty: "OKP", Crv: "Ed25519", X: "!"}}}, nil
	})
	if err := authenticate(tok.Access); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("a withdrawn key: %v", err)
	}
}

// Many callers at once, with tokens of unknown keys, ask once a second together.
func TestAFloodOfUnknownKeysIsOneQuestionASecond(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	now := time.Now().UTC()
	w.SetTime(now)
	tok, err := w.Nobody().Login(ctx, api.Login{Name: functiontest.Admin, Password: functiontest.Password})
	if err != nil {
		t.Fatal(err)
	}
	p := w.Platform("twins")
	var asked atomic.Int64
	p.UseKeys(func(ctx context.Context) (api.JWKS, error) { asked.Add(1); return w.Nobody().Keys(ctx) })
	_, rest, _ := strings.Cut(tok.Access, ".")
	for second := range 5 {
		w.SetTime(now.Add(time.Duration(second) * time.Second))
		var callers sync.WaitGroup
		for i := range 50 {
			callers.Go(func() {
				header := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"EdDSA","typ":"JWT","kid":"made-up-%d"}`, i))
				if _, err := p.Authenticate(ctx, http.Header{"Authorization": {"Bearer " + header + "." + rest}}); !errors.Is(err, access.ErrUnauthenticated) {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		if n := asked.Load(); n != int64(second)+1 {
			t.Fatalf("asked %d times in %d seconds", n, second+1)
		}
	}
}

// A token that is refused is traded anew once, however many calls had it, and all of them succeed; while everything is
// refused there is one exchange a second.
func TestARefusedTokenIsTradedAnew(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, functiontest.Functions{"who": who})
	url, exchanges := counted(t, w, "/function/users/token")
	var refused sync.Map
	var all atomic.Bool
	var calls atomic.Int64
	guard := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/function/who/who" {
			calls.Add(1)
			if _, bad := refused.Load(r.Header.Get("Authorization")); bad || all.Load() {
				rw.WriteHeader(http.StatusUnauthorized)
				return
			}
		}
		r.RequestURI = ""
		r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(url, "http://")
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		rw.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(rw, resp.Body)
	}))
	t.Cleanup(guard.Close)
	base := w.Base
	base.Gateway = guard.URL
	now := time.Now().UTC()
	w.SetTime(now)
	p := platform.New(base, "alerts", "")
	call := func() error { return p.API.Call(ctx, "GET", "who", "/who", nil, nil) }
	flood := func() (failed int64) {
		var n atomic.Int64
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				if err := call(); err != nil {
					n.Add(1)
					if !errors.Is(err, access.ErrUnauthenticated) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		return n.Load()
	}

	header, err := p.API.Authorize(ctx, "who")
	if err != nil {
		t.Fatal(err)
	}
	refused.Store(header, true)
	if failed := flood(); failed != 0 || exchanges.Load() != 2 {
		t.Errorf("one token refused: %d calls failed and %d tokens were traded; want none, and 2", failed, exchanges.Load())
	}

	all.Store(true)
	for second := 1; second <= 3; second++ {
		w.SetTime(now.Add(time.Duration(second) * time.Second))
		calls.Store(0)
		if failed := flood(); failed != 30 || exchanges.Load() != int64(2+second) {
			t.Errorf("second %d of refusals: %d of 30 calls failed, %d tokens in all; want one a second", second, failed, exchanges.Load())
		}
		if n := calls.Load(); n > 60 {
			t.Errorf("30 refused calls were made %d times", n)
		}
	}
	all.Store(false)
	if err := call(); err != nil {
		t.Errorf("after the flood: %v", err)
	}
}
