package twinprovision_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/tests/functiontest"
)

// A run goes with its twin, and stays with whom the twin belonged to last, however late the move is heard of.
func TestARunGoesWithItsTwin(t *testing.T) {
	for name, late := range map[string]bool{"in order": false, "the move is heard of after the end": true} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			_, err := w.admin.CreateGroup(w.ctx, api.Group{ID: "paint"})
			w.must(err)
			ada, bob := w.User("ada", []access.Role{access.Owner}, "press"), w.User("bob", []access.Role{access.Owner}, "paint")
			w.identity("P-1")
			run, _ := w.provision(w.request(w.claim(api.NewClaim{}), "P-1"))
			told := w.Collect(event.TwinMoved, event.TwinDeleted)
			heard := w.Collect(event.ProvisionStep)
			// last is the event of a topic that function twins has published.
			last := func(topic event.Topic) (e event.Event) {
				functiontest.Eventually(t, string(topic)+" is told", func() bool {
					for _, v := range told() {
						if v.Topic == topic {
							e = v
						}
					}
					return e.ID != ""
				})
				return e
			}
			runs := func(c *api.Client) string {
				t.Helper()
				var page api.Page[provision.Run]
				w.must(c.Call(w.ctx, "GET", "twin-provision", "/runs", nil, &page))
				_, err := c.GetRun(w.ctx, run.ID)
				if err != nil && !errors.Is(err, api.ErrNotFound) {
					t.Fatal(err)
				}
				return fmt.Sprint(len(page.Items), err == nil)
			}
			_, err = w.admin.UpdateTwin(w.ctx, "p-1", 0, map[string]any{"owner": "paint"})
			w.must(err)
			moved := last(event.TwinMoved)
			if !late {
				w.must(w.Event("twin-provision", moved, moved))
				if got := runs(ada) + ", " + runs(bob); got != "0 false, 1 true" {
					t.Errorf("moved, the runs seen are %s", got)
				}
			}
			w.must(w.admin.DeleteTwin(w.ctx, "p-1"))
			gone := last(event.TwinDeleted)
			w.must(w.Event("twin-provision", gone, gone))
			w.must(w.Event("twin-provision", moved))
			if got := runs(ada) + ", " + runs(bob); got != "0 false, 1 true" {
				t.Errorf("deleted, the runs seen are %s", got)
			}
			if r := w.run(run.ID); r.Outcome != provision.Rejected || r.Owner != "paint" {
				t.Errorf("it is %s of %s:\n%s", r.Outcome, r.Owner, log(r))
			}
			for _, e := range heard() {
				var d api.ProvisionStep
				w.must(e.Decode(&d))
				if d.Owner != "paint" {
					t.Errorf("%s is told of: %+v", d.Owner, d.Steps)
				}
			}
		})
	}
}
