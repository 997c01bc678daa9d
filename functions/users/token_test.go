package users_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/users"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

func secretOf(t *testing.T, w *functiontest.World, part, gateway string) string {
	t.Helper()
	s, err := w.Base.Secrets(platform.PartSecret(part, gateway))
	if err != nil {
		t.Fatal(err)
	}
	return string(s)
}

func TestPartsExchangeTheirSecrets(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, functiontest.Functions{"probe": probe})
	tok, err := w.Nobody().Exchange(ctx, api.Exchange{Part: "connector", Gateway: "op-1", Secret: secretOf(t, w, "connector", "op-1"), Audience: "probe"})
	if err != nil {
		t.Fatal(err)
	}
	if life := tok.Expires.Sub(w.Now()); life > 10*time.Minute || life < 9*time.Minute {
		t.Errorf("a part's token lives %v, want 10 minutes", life)
	}
	who, err := get(w, "probe", "/who", "Bearer "+tok.Access, "")
	if err != nil || who.Kind != access.Part || who.ID != "connector" || who.Gateway != "op-1" {
		t.Errorf("the connector is %+v, %v", who, err)
	}

	for name, c := range map[string]struct {
		in   api.Exchange
		want error
	}{
		"another gateway's secret":                      {api.Exchange{Part: "connector", Gateway: "op-2", Secret: secretOf(t, w, "connector", "op-1"), Audience: "probe"}, access.ErrUnauthenticated},
		"no gateway, a gateway's secret":                {api.Exchange{Part: "connector", Secret: secretOf(t, w, "connector", "op-1"), Audience: "probe"}, access.ErrUnauthenticated},
		"another part's secret":                         {api.Exchange{Part: "credentials", Secret: secretOf(t, w, "alerts", ""), Audience: "probe"}, access.ErrUnauthenticated},
		"a part named by part and gateway run together": {api.Exchange{Part: "connector-op-1", Secret: secretOf(t, w, "connector", "op-1"), Audience: "probe"}, access.ErrUnauthenticated},
		"no secret":                 {api.Exchange{Part: "alerts", Audience: "probe"}, access.ErrUnauthenticated},
		"an account nobody made":    {api.Exchange{Account: "erp", Secret: secretOf(t, w, "alerts", ""), Audience: "*"}, access.ErrUnauthenticated},
		"an account without secret": {api.Exchange{Account: "erp", Audience: "*"}, access.ErrUnauthenticated},
		"a token for everything":    {api.Exchange{Part: "alerts", Secret: secretOf(t, w, "alerts", ""), Audience: "castor"}, twin.ErrInvalid},
		"a token for any function":  {api.Exchange{Part: "alerts", Secret: secretOf(t, w, "alerts", ""), Audience: "*"}, twin.ErrInvalid},
		"no audience":               {api.Exchange{Part: "alerts", Secret: secretOf(t, w, "alerts", "")}, twin.ErrInvalid},
		"a part and an account":     {api.Exchange{Part: "alerts", Account: "erp", Secret: "x", Audience: "probe"}, twin.ErrInvalid},
		"neither":                   {api.Exchange{Secret: "x", Audience: "probe"}, twin.ErrInvalid},
		"a path as the part":        {api.Exchange{Part: "../users", Secret: "x", Audience: "probe"}, twin.ErrInvalid},
		"a NUL in the gateway":      {api.Exchange{Part: "connector", Gateway: "op\x001", Secret: "x", Audience: "probe"}, twin.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if tok, err := w.Nobody().Exchange(ctx, c.in); !errors.Is(err, c.want) || tok.Access != "" {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestServiceAccount(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, functiontest.Functions{"probe": probe})
	admin := w.Admin()
	if _, err := admin.CreateGroup(ctx, api.Group{ID: "press-shop"}); err != nil {
		t.Fatal(err)
	}
	a, err := admin.CreateAccount(ctx, api.Account{ID: "erp", Roles: []access.Role{access.Viewer}, Groups: []string{"press-shop"}})
	if err != nil || a.Secret == "" {
		t.Fatalf("%+v, %v", a, err)
	}
	page, err := admin.ListAccounts(ctx, "")
	if err != nil || len(page.Items) != 1 || page.Items[0].Secret != "" {
		t.Errorf("the list is %+v, %v; no secret may be in it", page, err)
	}
	tok, err := w.Nobody().Exchange(ctx, api.Exchange{Account: "erp", Secret: a.Secret, Audience: "*"})
	if err != nil {
		t.Fatal(err)
	}
	who, err := get(w, "probe", "/who", "Bearer "+tok.Access, "")
	if err != nil || who.Kind != access.Service || who.ID != "erp" || len(who.Roles) != 1 || len(who.Groups) != 1 {
		t.Errorf("the account is %+v, %v", who, err)
	}
	if _, err := w.Nobody().Exchange(ctx, api.Exchange{Account: "erp", Secret: a.Secret, Gateway: "op-1"}); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("an account with a gateway: %v", err)
	}
	if err := admin.DeleteAccount(ctx, "erp"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Nobody().Exchange(ctx, api.Exchange{Account: "erp", Secret: a.Secret}); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("a deleted account: %v", err)
	}
	if _, err := admin.CreateAccount(ctx, api.Account{ID: "erp"}); !errors.Is(err, api.ErrExists) {
		t.Errorf("the id of a deleted account is free again: %v", err)
	}
	if err := admin.DeleteAccount(ctx, "erp"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("deleting it again: %v", err)
	}
}

// Replicas that start at once agree on one key and one administrator, and each believes the other's tokens.
func TestReplicasShareTheKey(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	before, err := w.Nobody().Keys(ctx)
	if err != nil || len(before.Keys) != 1 {
		t.Fatalf("%+v, %v", before, err)
	}
	admin := w.Admin() // signed by the first instance
	w.Add("users", users.New)
	after, err := w.Nobody().Keys(ctx)
	if err != nil || len(after.Keys) != 1 || after.Keys[0] != before.Keys[0] {
		t.Fatalf("the second instance has %+v, the first %+v, %v", after, before, err)
	}
	if _, err := admin.ListUsers(ctx, ""); err != nil {
		t.Errorf("the second instance does not believe the first: %v", err)
	}
}

func TestKeyRotation(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, functiontest.Functions{"probe": probe})
	now := time.Now().UTC().Truncate(time.Second)
	w.SetTime(now)
	me := func(token string) error {
		_, err := get(w, "probe", "/who", "Bearer "+token, "")
		return err
	}
	login := func() string {
		tok, err := w.Nobody().Login(ctx, api.Login{Name: functiontest.Admin, Password: functiontest.Password})
		if err != nil {
			t.Fatal(err)
		}
		return tok.Access
	}
	old := login()
	one, err := functiontest.Bearer(w.URL, old).RotateKeys(ctx)
	if err != nil || len(one.Keys) != 2 {
		t.Fatalf("%+v, %v", one, err)
	}
	if kid(t, login()) != one.Keys[1].Kid {
		t.Error("the new key signs before everybody can know it")
	}
	now = now.Add(15 * time.Second)
	w.SetTime(now)
	young := login()
	if kid(t, young) != one.Keys[0].Kid {
		t.Error("the new key does not sign")
	}
	if err := me(young); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	if err := me(old); err != nil {
		t.Errorf("a token of the key before: %v", err)
	}
	two, err := functiontest.Bearer(w.URL, young).RotateKeys(ctx)
	if err != nil || len(two.Keys) != 3 || two.Keys[1] != one.Keys[0] || two.Keys[2] != one.Keys[1] {
		t.Fatalf("%+v, %v", two, err)
	}
	now = now.Add(6 * time.Minute) // verifiers ask again by then
	w.SetTime(now)
	if err := me(old); err != nil {
		t.Errorf("a token of two keys before, which has not ended: %v", err)
	}
	if err := me(young); err != nil {
		t.Errorf("a token of the key before: %v", err)
	}
	now = now.Add(12 * time.Minute)
	w.SetTime(now)
	if last, err := w.Nobody().Keys(ctx); err != nil || len(last.Keys) != 1 || last.Keys[0] != two.Keys[0] {
		t.Errorf("all tokens of the keys before have ended, and %+v are published, %v", last, err)
	}
	if err := me(login()); err != nil {
		t.Errorf("a token of the newest key: %v", err)
	}
	if _, err := w.User("ada", []access.Role{access.Configurator}).RotateKeys(ctx); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a configurator rotates keys: %v", err)
	}
}

// Keys that are made one right after another end no token before its time, a user's or a part's; no call fails meanwhile,
// though a client without Renew uses what it has until a minute before the end.
func TestRotationsInARowRefuseNoCall(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, functiontest.Functions{"probe": probe, "other": probe})
	start := time.Now().UTC().Truncate(time.Second)
	w.SetTime(start)
	admin := w.Admin()
	parts := map[string]*api.Client{}
	for _, name := range []string{"alerts", "credentials", "twins"} {
		parts[name] = w.Part(name, "")
		parts[name].Renew = nil
	}
	for at := time.Duration(0); at < 35*time.Minute; at += 7 * time.Second {
		w.SetTime(start.Add(at))
		if n := at / (7 * time.Second); n > 0 && n < 4 {
			if _, err := admin.RotateKeys(ctx); err != nil {
				t.Fatalf("rotation %d: %v", n, err)
			}
		}
		var calls sync.WaitGroup
		for name, part := range parts {
			for _, function := range []string{"probe", "other"} {
				calls.Go(func() {
					if err := part.Call(ctx, "GET", function, "/who", nil, nil); err != nil {
						t.Errorf("after %v: %s calls %s: %v", at, name, function, err)
					}
				})
			}
		}
		if at < 15*time.Minute {
			calls.Go(func() {
				if _, err := admin.Me(ctx); err != nil {
					t.Errorf("after %v: a user's token: %v", at, err)
				}
			})
		}
		calls.Wait()
		if t.Failed() {
			return
		}
	}
}

func TestRotationIsBounded(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	start := time.Now().UTC().Truncate(time.Second)
	w.SetTime(start)
	admin := w.Admin()
	var set api.JWKS
	for i := range 7 {
		w.SetTime(start.Add(time.Duration(i) * time.Second))
		var err error
		if set, err = admin.RotateKeys(ctx); err != nil {
			t.Fatalf("rotation %d: %v", i+1, err)
		}
	}
	if len(set.Keys) != 8 {
		t.Fatalf("%d keys are published, want 8", len(set.Keys))
	}
	_, err := admin.RotateKeys(ctx)
	_, text, ok := strings.Cut(fmt.Sprint(err), "can be made at ")
	free, parsed := time.Parse(time.RFC3339, text)
	if !errors.Is(err, api.ErrTooMany) || !ok || parsed != nil {
		t.Fatalf("one rotation too many: %v", err)
	}
	if now, err := w.Nobody().Keys(ctx); err != nil || len(now.Keys) != 8 || now.Keys[7] != set.Keys[7] {
		t.Errorf("after the refusal %+v are published, %v", now, err)
	}
	w.SetTime(free.Add(-2 * time.Second))
	admin = w.Admin()
	if _, err := admin.RotateKeys(ctx); !errors.Is(err, api.ErrTooMany) {
		t.Errorf("before the time that was said: %v", err)
	}
	w.SetTime(free)
	if set, err = admin.RotateKeys(ctx); err != nil || len(set.Keys) != 8 {
		t.Errorf("at the time that was said: %+v, %v", set, err)
	}
}
