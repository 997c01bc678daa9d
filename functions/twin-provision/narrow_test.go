package twinprovision_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// Runs are found by what people know of them, whole whatever the page, by whoever may see all or a group's.
func TestRunsAreNarrowed(t *testing.T) {
	w := start(t)
	w.newType("boat", twin.Model{Provisioning: "semi-automatic"})
	claim := w.claim(api.NewClaim{MaxUses: 10})
	for _, s := range []string{"P-1", "P-2", "P-3"} {
		w.identity(s)
	}
	w.provision(w.request(claim, "P-1"))
	w.provision(w.request(claim, "P-2"))
	w.ask(w.request(claim, "X-1")) // rejected
	w.SetTime(w.Now().Add(time.Hour))
	w.admin = w.Admin()
	w.beat()
	later := w.Now()
	w.ask(w.request(claim, "P-3")) // at its gateway
	w.ask(w.request(w.claim(api.NewClaim{Type: "boat"}), "B-1", boat))
	olga := w.User("olga", []access.Role{access.Owner}, "press")
	for name, tt := range map[string]struct {
		q    api.RunQuery
		want string
	}{
		"of a model":              {api.RunQuery{Model: "semi-automatic"}, "B-1"},
		"of a model and type":     {api.RunQuery{Model: "semi-automatic", Type: "pump"}, ""},
		"in a state":              {api.RunQuery{State: "gateway"}, "P-3"},
		"in one that has ended":   {api.RunQuery{State: "operational"}, ""},
		"completed":               {api.RunQuery{Outcome: provision.Completed}, "P-1 P-2"},
		"rejected":                {api.RunQuery{Outcome: provision.Rejected}, "X-1"},
		"rejected lately":         {api.RunQuery{Outcome: provision.Rejected, Since: later}, ""},
		"lately":                  {api.RunQuery{Since: later}, "B-1 P-3"},
		"open, of a type":         {api.RunQuery{Open: "true", Type: "pump"}, "P-3"},
		"ended, of a model":       {api.RunQuery{Open: "false", Model: "automatic"}, "P-1 P-2 X-1"},
		"waiting for people":      {api.RunQuery{Awaits: "people", Since: later, State: "approval"}, "B-1"},
		"of a twin, that came in": {api.RunQuery{Twin: "p-1", Outcome: provision.Completed}, "P-1"},
	} {
		for who, c := range map[string]*api.Client{"who sees all": w.admin, "the group": olga} {
			q, got := tt.q, []string{}
			for q.Limit = 1; ; {
				page, err := c.ListRuns(w.ctx, q)
				if err != nil || len(page.Items) > 1 {
					t.Fatalf("%s, %s: %d runs, %v", name, who, len(page.Items), err)
				}
				for _, r := range page.Items {
					got = append(got, r.Request.Serial)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			if slices.Sort(got); strings.Join(got, " ") != tt.want {
				t.Errorf("%s, %s: %v, want %s", name, who, got, tt.want)
			}
		}
	}
	for field, query := range map[string]string{"model": "model=a/b", "state": "state=..%2F", "outcome": "outcome=lost", "since": "since=yesterday", "open": "open=yes",
		"awaits": "awaits=rain", "leave one of them out": "state=gateway&outcome=rejected"} {
		err := w.admin.Call(w.ctx, "GET", "twin-provision", "/runs?"+query, nil, nil)
		if !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// The states of each model that comes with the platform have names for people.
func TestShippedStatesHaveTitles(t *testing.T) {
	w := start(t)
	for _, id := range []string{"automatic", "semi-automatic", "manual"} {
		m, err := w.admin.GetModel(w.ctx, id)
		w.must(err)
		for _, s := range m.States {
			if s.Title == "" {
				t.Errorf("model %s: state %s has none", id, s.Name)
			}
		}
	}
}
