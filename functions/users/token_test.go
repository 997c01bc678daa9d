package users_test

import (
	"context"
	"errors"
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
	if err != nil || len(two.Keys) != 2 || two.Keys[1] != one.Keys[0] {
		t.Fatalf("%+v, %v", two, err)
	}
	now = now.Add(6 * time.Minute) // verifiers ask again by then
	w.SetTime(now)
	if err := me(old); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("a token of a key that was withdrawn: %v", err)
	}
	if err := me(young); err != nil {
		t.Errorf("a token of the key before: %v", err)
	}
	if err := me(login()); err != nil {
		t.Errorf("a token of the newest key: %v", err)
	}
	if _, err := w.User("ada", []access.Role{access.Configurator}).RotateKeys(ctx); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a configurator rotates keys: %v", err)
	}
}
