package identities_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/castor-iot/castor/functions/identities"
	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// An owner's list holds the own devices and nothing of the others, page by page.
func TestOwnersListTheirDevices(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, functiontest.Functions{"identities": identities.New, "twins": twins.New})
	admin := w.Admin()
	ada := w.User("ada", []access.Role{access.Owner}, "press-shop")
	stranger := w.User("eve", []access.Role{access.Owner}, "paint-shop")
	if _, err := admin.CreateTwin(ctx, api.NewTwin{ID: "pump", Kind: twin.Type}); err != nil {
		t.Fatal(err)
	}
	var hers []string
	for i := range 12 {
		id := twin.ID(fmt.Sprintf("p-%02d", i))
		if _, err := admin.CreateIdentity(ctx, device.Identity{ID: id, Serial: fmt.Sprint("P-", i)}); err != nil {
			t.Fatal(err)
		}
		if i%3 == 2 {
			continue // no twin yet
		}
		owner := "others"
		if i%3 == 0 {
			owner, hers = "press-shop", append(hers, string(id))
		} else if _, err := admin.CreateGroup(ctx, api.Group{ID: "others"}); err != nil && !strings.Contains(err.Error(), "exists") {
			t.Fatal(err)
		}
		if _, err := admin.CreateTwin(ctx, api.NewTwin{ID: id, Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: owner}}); err != nil {
			t.Fatal(err)
		}
	}
	list := func(c *api.Client, query string) (ids []string, pages int) {
		t.Helper()
		for cursor := ""; pages == 0 || cursor != ""; pages++ {
			var page api.Page[device.Identity]
			if err := c.Call(ctx, "GET", "identities", "/identities?"+query+"&cursor="+cursor, nil, &page); err != nil {
				t.Fatal(err)
			}
			for _, v := range page.Items {
				ids = append(ids, string(v.ID))
			}
			cursor = page.Next
		}
		return ids, pages
	}
	if got, _ := list(ada, "limit=3"); !slices.Equal(got, hers) {
		t.Errorf("ada's are %v, want %v", got, hers)
	}
	if got, _ := list(ada, "prefix=p-0"); !slices.Equal(got, hers[:4]) {
		t.Errorf("with a prefix: %v, want %v", got, hers[:4])
	}
	if got, pages := list(stranger, "limit=1"); len(got) != 0 || pages != 1 {
		t.Errorf("a stranger sees %v on %d pages", got, pages)
	}
	if got, _ := list(admin, "limit=5"); len(got) != 12 {
		t.Errorf("a maintainer sees %v", got)
	}
}

// An owner makes the identity of a device that a claim of the own group will bring in, and learns nothing of others by it.
func TestOwnersMakeIdentitiesOfTypesTheyMayRead(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, functiontest.Functions{"identities": identities.New, "twins": twins.New})
	admin := w.Admin()
	ada := w.User("ada", []access.Role{access.Owner}, "press-shop")
	eve := w.User("eve", []access.Role{access.Owner}, "paint-shop")
	for _, in := range []api.NewTwin{{ID: "pump", Kind: twin.Type, Definition: twin.Definition{Owner: "press-shop"}}, {ID: "secret", Kind: twin.Type, Definition: twin.Definition{Owner: "paint-shop"}}} {
		if _, err := w.Part("twin-provision", "").CreateTwin(ctx, in); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := admin.CreateIdentity(ctx, device.Identity{Serial: "P-1", MAC: "02:42:ac:11:00:02"}); err != nil {
		t.Fatal(err)
	}
	made, err := ada.CreateIdentity(ctx, device.Identity{Serial: "P-7", Type: "pump"})
	if err != nil || made.ID != "p-7" || made.By != "user:ada" || made.Owner != "press-shop" {
		t.Fatalf("made %+v, %v", made, err)
	}
	for name, c := range map[string]struct {
		in   device.Identity
		want error
	}{
		"no type":            {device.Identity{Serial: "P-8"}, twin.ErrInvalid},
		"a type not hers":    {device.Identity{Serial: "P-8", Type: "secret"}, twin.ErrInvalid},
		"no such type":       {device.Identity{Serial: "P-8", Type: "nothing"}, twin.ErrInvalid},
		"a serial taken":     {device.Identity{Serial: "P-1", Type: "pump"}, api.ErrExists},
		"a mac taken":        {device.Identity{Serial: "P-9", MAC: "02:42:ac:11:00:02", Type: "pump"}, api.ErrExists},
		"an id of her own":   {device.Identity{Serial: "P-8", ID: "mine", Type: "pump"}, twin.ErrInvalid},
		"a group not hers":   {device.Identity{Serial: "P-8", Type: "pump", Owner: "paint-shop"}, access.ErrDenied},
		"the same once more": {device.Identity{Serial: "P-7", Type: "pump"}, api.ErrExists},
	} {
		if _, err := ada.CreateIdentity(ctx, c.in); !errors.Is(err, c.want) || strings.Contains(err.Error(), "p-1") {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if got, err := ada.GetIdentity(ctx, "p-7"); err != nil || got.Serial != "P-7" {
		t.Errorf("her own: %+v, %v", got, err)
	}
	if got, err := ada.FindIdentity(ctx, "P-7"); err != nil || got.ID != "p-7" {
		t.Errorf("her own by serial: %+v, %v", got, err)
	}
	for _, id := range []twin.ID{"p-1", "p-7"} {
		if _, err := eve.GetIdentity(ctx, id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("a stranger gets %s: %v", id, err)
		}
		if err := eve.DeleteIdentity(ctx, id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("a stranger deletes %s: %v", id, err)
		}
	}
	if err := ada.DeleteIdentity(ctx, "p-1"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("she deletes another's: %v", err)
	}
	if err := ada.DeleteIdentity(ctx, "p-7"); err != nil {
		t.Errorf("she deletes her own: %v", err)
	}
}

// What an owner makes keeps nobody out for good: it takes no id that a twin has, gives way to a configurator's as long as it has
// no twin, and there are so many of it.
func TestOwnersSquatNothing(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, functiontest.Functions{"identities": identities.New, "twins": twins.New})
	carl := w.User("carl", []access.Role{access.Configurator})
	ada := w.User("ada", []access.Role{access.Owner}, "press-shop", "paint-shop")
	eve := w.User("eve", []access.Role{access.Owner}, "wash-shop")
	makeTwin(t, w, twin.Twin{ID: "pump", Kind: twin.Type, Definition: twin.Definition{Model: &twin.Model{}}})
	makeTwin(t, w, twin.Twin{ID: "p-1", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "press-shop"}})
	for name, c := range map[string]struct {
		as   *api.Client
		in   device.Identity
		want error
	}{
		"which of two groups":        {ada, device.Identity{Serial: "P-2", Type: "pump"}, twin.ErrInvalid},
		"the id of another's twin":   {eve, device.Identity{Serial: "P-1", Type: "pump"}, api.ErrExists},
		"that id by another serial":  {eve, device.Identity{Serial: "p 1", Type: "pump"}, api.ErrExists},
		"an id that the serial lets": {eve, device.Identity{Serial: "P-3", ID: "p-3", Type: "pump"}, nil},
		"one's own twin":             {ada, device.Identity{Serial: "P-1", Type: "pump", Owner: "press-shop"}, nil},
		"a factory's serial":         {eve, device.Identity{Serial: "F-1", MAC: "02:42:ac:11:00:07", Type: "pump"}, nil},
		"another factory's serial":   {eve, device.Identity{Serial: "F-2", Type: "pump"}, nil},
	} {
		if _, err := c.as.CreateIdentity(ctx, c.in); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := ada.CreateIdentity(ctx, device.Identity{Serial: "F-1", Type: "pump", Owner: "paint-shop"}); !errors.Is(err, api.ErrExists) || !strings.Contains(err.Error(), "configurator") {
		t.Errorf("another owner's serial: %v", err)
	}
	if got, err := carl.CreateIdentity(ctx, device.Identity{ID: "real-1", Serial: "F-1", MAC: "02:42:ac:11:00:07", Owner: "wash-shop"}); err != nil || got.Owner != "" {
		t.Errorf("a configurator makes it: %+v, %v", got, err)
	}
	if got, err := carl.FindIdentity(ctx, "F-1"); err != nil || got.ID != "real-1" || got.By != "user:carl" {
		t.Errorf("it is %+v, %v", got, err)
	}
	if got, err := carl.ImportIdentities(ctx, "text/csv", []byte("serial,model\nF-2,Pump\n")); err != nil || got.Created != 1 {
		t.Errorf("a configurator imports it: %+v, %v", got, err)
	}
	if _, err := carl.CreateIdentity(ctx, device.Identity{Serial: "F-2"}); !errors.Is(err, api.ErrExists) {
		t.Errorf("one that a configurator made gives way: %v", err)
	}
	if _, err := carl.CreateIdentity(ctx, device.Identity{Serial: "P-1"}); !errors.Is(err, api.ErrExists) {
		t.Errorf("one with a twin gives way: %v", err)
	}

	// Whoever made one sees it, whoever has its twin.
	makeTwin(t, w, twin.Twin{ID: "p-3", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "press-shop"}})
	if got, err := eve.GetIdentity(ctx, "p-3"); err != nil || got.Owner != "wash-shop" {
		t.Errorf("its maker sees %+v, %v", got, err)
	}

	known, err := store.Open[device.Identity](ctx, w.Base.DB, store.Spec{Name: "identities", Schema: 1})
	if err != nil {
		t.Fatal(err)
	}
	many := make([]device.Identity, 1000)
	for n := range many {
		many[n] = device.Identity{ID: twin.ID(fmt.Sprint("w-", n)), Serial: fmt.Sprint("W-", n), MAC: fmt.Sprintf("02:42:ac:11:%02x:%02x", 1+n/256, n%256), Owner: "wash-shop", By: "user:eve"}
	}
	if err := known.PutMany(ctx, many); err != nil {
		t.Fatal(err)
	}
	last := device.Identity{Serial: "W-1000", Type: "pump"}
	if _, err := eve.CreateIdentity(ctx, last); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "1000") {
		t.Errorf("one more than may be: %v", err)
	}
	makeTwin(t, w, twin.Twin{ID: "w-7", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "wash-shop"}})
	if _, err := eve.CreateIdentity(ctx, last); err != nil {
		t.Errorf("when one of them has come: %v", err)
	}
}
