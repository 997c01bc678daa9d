package authorization_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/authorization"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// start has type pump with pump-7 of group press-shop, which is part of line-2, and valve-1 of nobody.
func start(t *testing.T) *functiontest.World {
	w := functiontest.New(t, functiontest.Functions{"authorization": authorization.New})
	twins, err := platform.OpenTwins(context.Background(), w.Base.DB)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []twin.Twin{
		{ID: "pump", Kind: twin.Type, Definition: twin.Definition{Owner: "smiths"}}, {ID: "line-2", Kind: twin.Aggregate},
		{ID: "pump-7", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "press-shop", Aggregates: []twin.ID{"line-2"}}},
		{ID: "valve-1", Kind: twin.Instance, Definition: twin.Definition{Type: "valve"}},
	} {
		if err := twins.Insert(context.Background(), v); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func grant(subject, object string, right access.Right) access.Grant {
	return access.Grant{Subject: subject, Object: object, Right: right}
}

// people makes subjects that can be granted something.
func people(t *testing.T, w *functiontest.World, subjects ...string) {
	t.Helper()
	for _, s := range subjects {
		var err error
		switch kind, id, _ := strings.Cut(s, ":"); kind {
		case "user":
			w.User(id, []access.Role{access.Viewer})
		case "group":
			_, err = w.Admin().CreateGroup(context.Background(), api.Group{ID: id})
		default:
			_, err = w.Admin().CreateAccount(context.Background(), api.Account{ID: id})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A name that was mistyped must not look as if somebody were let in now.
func TestGrantsToNobody(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	ada := w.User("ada", []access.Role{access.Owner}, "press-shop")
	for subject, says := range map[string]string{
		"user:adda": `subject: there is no user "adda"; make it first`, "group:nope": `subject: there is no group "nope"; make it first`,
		"service:x": `subject: there is no service account "x"; make it first`,
	} {
		if _, err := ada.CreateGrant(ctx, grant(subject, "twin:pump-7", access.Read)); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want ErrInvalid with %q", subject, err, says)
		}
	}
	if _, err := ada.CreateGrant(ctx, grant("user:adda", "twin:valve-1", access.Read)); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("who may not grant learns whether there is such a user: %v", err)
	}
}

func allowed(t *testing.T, c *api.Client, subject, object string, right access.Right) bool {
	t.Helper()
	d, err := c.Check(context.Background(), api.Check{Subject: subject, Object: object, Right: right})
	if err != nil || d.Reason == "" {
		t.Fatalf("%+v, %v", d, err)
	}
	return d.Allowed
}

func TestGrantLife(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	events := w.Collect(event.GrantChanged)
	ada, vic := w.User("ada", []access.Role{access.Owner}, "press-shop"), w.User("vic", []access.Role{access.Viewer})
	if allowed(t, vic, "", "twin:pump-7", access.Read) {
		t.Error("vic reads before anybody let him")
	}
	g, err := ada.CreateGrant(ctx, grant("user:vic", "twin:pump-7", access.Read))
	if err != nil || g.ID == "" || g.By != "user:ada" || g.Created.IsZero() {
		t.Fatalf("%+v, %v", g, err)
	}
	again, err := ada.CreateGrant(ctx, grant("user:vic", "twin:pump-7", access.Read))
	if err != nil || again.ID != g.ID || !again.Created.Equal(g.Created) {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	functiontest.Eventually(t, "vic reads, because the event emptied the cache", func() bool { return allowed(t, vic, "", "twin:pump-7", access.Read) })
	if allowed(t, vic, "", "twin:pump-7", access.Write) {
		t.Error("a right to read lets vic write")
	}
	d, err := w.Admin().Check(ctx, api.Check{Subject: "user:vic", Object: "twin:pump-7", Right: access.Read})
	if err != nil || !strings.Contains(d.Reason, "user:vic was granted read on it by user:ada") {
		t.Errorf("the reason is %q, %v", d.Reason, err)
	}
	if got, err := vic.GetGrant(ctx, g.ID); err != nil || got.Object != "twin:pump-7" {
		t.Errorf("vic's own grant: %+v, %v", got, err)
	}
	if err := vic.DeleteGrant(ctx, g.ID); !errors.Is(err, access.ErrDenied) {
		t.Errorf("vic, who may only read, takes it back: %v", err)
	}
	if err := ada.DeleteGrant(ctx, g.ID); err != nil {
		t.Fatal(err)
	}
	functiontest.Eventually(t, "vic reads no more", func() bool { return !allowed(t, vic, "", "twin:pump-7", access.Read) })
	for _, id := range []string{g.ID, "never-was", "%2e%2e%2fx", "a%00b"} {
		if err := ada.DeleteGrant(ctx, id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("taking back %s: %v", id, err)
		}
	}
	if _, err := ada.CreateGrant(ctx, grant("user:vic", "twin:pump-7", access.Read)); err != nil {
		t.Errorf("granting anew: %v", err)
	}
	functiontest.Eventually(t, "three changes are told", func() bool { return len(events()) >= 3 })
	seen := map[string]bool{}
	for _, e := range events() {
		var d api.GrantChanged
		if err := e.Decode(&d); err != nil || d.Subject != "user:vic" || d.Object != "twin:pump-7" {
			t.Errorf("%+v, %v", d, err)
		}
		seen[e.ID] = true
	}
	if len(seen) != 3 {
		t.Errorf("events %v: a number was used twice", seen)
	}
}

// Parents grant for what is below them (paper 4.3.2).
func TestParentsGrant(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	admin := w.Admin()
	people(t, w, "group:night-shift")
	for name, object := range map[string]string{"type": "twin:pump", "aggregate": "twin:line-2"} {
		user := "of-" + name
		c := w.User(user, []access.Role{access.Viewer})
		if _, err := admin.CreateGrant(ctx, grant("user:"+user, object, access.Write)); err != nil {
			t.Fatal(err)
		}
		functiontest.Eventually(t, "a grant on the "+name+" covers its instances", func() bool { return allowed(t, c, "", "twin:pump-7", access.Write) })
		if allowed(t, c, "", "twin:valve-1", access.Read) {
			t.Errorf("a grant on the %s covers another instance", name)
		}
		// Who may write the parent may grant it on.
		if _, err := c.CreateGrant(ctx, grant("group:night-shift", object, access.Read)); err != nil {
			t.Errorf("granting the %s on: %v", name, err)
		}
	}
	if !allowed(t, admin, "group:night-shift", "twin:pump-7", access.Read) || allowed(t, admin, "group:night-shift", "twin:pump-7", access.Write) {
		t.Error("the group's right is not what was granted")
	}
}

func TestWhoMayGrant(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	ada := w.User("ada", []access.Role{access.Owner}, "press-shop")
	carl, vic := w.User("carl", []access.Role{access.Configurator}), w.User("vic", []access.Role{access.Viewer}, "press-shop")
	people(t, w, "user:x", "group:x", "service:erp")
	for name, c := range map[string]struct {
		client *api.Client
		g      access.Grant
		want   error
	}{
		"an owner, the own twin":                 {ada, grant("user:x", "twin:pump-7", access.Write), nil},
		"a maintainer, anybody's":                {w.Admin(), grant("group:x", "twin:valve-1", access.Read), nil},
		"a maintainer, a service":                {w.Admin(), grant("service:erp", "service:alerts", access.Read), nil},
		"an owner, a foreign twin":               {ada, grant("user:ada", "twin:valve-1", access.Read), api.ErrNotFound},
		"an owner, a twin that is not there":     {ada, grant("user:ada", "twin:valve-9", access.Read), api.ErrNotFound},
		"an owner, the type above the own twin":  {ada, grant("user:ada", "twin:pump", access.Read), api.ErrNotFound},
		"an owner, a service":                    {ada, grant("user:ada", "service:alerts", access.Write), access.ErrDenied},
		"a configurator, a foreign twin":         {carl, grant("user:carl", "twin:pump-7", access.Read), api.ErrNotFound},
		"a viewer of the group, who only reads":  {vic, grant("user:x", "twin:pump-7", access.Read), access.ErrDenied},
		"a maintainer, a twin that is not there": {w.Admin(), grant("user:ada", "twin:valve-9", access.Read), api.ErrNotFound},
		"a part of the platform":                 {w.Part("twins", ""), grant("user:ada", "twin:pump-7", access.Read), access.ErrDenied},
		"nobody":                                 {w.Nobody(), grant("user:ada", "twin:pump-7", access.Read), access.ErrUnauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := c.client.CreateGrant(ctx, c.g); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	_, foreign := ada.CreateGrant(ctx, grant("user:ada", "twin:valve-1", access.Read))
	_, missing := ada.CreateGrant(ctx, grant("user:ada", "twin:valve-9", access.Read))
	if strings.Replace(foreign.Error(), "valve-1", "valve-9", 1) != missing.Error() {
		t.Errorf("a foreign twin: %v; none: %v", foreign, missing)
	}
}

func TestListShowsNothingForeign(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	admin := w.Admin()
	ada, vic := w.User("ada", []access.Role{access.Owner}, "press-shop"), w.User("vic", []access.Role{access.Viewer}, "night-shift")
	people(t, w, "user:eve")
	var made []access.Grant
	for _, g := range []access.Grant{grant("user:vic", "twin:pump-7", access.Read), grant("group:night-shift", "twin:valve-1", access.Read), grant("user:eve", "twin:valve-1", access.Read), grant("user:eve", "twin:pump-7", access.Read)} {
		g, err := admin.CreateGrant(ctx, g)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, g)
	}
	for name, c := range map[string]struct {
		client          *api.Client
		subject, object string
		want            int
		err             error
	}{
		"a maintainer sees all":             {admin, "", "", 4, nil},
		"a maintainer, by subject":          {admin, "user:eve", "", 2, nil},
		"a maintainer, by object":           {admin, "", "twin:valve-1", 2, nil},
		"a maintainer, by both":             {admin, "user:eve", "twin:valve-1", 1, nil},
		"those made to oneself":             {vic, "", "", 2, nil},
		"to one's group":                    {vic, "group:night-shift", "", 1, nil},
		"to somebody else":                  {vic, "user:eve", "", 0, access.ErrDenied},
		"to another group":                  {vic, "group:press-shop", "", 0, access.ErrDenied},
		"on what one may only read":         {vic, "", "twin:pump-7", 0, access.ErrDenied},
		"to oneself on what one reads":      {vic, "user:vic", "twin:pump-7", 1, nil},
		"on one's own twin":                 {ada, "", "twin:pump-7", 2, nil},
		"to somebody else on one's own":     {ada, "user:eve", "twin:pump-7", 1, nil},
		"on a foreign twin":                 {ada, "", "twin:valve-1", 0, api.ErrNotFound},
		"to somebody else on a foreign one": {ada, "user:eve", "twin:valve-1", 0, api.ErrNotFound},
		"on a service":                      {ada, "", "service:alerts", 0, access.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			page, err := c.client.ListGrants(ctx, c.subject, c.object, "")
			if !errors.Is(err, c.err) || len(page.Items) != c.want {
				t.Errorf("%+v, %v; want %d, %v", page, err, c.want, c.err)
			}
		})
	}
	for n, want := range []error{nil, api.ErrNotFound, api.ErrNotFound, nil} {
		if _, err := ada.GetGrant(ctx, made[n].ID); !errors.Is(err, want) {
			t.Errorf("ada gets grant %d: %v, want %v", n, err, want)
		}
	}
	if err := ada.DeleteGrant(ctx, made[1].ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("ada takes a foreign grant back: %v", err)
	}
}

// Whatever write is the last before a crash: once another instance has swept, every change is told and nothing is left over.
func TestCrashes(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	now := time.Now().UTC().Truncate(time.Second)
	w.SetTime(now)
	admin := w.Admin()
	grants, err := platform.OpenGrants(ctx, w.Base.DB)
	if err != nil {
		t.Fatal(err)
	}
	events := w.Collect(event.GrantChanged)
	told := func(object string) (n int) {
		ids := map[string]bool{}
		for _, e := range events() {
			if e.Subject == object {
				ids[e.ID] = true
			}
		}
		return len(ids)
	}
	people(t, w, "user:vic")
	survived := false
	for n := 0; !survived; n++ {
		if n > 20 {
			t.Fatal("no way through without a crash")
		}
		for _, how := range functiontest.Ways {
			t.Run(fmt.Sprintf("write %d, way %d", n, how), func(t *testing.T) {
				object := fmt.Sprintf("service:s-%d-%d", n, how)
				c := w.Crash(n, how)
				c.Run(w, "authorization", authorization.New)
				g, failed := admin.CreateGrant(ctx, grant("user:vic", object, access.Read))
				var took error
				if failed == nil {
					took = admin.DeleteGrant(ctx, g.ID)
				}
				survived = !c.Came()

				w.Add("authorization", authorization.New)
				now = now.Add(time.Minute)
				w.SetTime(now)
				admin = w.Admin()
				if _, err := w.Part("twin-watchdog", "").Sweep(ctx, "authorization"); err != nil {
					t.Fatal(err)
				}
				page, err := grants.Find(ctx, store.Query{Index: "by-object", Filter: store.Eq("object", object)})
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case len(page.Items) == 0 && failed == nil:
					functiontest.Eventually(t, "making and taking back are told", func() bool { return told(object) == 2 })
				case len(page.Items) == 0:
					if told(object) != 0 {
						t.Error("something is told of a grant that never was")
					}
				default:
					if g := page.Items[0]; !g.Deleted.IsZero() || len(g.Outbox.Pending) != 0 {
						t.Errorf("the sweep left %+v", g)
					}
					if failed == nil && took == nil {
						t.Error("it was taken back, and is there")
					}
					functiontest.Eventually(t, "making is told", func() bool { return told(object) == 1 })
				}
			})
		}
	}
}
