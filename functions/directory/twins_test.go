package directory_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/directory"
	"github.com/castor-iot/castor/functions/identities"
	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Types say what their instances can do; who looks for it finds those that are theirs, and no others.
func TestTwinsAreFoundByWhatTheyCanDo(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, functiontest.Functions{"directory": directory.New, "twins": twins.New})
	admin := w.Admin()
	for _, id := range []twin.ID{"pump", "valve"} {
		m := &twin.Model{Properties: []twin.Property{{Name: "temperature"}, {Name: string(id) + ".state"}, {Name: "größe"}}}
		if _, err := admin.CreateTwin(ctx, api.NewTwin{ID: id, Kind: twin.Type, Definition: twin.Definition{Model: m}}); err != nil {
			t.Fatal(err)
		}
	}
	provision := w.Part("twin-provision", "")
	for i := range 6 {
		d := twin.Definition{Type: []twin.ID{"pump", "valve"}[i%2], Owner: []string{"plant", "shop"}[i/3]}
		if _, err := provision.CreateTwin(ctx, api.NewTwin{ID: twin.ID(fmt.Sprintf("t-%d", i)), Kind: twin.Instance, Definition: d}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Tick("twins", w.Now()); err != nil {
		t.Fatal(err)
	}
	ada := w.User("ada", []access.Role{access.Owner}, "plant")
	eve := w.User("eve", []access.Role{access.Viewer})
	for name, c := range map[string]struct {
		client *api.Client
		q      api.ServiceQuery
		want   string
	}{
		"a property that both have":   {admin, api.ServiceQuery{Capability: "property:temperature"}, "twins:t-0 twins:t-1 twins:t-2 twins:t-3 twins:t-4 twins:t-5"},
		"a property that one has":     {admin, api.ServiceQuery{Capability: "property:pump.state"}, "twins:t-0 twins:t-2 twins:t-4"},
		"an interface":                {admin, api.ServiceQuery{Interface: "castor:valve"}, "twins:t-1 twins:t-3 twins:t-5"},
		"both":                        {admin, api.ServiceQuery{Interface: "castor:valve", Capability: "property:pump.state"}, ""},
		"an owner finds the own ones": {ada, api.ServiceQuery{Capability: "property:temperature"}, "twins:t-0 twins:t-1 twins:t-2"},
		"who has none finds none":     {eve, api.ServiceQuery{Capability: "property:temperature"}, ""},
		"a property that nobody has":  {admin, api.ServiceQuery{Capability: "property:flight"}, ""},
	} {
		page, err := c.client.FindTwins(ctx, c.q)
		if got := ids(t, page, err); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	var got []string
	for cursor := ""; ; {
		var page api.Page[api.Advertisement]
		if err := ada.Call(ctx, "GET", "directory", "/twins?capability=property:temperature&limit=1&cursor="+cursor, nil, &page); err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Items {
			got = append(got, a.Name)
		}
		if cursor = page.Next; cursor == "" || len(got) > 9 {
			break
		}
	}
	if fmt.Sprint(got) != "[t-0 t-2 t-1]" {
		t.Errorf("one by one: %v", got)
	}
	for name, path := range map[string]string{"nothing asked for": "/twins", "a bad word": "/twins?capability=%00", "a bad cursor": "/twins?capability=a&cursor=x",
		"a bad cursor inside": "/twins?capability=property:temperature&cursor=twins:pump%7Cx", "a bad limit": "/twins?capability=a&limit=0"} {
		if err := ada.Call(ctx, "GET", "directory", path, nil, nil); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.SetTime(w.Now().Add(3 * time.Minute))
	if page, err := admin.FindTwins(ctx, api.ServiceQuery{Capability: "property:temperature"}); err != nil || len(page.Items) != 0 {
		t.Errorf("when nobody renews it: %+v %v", page, err)
	}
	for name, a := range map[string]api.Advertisement{"another's name": {ID: "alerts:x", Kind: "twin", Name: "x"}, "a function": {ID: "users", Kind: "function", Name: "users"}} {
		if err := w.Part("twins", "").RegisterMany(ctx, []api.Advertisement{a}); !errors.Is(err, access.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.Part("twins", "").RegisterMany(ctx, make([]api.Advertisement, 1001)); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("1,001 advertisements: %v", err)
	}
}

// A function moves to another name while others go on calling it; they follow without a restart.
func TestCallersFollowAMove(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, functiontest.Functions{"directory": directory.New, "identities": identities.New, "twins": twins.New})
	events := w.Part("events", "")
	say := func(name string, capability string) {
		t.Helper()
		a := function(name, capability)
		a.TTL = 60
		if _, err := events.Register(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	say("identities", "identities")
	if _, err := w.Admin().CreateIdentity(ctx, device.Identity{Serial: "P-7"}); err != nil {
		t.Fatal(err)
	}
	caller := w.Part("twin-provision", "")
	find := func() error { _, err := caller.FindIdentity(ctx, "P-7"); return err }
	if err := find(); err != nil {
		t.Fatalf("before it moves: %v", err)
	}
	// The same function under another name: what it is, and with it the tokens for it, stays as it was.
	w.Add("identities-b", func(p *platform.Platform) faas.Func {
		return identities.New(platform.New(w.Base, "identities", ""))
	})
	w.Add("identities", nowhere)
	w.SetTime(w.Now().Add(61 * time.Second))
	say("identities-b", "identities")
	functiontest.Eventually(t, "calls arrive again", func() bool { return find() == nil })
	// And back.
	w.Add("identities", identities.New)
	w.Add("identities-b", nowhere)
	say("identities", "identities")
	w.SetTime(w.Now().Add(61 * time.Second))
	say("identities", "identities")
	functiontest.Eventually(t, "calls arrive at the old name again", func() bool { return find() == nil })
}

// nowhere answers as the user gateway does for a function that it does not have.
func nowhere(*platform.Platform) faas.Func {
	return func(handler.Request) (handler.Response, error) {
		return handler.Response{StatusCode: http.StatusNotFound, Body: []byte("no such function"), Header: http.Header{"Content-Type": {"text/plain"}}}, nil
	}
}
