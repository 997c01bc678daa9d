package users_test

import (
	"bytes"
	"context"
	"encoding/base64"
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
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/store/embedded"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestUserLife(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	admin := w.Admin()
	if me, err := admin.Me(ctx); err != nil || me.ID != "admin" || len(me.Roles) != 1 || me.Roles[0] != access.Maintainer {
		t.Fatalf("the first administrator is %+v, %v", me, err)
	}
	ada := w.User("ada", []access.Role{access.Owner}, "press-shop")
	me, err := ada.Me(ctx)
	if err != nil || me.ID != "ada" || len(me.Groups) != 1 || me.Groups[0] != "press-shop" {
		t.Fatalf("me: %+v, %v", me, err)
	}
	name, mail := "Ada Lovelace", "ada@example.org"
	u, err := admin.UpdateUser(ctx, "ada", api.UserChange{Name: &name, Email: &mail})
	if err != nil || u.Name != name || u.Email != mail || len(u.Roles) != 1 {
		t.Errorf("%+v, %v", u, err)
	}
	if got, err := admin.GetUser(ctx, "ada"); err != nil || fmt.Sprint(got) != fmt.Sprint(u) {
		t.Errorf("%+v, %v; want %+v", got, err, u)
	}
	if _, err := admin.CreateUser(ctx, api.NewUser{User: api.User{ID: "ada"}, Password: functiontest.Password}); !errors.Is(err, api.ErrExists) {
		t.Errorf("a second ada: %v", err)
	}
	if err := admin.DeleteUser(ctx, "ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := ada.Me(ctx); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("a deleted user's token: %v", err)
	}
	if _, err := w.Nobody().Login(ctx, api.Login{Name: "ada", Password: functiontest.Password}); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("a deleted user signs in: %v", err)
	}
	if page, err := admin.ListUsers(ctx, ""); err != nil || len(page.Items) != 1 {
		t.Errorf("users: %+v, %v", page, err)
	}
	// Grants may still name her.
	if _, err := admin.CreateUser(ctx, api.NewUser{User: api.User{ID: "ada"}, Password: functiontest.Password}); !errors.Is(err, api.ErrExists) {
		t.Errorf("another person gets the id: %v", err)
	}
	for what, err := range map[string]error{"get": second(admin.GetUser(ctx, "ada")), "update": second(admin.UpdateUser(ctx, "ada", api.UserChange{Name: &name})),
		"delete": admin.DeleteUser(ctx, "ada"), "password": admin.SetPassword(ctx, "ada", api.PasswordChange{New: functiontest.Password}), "get one who never was": second(admin.GetUser(ctx, "eve"))} {
		if !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%s after the deletion: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestPasswordChange(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	ada := w.User("ada", []access.Role{access.Owner})
	const next = "another good password"
	for name, c := range map[string]struct {
		client *api.Client
		user   string
		in     api.PasswordChange
		want   error
	}{
		"the old one is wrong":               {ada, "ada", api.PasswordChange{Old: "wrong password", New: next}, access.ErrDenied},
		"the old one is missing":             {ada, "ada", api.PasswordChange{New: next}, access.ErrDenied},
		"a maintainer's own, without old":    {w.Admin(), "admin", api.PasswordChange{New: next}, access.ErrDenied},
		"the new one is too short":           {ada, "ada", api.PasswordChange{Old: functiontest.Password, New: "short"}, twin.ErrInvalid},
		"somebody else's":                    {ada, "admin", api.PasswordChange{Old: functiontest.Password, New: next}, api.ErrNotFound},
		"of a user that does not exist":      {ada, "eve", api.PasswordChange{Old: functiontest.Password, New: next}, api.ErrNotFound},
		"of a user that no maintainer knows": {w.Admin(), "../../eve", api.PasswordChange{New: next}, api.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.client.SetPassword(ctx, strings.ReplaceAll(c.user, "/", "%2F"), c.in); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	if err := ada.SetPassword(ctx, "ada", api.PasswordChange{Old: functiontest.Password, New: next}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Nobody().Login(ctx, api.Login{Name: "ada", Password: functiontest.Password}); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("the old password: %v", err)
	}
	w.Login("ada", next)
}

func TestLastMaintainerStays(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	admin := w.Admin()
	yes, none := true, []access.Role{}
	for name, try := range map[string]func() error{
		"delete":  func() error { return admin.DeleteUser(ctx, "admin") },
		"disable": func() error { return second(admin.UpdateUser(ctx, "admin", api.UserChange{Disabled: &yes})) },
		"demote":  func() error { return second(admin.UpdateUser(ctx, "admin", api.UserChange{Roles: &none})) },
	} {
		if err := try(); !errors.Is(err, api.ErrConflict) {
			t.Errorf("%s the last maintainer: %v", name, err)
		}
		if me, err := admin.Me(ctx); err != nil || me.Disabled || len(me.Roles) != 1 {
			t.Errorf("after %s: %+v, %v", name, me, err)
		}
	}
	grace := w.User("grace", []access.Role{access.Maintainer})
	if err := grace.DeleteUser(ctx, "admin"); err != nil {
		t.Fatalf("one of two: %v", err)
	}
	if err := grace.DeleteUser(ctx, "grace"); !errors.Is(err, api.ErrConflict) {
		t.Errorf("the other of two: %v", err)
	}
}

// Maintainers who delete each other at the same time must not leave a platform that nobody runs.
func TestMaintainersDeleteEachOther(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	grace, joan := w.User("grace", []access.Role{access.Maintainer}), w.User("joan", []access.Role{access.Maintainer})
	if err := grace.DeleteUser(ctx, "admin"); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		var wg sync.WaitGroup
		var a, b error
		yes := true
		wg.Go(func() { _, a = grace.UpdateUser(ctx, "joan", api.UserChange{Disabled: &yes}) })
		wg.Go(func() { _, b = joan.UpdateUser(ctx, "grace", api.UserChange{Disabled: &yes}) })
		wg.Wait()
		if a == nil && b == nil {
			t.Fatal("both went through")
		}
		no, one := false, grace
		if b == nil {
			one = joan
		}
		for _, id := range []string{"joan", "grace"} { // whoever is left can undo it
			if _, err := one.UpdateUser(ctx, id, api.UserChange{Disabled: &no}); err != nil {
				t.Fatalf("%v (%v, %v)", err, a, b)
			}
		}
	}
}

// A crash in the middle leaves a mark, which ends by itself and hides nobody for ever.
func TestMaintainerMarkEnds(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	now := time.Now().UTC().Truncate(time.Millisecond)
	w.SetTime(now)
	grace := w.User("grace", []access.Role{access.Maintainer})
	stored := collection[users.StoredUser](t, w, "users", userIndexes...)
	if _, err := stored.Update(ctx, "admin", func(u *users.StoredUser) error { u.Leaving = now; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := grace.DeleteUser(ctx, "grace"); !errors.Is(err, api.ErrConflict) {
		t.Errorf("while the other is leaving: %v", err)
	}
	w.SetTime(now.Add(2 * time.Minute))
	if err := grace.DeleteUser(ctx, "grace"); err != nil {
		t.Errorf("after the mark ended: %v", err)
	}
}

// A token says what was true when it was signed; what it may do here is asked anew.
func TestDisabledMaintainerCannotComeBack(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	grace := w.User("grace", []access.Role{access.Maintainer})
	none, yes, no, all := []access.Role{access.Viewer}, true, false, []access.Role{access.Maintainer}
	if _, err := w.Admin().UpdateUser(ctx, "grace", api.UserChange{Roles: &none}); err != nil {
		t.Fatal(err)
	}
	if _, err := grace.UpdateUser(ctx, "grace", api.UserChange{Roles: &all}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("one who was demoted: %v", err)
	}
	if _, err := w.Admin().UpdateUser(ctx, "grace", api.UserChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	if _, err := grace.UpdateUser(ctx, "grace", api.UserChange{Disabled: &no}); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("one who was disabled: %v", err)
	}
	if _, err := grace.CreateUser(ctx, api.NewUser{User: api.User{ID: "spare", Roles: all}, Password: functiontest.Password}); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("one who was disabled makes another: %v", err)
	}
}

func TestGroups(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	admin := w.Admin()
	if _, err := admin.CreateGroup(ctx, api.Group{ID: "press-shop", Name: "Press shop"}); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateGroup(ctx, api.Group{ID: "press-shop"}); !errors.Is(err, api.ErrExists) {
		t.Errorf("a second one: %v", err)
	}
	w.User("ada", []access.Role{access.Owner}, "press-shop")
	if g, err := w.Part("credentials", "").GetGroup(ctx, "press-shop"); err != nil || g.Name != "Press shop" {
		t.Errorf("%+v, %v", g, err)
	}
	if err := admin.DeleteGroup(ctx, "press-shop"); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "users") {
		t.Errorf("deleting it with a member: %v", err)
	}
	none := []string{}
	if _, err := admin.UpdateUser(ctx, "ada", api.UserChange{Groups: &none}); err != nil {
		t.Fatal(err)
	}
	twins, err := platform.OpenTwins(ctx, w.Base.DB)
	if err != nil {
		t.Fatal(err)
	}
	if err := twins.Insert(ctx, twin.Twin{ID: "pump-7", Kind: twin.Instance, Definition: twin.Definition{Owner: "press-shop"}}); err != nil {
		t.Fatal(err)
	}
	if err := admin.DeleteGroup(ctx, "press-shop"); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "twins") {
		t.Errorf("deleting it while it owns a twin: %v", err)
	}
	if err := twins.Delete(ctx, "pump-7"); err != nil {
		t.Fatal(err)
	}
	if err := admin.DeleteGroup(ctx, "press-shop"); err != nil {
		t.Fatal(err)
	}
	if page, err := admin.ListGroups(ctx, ""); err != nil || len(page.Items) != 0 {
		t.Errorf("groups: %+v, %v", page, err)
	}
	if _, err := admin.UpdateUser(ctx, "ada", api.UserChange{Groups: &[]string{"press-shop"}}); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("a deleted group gets a member: %v", err)
	}
	for _, id := range []string{"press-shop", "never-was", "%2e%2e%2fusers"} {
		if err := admin.DeleteGroup(ctx, id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("deleting %q: %v", id, err)
		}
	}
}

func TestListsPage(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	admin := w.Admin()
	for i := range 7 {
		if _, err := admin.CreateGroup(ctx, api.Group{ID: fmt.Sprintf("group-%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
		var page api.Page[api.Group]
		if err := admin.Call(ctx, "GET", "users", "/groups?limit=3&cursor="+cursor, nil, &page); err != nil {
			t.Fatal(err)
		}
		for _, g := range page.Items {
			got = append(got, g.ID)
		}
		cursor = page.Next
	}
	if len(got) != 7 || got[0] != "group-0" || got[6] != "group-6" {
		t.Errorf("paged through %v", got)
	}
}

// Whatever comes in, the answer is a problem that names what is wrong, and never the platform's failure.
func TestHostileInput(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	admin := w.Admin()
	long := strings.Repeat("x", 300)
	many := `["` + strings.Join(make([]string, 2000), `","`) + `"]`
	for name, c := range map[string]struct{ method, path, body, says string }{
		"no body":                    {"POST", "/users", "", "empty"},
		"not JSON":                   {"POST", "/users", "{", "JSON"},
		"an array":                   {"POST", "/users", "[]", "object"},
		"null":                       {"POST", "/users", "null", "id"},
		"deeply nested":              {"POST", "/users", strings.Repeat(`{"id":`, 20_000), "JSON"},
		"two values":                 {"POST", "/groups", `{"id":"a"}{"id":"b"}`, "behind"},
		"an unknown field":           {"POST", "/users", `{"id":"eve","hash":"x"}`, "hash"},
		"a number as id":             {"POST", "/users", `{"id":7}`, "id"},
		"no id":                      {"POST", "/users", `{"password":"a good password"}`, "id"},
		"an id in capitals":          {"POST", "/users", `{"id":"Eve","password":"a good password"}`, "id"},
		"a path as id":               {"POST", "/users", `{"id":"../eve","password":"a good password"}`, "id"},
		"a NUL in the id":            {"POST", "/users", `{"id":"e\u0000ve","password":"a good password"}`, "id"},
		"look-alike letters":         {"POST", "/users", `{"id":"аdmin","password":"a good password"}`, "id"},
		"an id that is too long":     {"POST", "/users", `{"id":"` + long + `","password":"a good password"}`, "id"},
		"a control character":        {"POST", "/users", `{"id":"eve","name":"E\u001b[31mve","password":"a good password"}`, "name"},
		"a long name":                {"POST", "/users", `{"id":"eve","name":"` + long + `","password":"a good password"}`, "name"},
		"bad e-mail":                 {"POST", "/users", `{"id":"eve","email":"Eve <eve@example.org>","password":"a good password"}`, "email"},
		"a header in the e-mail":     {"POST", "/users", `{"id":"eve","email":"eve@example.org\r\nBcc: a@b.c","password":"a good password"}`, "email"},
		"an unknown role":            {"POST", "/users", `{"id":"eve","roles":["root"],"password":"a good password"}`, `roles: there is no role "root"; there are maintainer, configurator, owner, developer, viewer`},
		"an unknown group":           {"POST", "/users", `{"id":"eve","groups":["nobodys"],"password":"a good password"}`, "groups"},
		"thousands of groups":        {"POST", "/users", `{"id":"eve","groups":` + many + `,"password":"a good password"}`, "groups"},
		"no password":                {"POST", "/users", `{"id":"eve"}`, "password"},
		"a short password":           {"POST", "/users", `{"id":"eve","password":"short"}`, "password"},
		"roles that are no list":     {"PATCH", "/users/admin", `{"roles":"maintainer"}`, "roles"},
		"an unknown role in a patch": {"PATCH", "/users/admin", `{"roles":["maintainer","root"]}`, "roles"},
		"a bad cursor":               {"GET", "/users?cursor=%00%ff", "", "cursor"},
		"a limit of none":            {"GET", "/users?limit=0", "", "limit"},
		"a limit that is too big":    {"GET", "/groups?limit=1001", "", "limit"},
		"a limit in words":           {"GET", "/accounts?limit=all", "", "limit"},
		"a query that is no query":   {"GET", "/users?%zz", "", "query"},
		"a secret of one's own":      {"POST", "/accounts", `{"id":"erp","secret":"mine"}`, "secret"},
		"a group without an id":      {"POST", "/groups", `{}`, "id"},
		"login without a body":       {"POST", "/login", "", "empty"},
		"login with a list":          {"POST", "/login", `{"name":["admin"],"password":"x"}`, "name"},
		"token without anything":     {"POST", "/token", `{}`, "part"},
		"refresh with a number":      {"POST", "/refresh", `{"refresh":7}`, "refresh"},
		"logout with rubbish":        {"POST", "/logout", `{"refresh":"rubbish"}`, "refresh"},
	} {
		t.Run(name, func(t *testing.T) {
			err := admin.Call(ctx, c.method, "users", c.path, api.Raw{ContentType: "application/json", Body: []byte(c.body)}, nil)
			if !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want an invalid request that says %q", err, c.says)
			}
		})
	}
	huge := api.Raw{ContentType: "application/json", Body: []byte(`{"id":"` + strings.Repeat("x", 2<<20) + `"}`)}
	if err := admin.Call(ctx, "POST", "users", "/users", huge, nil); !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("a body of 2 MiB: %v", err)
	}
}

// What lies in the store must not let its reader sign in.
func TestStoreHoldsNoSecret(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	acc, err := w.Admin().CreateAccount(ctx, api.Account{ID: "erp"})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := w.Nobody().Login(ctx, api.Login{Name: functiontest.Admin, Password: functiontest.Password})
	if err != nil {
		t.Fatal(err)
	}
	_, refresh, _ := strings.Cut(tok.Refresh, ".")
	holds(t, collection[users.StoredUser](t, w, "users", userIndexes...), functiontest.Password)
	holds(t, collection[users.StoredAccount](t, w, "accounts", store.Index{Name: "by-group", Fields: []string{"groups"}}), acc.Secret)
	holds(t, collection[users.StoredSession](t, w, "sessions", sessionIndexes...), refresh)
}

// holds fails the test if a document holds the secret, as text or as the bytes it stands for.
func holds[T any](t *testing.T, c *store.Collection[T], secret string) {
	t.Helper()
	raw, _ := base64.RawURLEncoding.DecodeString(secret)
	n := 0
	err := c.Scan(context.Background(), store.Query{}, func(v T) error {
		n++
		b, err := bson.Marshal(v)
		if bytes.Contains(b, []byte(secret)) || len(raw) > 0 && bytes.Contains(b, raw) {
			t.Errorf("%T holds its secret", v)
		}
		return err
	})
	if err != nil || n == 0 {
		t.Errorf("%d documents, %v", n, err)
	}
}

var (
	userIndexes    = []store.Index{{Name: "by-role", Fields: []string{"roles"}}, {Name: "by-group", Fields: []string{"groups"}}}
	sessionIndexes = []store.Index{{Name: "by-expiry", Fields: []string{"expires"}}, {Name: "by-user", Fields: []string{"user", "used"}}}
)

func collection[T any](t *testing.T, w *functiontest.World, name string, indexes ...store.Index) *store.Collection[T] {
	t.Helper()
	c, err := store.Open[T](context.Background(), w.Base.DB, store.Spec{Name: name, Schema: 1, Indexes: indexes})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWithoutAFirstPasswordThereIsNoAdministrator(t *testing.T) {
	w := functiontest.New(t, nil)
	secrets := w.Base.Secrets
	for name, first := range map[string]func() ([]byte, error){
		"no secret":      func() ([]byte, error) { return nil, platform.ErrNoSecret },
		"a bad password": func() ([]byte, error) { return []byte("admin"), nil },
	} {
		db, err := embedded.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		w.Base.DB = db
		w.Base.Secrets = func(secret string) ([]byte, error) {
			if secret == platform.SecretAdmin {
				return first()
			}
			return secrets(secret)
		}
		w.Add("users", users.New)
		if n, err := collection[users.StoredUser](t, w, "users", userIndexes...).Count(context.Background(), store.Filter{}, ""); err != nil || n != 0 {
			t.Errorf("%s: %d users, %v", name, n, err)
		}
	}
}
