package directory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/directory"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

func start(t *testing.T) *functiontest.World {
	return functiontest.New(t, functiontest.Functions{"directory": directory.New})
}

func function(name string, capabilities ...string) api.Advertisement {
	return api.Advertisement{ID: name, Kind: "function", Name: name, Capabilities: capabilities}
}

func gateway(id string) api.Advertisement {
	return api.Advertisement{ID: "mqtt:" + id, Kind: "connector", Name: "mqtt", URL: "tls://127.0.0.1:8883", Capabilities: []string{"mqtt"}, Interfaces: []string{"mqtt"}}
}

func ids(t *testing.T, page api.Page[api.Advertisement], err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, a := range page.Items {
		s = append(s, a.ID)
	}
	slices.Sort(s)
	return strings.Join(s, " ")
}

func TestFind(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	events := w.Part("events", "")
	for _, a := range []api.Advertisement{function("twins", "twins", "sweep"), function("alerts", "alarms", "sweep"), function("users", "users")} {
		if _, err := events.Register(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := w.Part("connector", "op-1").Register(ctx, gateway("op-1")); err != nil || got.TTL != 60 || got.Expires.Sub(got.Updated) != time.Minute {
		t.Fatalf("%+v, %v", got, err)
	}
	owner := w.User("ada", []access.Role{access.Owner})
	for name, c := range map[string]struct {
		client *api.Client
		q      api.ServiceQuery
		want   string
	}{
		"everything":                        {w.Admin(), api.ServiceQuery{}, "alerts mqtt:op-1 twins users"},
		"a capability":                      {w.Admin(), api.ServiceQuery{Capability: "sweep"}, "alerts twins"},
		"a capability and a name":           {w.Admin(), api.ServiceQuery{Capability: "sweep", Name: "twins"}, "twins"},
		"a kind":                            {w.Admin(), api.ServiceQuery{Kind: "connector"}, "mqtt:op-1"},
		"an interface":                      {w.Admin(), api.ServiceQuery{Interface: "mqtt"}, "mqtt:op-1"},
		"an interface of another kind":      {w.Admin(), api.ServiceQuery{Interface: "mqtt", Kind: "function"}, ""},
		"a capability that nobody has":      {w.Admin(), api.ServiceQuery{Capability: "flight"}, ""},
		"an owner sees functions only":      {owner, api.ServiceQuery{}, "alerts twins users"},
		"also when looking for gateways":    {owner, api.ServiceQuery{Kind: "connector"}, ""},
		"a part sees everything":            {w.Part("twin-watchdog", ""), api.ServiceQuery{}, "alerts mqtt:op-1 twins users"},
		"so does a part of another gateway": {w.Part("connector", "op-2"), api.ServiceQuery{}, "alerts mqtt:op-1 twins users"},
	} {
		t.Run(name, func(t *testing.T) {
			page, err := c.client.ListServices(ctx, c.q)
			if got := ids(t, page, err); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	if a, err := owner.GetService(ctx, "twins"); err != nil || a.URL != "/function/twins" {
		t.Errorf("%+v, %v", a, err)
	}
	_, hidden := owner.GetService(ctx, "mqtt:op-1")
	_, missing := owner.GetService(ctx, "mqtt:op-9")
	if !errors.Is(hidden, api.ErrNotFound) || strings.Replace(hidden.Error(), "op-1", "op-9", 1) != missing.Error() {
		t.Errorf("hidden: %v; missing: %v", hidden, missing)
	}
	if _, err := w.Nobody().Discover(ctx, ""); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("a stranger: %v", err)
	}
}

// What is not renewed is not returned from the moment it ends, purge or no purge.
func TestExpiry(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	now := time.Now().UTC().Truncate(time.Second)
	w.SetTime(now)
	events := w.Part("events", "")
	short, long := function("alerts", "alarms"), function("twins", "twins")
	short.TTL, long.TTL = 5, 50
	register := func(a api.Advertisement) {
		t.Helper()
		if _, err := events.Register(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	left := func() string {
		page, err := events.Discover(ctx, "")
		return ids(t, page, err)
	}
	register(short)
	register(long)
	w.SetTime(now.Add(4 * time.Second))
	register(short)
	w.SetTime(now.Add(8 * time.Second))
	if got := left(); got != "alerts twins" {
		t.Errorf("a renewed one is gone: %s", got)
	}
	w.SetTime(now.Add(9 * time.Second))
	if got := left(); got != "twins" {
		t.Errorf("listed: %s", got)
	}
	if _, err := events.GetService(ctx, "alerts"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("an expired one: %v", err)
	}
	for range 2 {
		if err := w.Tick("directory", now.Add(9*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := store.Open[api.Advertisement](ctx, w.Base.DB, store.Spec{Name: "advertisements", Schema: 1})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.Count(ctx, store.Filter{}, ""); err != nil || n != 1 {
		t.Errorf("after the purge %d are kept, %v", n, err)
	}
}

// A part that could speak for another would be sent its calls.
func TestOnlyUnderOnesOwnName(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	tw := api.Advertisement{ID: "twins:pump-7", Kind: "twin", Name: "pump-7", Capabilities: []string{"forecast"}}
	elsewhere := function("alerts")
	elsewhere.URL = "https://evil.example/function/alerts"
	for name, c := range map[string]struct {
		client *api.Client
		a      api.Advertisement
		want   error
	}{
		"a function itself":                      {w.Part("alerts", ""), function("alerts"), nil},
		"a function another":                     {w.Part("alerts", ""), function("users"), access.ErrDenied},
		"a function another's name":              {w.Part("alerts", ""), api.Advertisement{ID: "alerts", Kind: "function", Name: "users"}, access.ErrDenied},
		"a function a twin below its name":       {w.Part("twins", ""), tw, nil},
		"a function a twin below another":        {w.Part("alerts", ""), tw, access.ErrDenied},
		"a function a twin below its own name":   {w.Part("alerts", ""), api.Advertisement{ID: "alerts:pump-7", Kind: "twin", Name: "pump-7"}, access.ErrDenied},
		"a function a connector":                 {w.Part("alerts", ""), gateway("op-1"), access.ErrDenied},
		"a name that only begins like one's own": {w.Part("twin", ""), api.Advertisement{ID: "twins", Kind: "twin", Name: "twins"}, access.ErrDenied},
		"events any function":                    {w.Part("events", ""), function("users"), nil},
		"events a connector":                     {w.Part("events", ""), gateway("op-1"), access.ErrDenied},
		"events a function under another id":     {w.Part("events", ""), api.Advertisement{ID: "mqtt:op-1", Kind: "function", Name: "mqtt"}, access.ErrDenied},
		"a connector its gateway":                {w.Part("connector", "op-1"), gateway("op-1"), nil},
		"a connector another gateway":            {w.Part("connector", "op-1"), gateway("op-2"), access.ErrDenied},
		"a connector a gateway that ends alike":  {w.Part("connector", "1"), gateway("op-1"), access.ErrDenied},
		"a connector a function":                 {w.Part("connector", "op-1"), api.Advertisement{ID: "users:op-1", Kind: "function", Name: "users"}, access.ErrDenied},
		"a function at another host":             {w.Part("alerts", ""), elsewhere, twin.ErrInvalid},
		"a maintainer":                           {w.Admin(), function("alerts"), access.ErrDenied},
		"nobody":                                 {w.Nobody(), function("alerts"), access.ErrUnauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := c.client.Register(ctx, c.a); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	for name, c := range map[string]struct {
		client *api.Client
		id     string
		want   error
	}{
		"another's":       {w.Part("twins", ""), "users", access.ErrDenied},
		"one's own":       {w.Part("alerts", ""), "alerts", nil},
		"one's own again": {w.Part("alerts", ""), "alerts", nil},
		"none":            {w.Part("alerts", ""), "%2e%2e", nil},
	} {
		if err := c.client.Deregister(ctx, c.id); !errors.Is(err, c.want) {
			t.Errorf("taking out %s: %v, want %v", name, err, c.want)
		}
	}
}

// One speaker cannot fill the directory, neither one by one nor at once, and what ends makes room.
func TestASpeakerHasItsShare(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	now := time.Now().UTC().Truncate(time.Second)
	w.SetTime(now)
	for name, c := range map[string]struct {
		client *api.Client
		say    func(n int) api.Advertisement
		share  bool
	}{
		"a function": {w.Part("alerts", ""), func(n int) api.Advertisement {
			return api.Advertisement{ID: fmt.Sprintf("alerts:%d", n), Kind: "function", Name: "alerts"}
		}, true},
		"a gateway": {w.Part("connector", "op-1"), func(n int) api.Advertisement {
			return api.Advertisement{ID: fmt.Sprintf("mqtt:%d:op-1", n), Kind: "connector", Name: "mqtt"}
		}, true},
		"events": {w.Part("events", ""), func(n int) api.Advertisement { return function(fmt.Sprintf("f-%d", n)) }, false},
		"twins": {w.Part("twins", ""), func(n int) api.Advertisement {
			return api.Advertisement{ID: fmt.Sprintf("twins:%d", n), Kind: "twin", Name: fmt.Sprintf("t-%d", n)}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w.SetTime(now)
			many := func(from, to int) (all []api.Advertisement) {
				for n := from; n < to; n++ {
					all = append(all, c.say(n))
				}
				return all
			}
			refused := func(what string, err error) {
				t.Helper()
				if want := map[bool]error{true: api.ErrTooMany}[c.share]; !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", what, err, want)
				}
			}
			refused("many at once", c.client.RegisterMany(ctx, many(0, 101)))
			if err := c.client.RegisterMany(ctx, many(0, 99)); err != nil {
				t.Fatal(err)
			}
			for n := 98; n < 100; n++ {
				if _, err := c.client.Register(ctx, c.say(n)); err != nil {
					t.Errorf("number %d: %v", n, err)
				}
			}
			if err := c.client.RegisterMany(ctx, many(0, 100)); err != nil {
				t.Errorf("all are renewed: %v", err)
			}
			_, err := c.client.Register(ctx, c.say(100))
			refused("one more", err)
			refused("one more of two", c.client.RegisterMany(ctx, many(99, 101)))
			w.SetTime(now.Add(61 * time.Second))
			if _, err := c.client.Register(ctx, c.say(100)); err != nil {
				t.Errorf("after the others have ended: %v", err)
			}
		})
	}
}

func TestHostileInput(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	part := w.Part("alerts", "")
	for name, c := range map[string]struct{ method, path, body, says string }{
		"no body":              {"PUT", "/services/alerts", "", "empty"},
		"no kind":              {"PUT", "/services/alerts", `{"name":"alerts"}`, "kind"},
		"no name":              {"PUT", "/services/alerts", `{"kind":"function"}`, "name"},
		"another id":           {"PUT", "/services/alerts", `{"id":"twins","kind":"function","name":"alerts"}`, "id"},
		"a path as id":         {"PUT", "/services/..%2fusers", `{"kind":"function","name":"alerts"}`, "id"},
		"a NUL as id":          {"PUT", "/services/a%00b", `{"kind":"function","name":"alerts"}`, "id"},
		"a long id":            {"PUT", "/services/" + strings.Repeat("a", 2000), `{"kind":"function","name":"alerts"}`, "id"},
		"a ttl for ever":       {"PUT", "/services/alerts", `{"kind":"function","name":"alerts","ttl":999999999}`, "ttl"},
		"a ttl of the past":    {"PUT", "/services/alerts", `{"kind":"function","name":"alerts","ttl":-1}`, "ttl"},
		"a ttl in words":       {"PUT", "/services/alerts", `{"kind":"function","name":"alerts","ttl":"1m"}`, "ttl"},
		"many capabilities":    {"PUT", "/services/alerts", `{"kind":"function","name":"alerts","capabilities":["a"` + strings.Repeat(`,"a"`, 64) + `]}`, "capabilities"},
		"an odd capability":    {"PUT", "/services/alerts", `{"kind":"function","name":"alerts","capabilities":["a b"]}`, "capabilities"},
		"an odd interface":     {"PUT", "/services/alerts", `{"kind":"function","name":"alerts","interfaces":[""]}`, "interfaces"},
		"an odd region":        {"PUT", "/services/alerts", `{"kind":"function","name":"alerts","region":"\u0007"}`, "region"},
		"a password in a URL":  {"PUT", "/services/alerts:1", `{"kind":"twin","name":"alerts","url":"tls://me:secret@host"}`, "url"},
		"a list as capability": {"GET", "/services?capability=%5B%5D", "", "capability"},
		"a bad cursor":         {"GET", "/services?cursor=zzz", "", "cursor"},
		"a bad limit":          {"GET", "/services?limit=-1", "", "limit"},
	} {
		t.Run(name, func(t *testing.T) {
			err := part.Call(ctx, c.method, "directory", c.path, api.Raw{ContentType: "application/json", Body: []byte(c.body)}, nil)
			if !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want an invalid request that says %q", err, c.says)
			}
		})
	}
	if page, err := w.Part("twins", "").Discover(ctx, ""); ids(t, page, err) != "" {
		t.Errorf("something was kept: %+v", page)
	}
}
