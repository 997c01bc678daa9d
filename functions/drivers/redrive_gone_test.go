package drivers_test

import (
	"testing"

	"github.com/castor-iot/castor/functions/users"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// What is removed while a redrive goes on was not read by it.
func TestWhatIsGoneMeanwhile(t *testing.T) {
	w := newParkedWorld(t)
	w.publish("1.1.0", reads)
	parked, err := platform.OpenParked(bg, w.Base.DB)
	w.must(err)
	olga := w.User("olga", []access.Role{access.Owner}, "plant")
	for _, c := range []struct {
		id           twin.ID
		remove       func(id twin.ID)
		stored, gone int64
	}{
		{"p-1", func(id twin.ID) {
			page, err := parked.Find(bg, store.Query{Index: "by-twin", Filter: store.Eq("twin", id), Limit: 2})
			w.must(err)
			for _, m := range page.Items {
				w.must(parked.Delete(bg, m.ID))
			}
		}, 1, 2},
		{"p-2", func(id twin.ID) {
			_, err := w.twins.Update(bg, string(id), func(t *twin.Twin) error { t.Deleted = at; return nil })
			w.must(err)
		}, 0, 3},
	} {
		w.device(c.id, "pump", "plant", 3)
		j, err := olga.Redrive(bg, api.NewRedrive{Twin: c.id})
		w.must(err)
		looks := 0 // whose redrive it is, is looked at before each step: first messages are planned, then read
		w.Add("users", func(p *platform.Platform) faas.Func {
			next := users.New(p)
			return func(r handler.Request) (handler.Response, error) {
				if r.Method == "GET" && r.Header.Get(faas.HeaderPath) == "/users/olga" {
					if looks++; looks == 2 {
						c.remove(c.id)
					}
				}
				return next(r)
			}
		})
		if j = w.wait(w.Admin(), j.ID); j.State != api.JobDone || j.Stored != c.stored || j.Gone != c.gone || j.Left != 0 || looks < 2 {
			t.Errorf("of %s: %+v", c.id, j)
		}
	}
}
