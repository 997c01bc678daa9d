package authorization_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

func TestCheck(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	admin := w.Admin()
	ada, carl := w.User("ada", []access.Role{access.Owner}, "press-shop"), w.User("carl", []access.Role{access.Configurator})
	w.User("dora", []access.Role{access.Maintainer})
	yes := true
	if _, err := admin.UpdateUser(ctx, "dora", api.UserChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateAccount(ctx, api.Account{ID: "erp", Groups: []string{"press-shop"}}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		client          *api.Client
		subject, object string
		right           access.Right
		want            bool
		reason          string
	}{
		"an owner's own":               {ada, "", "twin:pump-7", access.Write, true, "belongs to group press-shop"},
		"by one's own name":            {ada, "user:ada", "twin:pump-7", access.Write, true, "belongs to group press-shop"},
		"an owner's foreign twin":      {ada, "", "twin:valve-1", access.Read, false, "no grant"},
		"a twin that is not there":     {ada, "", "twin:valve-9", access.Read, false, "no grant"},
		"a maintainer":                 {admin, "", "twin:valve-1", access.Write, true, "maintainer"},
		"for a user":                   {admin, "user:ada", "twin:pump-7", access.Write, true, "press-shop"},
		"for a user without right":     {admin, "user:carl", "twin:pump-7", access.Read, false, "no grant"},
		"for a disabled maintainer":    {admin, "user:dora", "twin:pump-7", access.Read, false, "disabled"},
		"for nobody known":             {admin, "user:zoe", "twin:pump-7", access.Read, false, "there is no user"},
		"for a service account":        {admin, "service:erp", "twin:pump-7", access.Read, true, "press-shop"},
		"for one that may only read":   {admin, "service:erp", "twin:pump-7", access.Write, false, "no grant"},
		"for an unknown account":       {admin, "service:crm", "twin:pump-7", access.Read, false, "there is no service account"},
		"for a group":                  {admin, "group:press-shop", "twin:pump-7", access.Read, true, "press-shop"},
		"a service that nobody opened": {carl, "", "service:alerts", access.Read, false, "no grant"},
		"a part, for a user":           {w.Part("twin-command", ""), "user:ada", "twin:pump-7", access.Write, true, "press-shop"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := c.client.Check(ctx, api.Check{Subject: c.subject, Object: c.object, Right: c.right})
			if err != nil || d.Allowed != c.want || !strings.Contains(d.Reason, c.reason) {
				t.Errorf("%+v, %v; want %v because of %q", d, err, c.want, c.reason)
			}
		})
	}
	if _, err := ada.Check(ctx, api.Check{Subject: "user:carl", Object: "twin:pump-7", Right: access.Read}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("an owner asks for somebody else: %v", err)
	}
}

// A service account may be let at a function as a whole.
func TestServiceGrantOpensAFunction(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	admin := w.Admin()
	a, err := admin.CreateAccount(ctx, api.Account{ID: "erp"})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := w.Nobody().Exchange(ctx, api.Exchange{Account: "erp", Secret: a.Secret})
	if err != nil {
		t.Fatal(err)
	}
	erp := &api.Client{URL: w.URL, Authorize: func(context.Context, string) (string, error) { return "Bearer " + tok.Access, nil }}
	if _, err := erp.ListGrants(ctx, "", "", ""); !errors.Is(err, access.ErrDenied) {
		t.Errorf("without role or grant: %v", err)
	}
	if _, err := admin.CreateGrant(ctx, grant("service:erp", "service:authorization", access.Read)); err != nil {
		t.Fatal(err)
	}
	w.SetTime(w.Now().Add(6 * time.Second)) // the cache's time, in case the event is slow
	if page, err := erp.ListGrants(ctx, "", "", ""); err != nil || len(page.Items) != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	if _, err := erp.CreateGrant(ctx, grant("service:erp", "twin:pump-7", access.Read)); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a grant to read lets it write: %v", err)
	}
	if _, err := erp.ListAudit(ctx, "", ""); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a grant opens what is the maintainers': %v", err)
	}
}

func TestAudit(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	published := w.Collect(event.Audit)
	ada := w.User("ada", []access.Role{access.Owner}, "press-shop") // group, user and two sign-ins are writes
	people(t, w, "user:vic")
	if _, err := ada.CreateGrant(ctx, grant("user:vic", "twin:pump-7", access.Read)); err != nil {
		t.Fatal(err)
	}
	if _, err := ada.CreateGrant(ctx, grant("user:vic", "twin:valve-1", access.Read)); err == nil {
		t.Fatal("a foreign twin was granted")
	}
	if _, err := ada.ListGrants(ctx, "", "", ""); err != nil {
		t.Fatal(err)
	}
	functiontest.Eventually(t, "the grant is told", func() bool {
		e := published()
		return len(e) > 0 && e[len(e)-1].Subject == "/grants"
	})
	events := published()
	for range 2 { // delivered twice, kept once
		if err := w.Event("authorization", events...); err != nil {
			t.Fatal(err)
		}
	}
	page, err := w.Admin().ListAudit(ctx, "", "")
	if err != nil || len(page.Items) != len(events) {
		t.Fatalf("%d records of %d events, %v", len(page.Items), len(events), err)
	}
	newest := page.Items[0]
	if newest.Caller != "user:ada" || newest.Function != "authorization" || newest.Method != "POST" || newest.Path != "/grants" || newest.Status != 201 || newest.CallID == "" || newest.At.IsZero() {
		t.Errorf("the newest is %+v", newest)
	}
	for n := 1; n < len(page.Items); n++ {
		if page.Items[n].At.After(page.Items[n-1].At) {
			t.Errorf("record %d is newer than the one before", n)
		}
		if strings.HasPrefix(page.Items[n].Path, "/check") || page.Items[n].Method == "GET" {
			t.Errorf("%+v changed nothing", page.Items[n])
		}
	}
	byAda, err := w.Admin().ListAudit(ctx, "user:ada", "")
	if err != nil || len(byAda.Items) != 2 { // her sign-in and her grant
		t.Errorf("by ada: %+v, %v", byAda, err)
	}
	var byUsers api.Page[access.Record]
	if err := w.Admin().Call(ctx, "GET", "authorization", "/audit?function=users&limit=1", nil, &byUsers); err != nil || len(byUsers.Items) != 1 || byUsers.Next == "" || byUsers.Items[0].Function != "users" {
		t.Errorf("by function: %+v, %v", byUsers, err)
	}
	for who, c := range map[string]*api.Client{"an owner": ada, "a part": w.Part("alerts", "")} {
		if _, err := c.ListAudit(ctx, "", ""); !errors.Is(err, access.ErrDenied) {
			t.Errorf("%s reads the audit: %v", who, err)
		}
	}
}

// A record that cannot be read must not hold up the others for ever.
func TestEventsThatAreNone(t *testing.T) {
	w := start(t)
	now := w.Platform("test").Time()
	bad := event.New("x", event.Audit, "", now, map[string]any{"id": 7})
	empty := event.New("y", event.Audit, "", now, map[string]any{})
	good := event.New("z", event.Audit, "", now, access.Record{ID: "z", At: now, Caller: "user:ada"})
	other := event.New("o", event.AlarmRaised, "", now, "of another topic")
	if err := w.Event("authorization", bad, empty, other, good); err != nil {
		t.Fatal(err)
	}
	if page, err := w.Admin().ListAudit(context.Background(), "user:ada", ""); err != nil || len(page.Items) != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	if err := w.Part("alerts", "").Call(context.Background(), "POST", "authorization", "/events", []event.Event{good}, nil); !errors.Is(err, access.ErrDenied) {
		t.Errorf("another part writes the audit: %v", err)
	}
	if err := w.Admin().Call(context.Background(), "POST", "authorization", "/events", []event.Event{good}, nil); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a maintainer writes the audit: %v", err)
	}
}

// The id of a deleted twin may come to name another device: old grants must not reach it.
func TestGrantsEndWithTheirTwin(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	now := time.Now().UTC().Truncate(time.Second)
	w.SetTime(now)
	admin := w.Admin()
	people(t, w, "user:u0", "user:u1", "user:u2", "user:new")
	for i := range 3 {
		if _, err := admin.CreateGrant(ctx, grant(fmt.Sprintf("user:u%d", i), "twin:pump-7", access.Read)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := admin.CreateGrant(ctx, grant("user:u0", "twin:pump", access.Read)); err != nil {
		t.Fatal(err)
	}
	gone := event.New("pump-7#9", event.TwinDeleted, "pump-7", now.Add(time.Second), api.TwinChanged{Twin: "pump-7"})
	w.SetTime(now.Add(2 * time.Second))
	// The next device of that id has been granted already when the event comes late.
	if _, err := admin.CreateGrant(ctx, grant("user:new", "twin:pump-7", access.Read)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Event("authorization", gone); err != nil {
			t.Fatal(err)
		}
	}
	page, err := admin.ListGrants(ctx, "", "", "")
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("%+v, %v", page, err)
	}
	for _, g := range page.Items {
		if g.Object == "twin:pump-7" && g.Subject != "user:new" {
			t.Errorf("%s still may read", g.Subject)
		}
	}
}

func TestHostileInput(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	admin := w.Admin()
	for name, c := range map[string]struct{ method, path, body, says string }{
		"no body":                {"POST", "/grants", "", "empty"},
		"nothing in it":          {"POST", "/grants", "{}", "right"},
		"no subject":             {"POST", "/grants", `{"object":"twin:pump-7","right":"read"}`, "subject"},
		"no object":              {"POST", "/grants", `{"subject":"user:ada","right":"read"}`, "object"},
		"a right of one's own":   {"POST", "/grants", `{"subject":"user:ada","object":"twin:pump-7","right":"own"}`, "right"},
		"everybody":              {"POST", "/grants", `{"subject":"user:*","object":"twin:pump-7","right":"read"}`, "subject"},
		"a part as subject":      {"POST", "/grants", `{"subject":"platform:twins","object":"twin:pump-7","right":"read"}`, "subject"},
		"a NUL in the subject":   {"POST", "/grants", `{"subject":"user:a\u0000group:b","object":"twin:pump-7","right":"read"}`, "subject"},
		"everything":             {"POST", "/grants", `{"subject":"user:ada","object":"twin:*","right":"read"}`, "object"},
		"an object of no kind":   {"POST", "/grants", `{"subject":"user:ada","object":"pump-7","right":"read"}`, "object"},
		"a path as object":       {"POST", "/grants", `{"subject":"user:ada","object":"twin:../../x","right":"read"}`, "object"},
		"a long object":          {"POST", "/grants", `{"subject":"user:ada","object":"twin:` + strings.Repeat("x", 5000) + `","right":"read"}`, "object"},
		"an id of one's own":     {"POST", "/grants", `{"id":"x","subject":"user:ada","object":"twin:pump-7","right":"read"}`, "id"},
		"by somebody else":       {"POST", "/grants", `{"by":"user:eve","subject":"user:ada","object":"twin:pump-7","right":"read"}`, "by"},
		"an outbox of one's own": {"POST", "/grants", `{"outbox":{},"subject":"user:ada","object":"twin:pump-7","right":"read"}`, "outbox"},
		"a list by nobody":       {"GET", "/grants?subject=ada", "", "subject"},
		"a list on nothing":      {"GET", "/grants?object=%00", "", "object"},
		"a bad cursor":           {"GET", "/grants?cursor=%ff", "", "cursor"},
		"a bad limit":            {"GET", "/grants?limit=0x10", "", "limit"},
		"a check of nothing":     {"POST", "/check", `{}`, "right"},
		"a check of no object":   {"POST", "/check", `{"right":"read"}`, "object"},
		"a check for everybody":  {"POST", "/check", `{"right":"read","object":"twin:pump-7","subject":"*"}`, "subject"},
		"a long caller":          {"GET", "/audit?caller=" + strings.Repeat("x", 300), "", "caller"},
		"a function of no text":  {"GET", "/audit?function=%ff", "", "function"},
		"a bad cursor of audit":  {"GET", "/audit?cursor=abc", "", "cursor"},
	} {
		t.Run(name, func(t *testing.T) {
			err := admin.Call(ctx, c.method, "authorization", c.path, api.Raw{ContentType: "application/json", Body: []byte(c.body)}, nil)
			if !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want an invalid request that says %q", err, c.says)
			}
		})
	}
	if page, err := admin.ListGrants(ctx, "", "", ""); err != nil || len(page.Items) != 0 {
		t.Errorf("something was kept: %+v, %v", page, err)
	}
}
