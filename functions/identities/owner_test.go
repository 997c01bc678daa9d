package identities_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/castor-iot/castor/functions/identities"
	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
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
