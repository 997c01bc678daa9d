package twins_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// all is the ids of a list, page by page.
func all(t *testing.T, c *api.Client, q api.TwinQuery) (ids []string) {
	t.Helper()
	for pages := 0; ; pages++ {
		page, err := c.ListTwins(ctx, q)
		must(t, err)
		for _, x := range page.Items {
			ids = append(ids, string(x.ID))
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return ids
		}
		if pages > 100 {
			t.Fatal("the list does not end")
		}
	}
}

func TestListsShowWhatTheCallerMaySee(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "valve", "line-1", "line-2")
	var want []string // of ada: her group's, and what was granted: a type, an aggregate, single twins, twice over
	for i := range 30 {
		id, typ, owner, line := fmt.Sprintf("d-%02d", i), []string{"pump", "valve"}[i%2], []string{"plant", "shop", "yard"}[i%3], ""
		if i%5 == 0 {
			line = "line-1"
		}
		w.make(fmt.Sprintf("%s %s %s %s", id, typ, owner, line))
		if owner == "plant" || typ == "valve" || line != "" || i == 2 {
			want = append(want, id)
		}
	}
	want = append(want, "line-1", "valve")
	slices.Sort(want)
	w.User("ada", []access.Role{access.Owner}, "plant")
	eve := w.User("eve", []access.Role{access.Owner}, "nothing")
	w.grant("user:ada", "twin:valve", access.Read)
	w.grant("group:plant", "twin:line-1", access.Read)
	for _, id := range []string{"d-02", "d-03", "gone"} {
		w.grant("user:ada", "twin:"+id, access.Read)
	}
	ada := w.Login("ada", functiontest.Password)
	w.SetTime(w.Now().Add(6e9)) // the cache of grants ends
	for _, limit := range []int{1, 3, 7, 100} {
		if got := all(t, ada, api.TwinQuery{Limit: limit}); !slices.Equal(got, want) {
			t.Errorf("by pages of %d she sees\n%v, want\n%v", limit, got, want)
		}
		if got := all(t, eve, api.TwinQuery{Limit: limit}); len(got) != 0 {
			t.Errorf("a stranger sees %v", got)
		}
		if got := all(t, w.admin, api.TwinQuery{Limit: limit}); len(got) != 34 || !slices.IsSorted(got) {
			t.Errorf("a maintainer sees %d, want 34: %v", len(got), got)
		}
	}
	counts, err := ada.CountTwins(ctx, api.TwinQuery{})
	must(t, err)
	if counts.Instances != len(want)-2 || counts.Types != 1 || counts.Aggregates != 1 || counts.Phases[twin.Onboarding] != counts.Instances {
		t.Errorf("she counts %+v, sees %d", counts, len(want))
	}
	if counts, _ = eve.CountTwins(ctx, api.TwinQuery{}); counts.Instances+counts.Types+counts.Aggregates != 0 {
		t.Errorf("a stranger counts %+v", counts)
	}
	if counts, _ = w.admin.CountTwins(ctx, api.TwinQuery{}); counts.Instances != 30 || counts.Types != 2 || counts.Aggregates != 2 {
		t.Errorf("a maintainer counts %+v", counts)
	}
}

func TestFilters(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "valve", "line-1", "p-1 pump plant line-1", "p-2 pump shop", "v-1 valve plant line-1", "v-2 valve plant")
	ada := w.User("ada", []access.Role{access.Owner}, "plant")
	_, err := w.admin.UpdateTwin(ctx, "p-1", 0, map[string]any{"tags": []string{"old"}})
	must(t, err)
	_, err = w.provision.SetPhase(ctx, "v-1", api.PhaseChange{Phase: twin.Provisioning})
	must(t, err)
	_, err = w.twins.Update(ctx, "v-2", func(t *twin.Twin) error { t.Live.Presence.Connected = true; return nil })
	must(t, err)
	for name, c := range map[string]struct {
		q          api.TwinQuery
		admin, ada []string
	}{
		"type":               {api.TwinQuery{Type: "pump"}, []string{"p-1", "p-2"}, []string{"p-1"}},
		"kind":               {api.TwinQuery{Kind: twin.Type}, []string{"pump", "valve"}, nil},
		"aggregate":          {api.TwinQuery{Aggregate: "line-1"}, []string{"p-1", "v-1"}, []string{"p-1", "v-1"}},
		"aggregate and type": {api.TwinQuery{Aggregate: "line-1", Type: "valve"}, []string{"v-1"}, []string{"v-1"}},
		"owner":              {api.TwinQuery{Owner: "shop"}, []string{"p-2"}, nil},
		"phase":              {api.TwinQuery{Phase: twin.Provisioning}, []string{"v-1"}, []string{"v-1"}},
		"tag":                {api.TwinQuery{Tag: "old"}, []string{"p-1"}, []string{"p-1"}},
		"prefix":             {api.TwinQuery{Prefix: "v"}, []string{"v-1", "v-2", "valve"}, []string{"v-1", "v-2"}},
		"online":             {api.TwinQuery{Online: "true"}, []string{"v-2"}, []string{"v-2"}},
		"not online":         {api.TwinQuery{Online: "false", Kind: twin.Instance}, []string{"p-1", "p-2", "v-1"}, []string{"p-1", "v-1"}},
		"nothing":            {api.TwinQuery{Type: "nothing"}, nil, nil},
	} {
		for _, limit := range []int{0, 1} {
			c.q.Limit = limit
			if got := all(t, w.admin, c.q); !slices.Equal(got, c.admin) {
				t.Errorf("%s: a maintainer sees %v, want %v", name, got, c.admin)
			}
			if got := all(t, ada, c.q); !slices.Equal(got, c.ada) {
				t.Errorf("%s: the owner sees %v, want %v", name, got, c.ada)
			}
		}
	}
	page, err := w.admin.ListTwins(ctx, api.TwinQuery{Limit: 1})
	must(t, err)
	for name, q := range map[string]api.TwinQuery{
		"a cursor of another query": {Cursor: page.Next, Type: "pump"}, "no cursor": {Cursor: "AAAA"}, "bytes for a cursor": {Cursor: "\xff\x00"},
		"a kind": {Kind: "x"}, "a type": {Type: "../x"}, "a phase": {Phase: "x"}, "online": {Online: "maybe"}, "a prefix": {Prefix: "a/b"},
		"a limit": {Limit: 1001}, "a tag of bytes": {Tag: "\xff"},
	} {
		if _, err := w.admin.ListTwins(ctx, q); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	if counts, _ := w.admin.CountTwins(ctx, api.TwinQuery{}); counts.Online != 1 {
		t.Errorf("online counts are %+v", counts)
	}
}

// A type that belongs to nobody is the platform's: who is signed in reads it and lists it, and nothing that is below it.
func TestTypesOfNobodyAreThereForEverybody(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "valve")
	must(t, errOf(w.twins.Update(ctx, "pump", func(t *twin.Twin) error { t.Definition.Owner = ""; return nil })))
	w.make("p-1 pump plant", "p-2 pump shop")
	eve := w.User("eve", []access.Role{access.Viewer}, "nothing")
	if got := all(t, eve, api.TwinQuery{}); !slices.Equal(got, []string{"pump"}) {
		t.Errorf("she sees %v, want the one type", got)
	}
	if counts, err := eve.CountTwins(ctx, api.TwinQuery{}); err != nil || counts.Types != 1 || counts.Instances != 0 || len(counts.ByType) != 0 {
		t.Errorf("she counts %+v, %v", counts, err)
	}
	if _, err := eve.GetTwin(ctx, "pump"); err != nil {
		t.Error(err)
	}
	for _, id := range []twin.ID{"valve", "p-1", "p-2"} {
		if _, err := eve.GetTwin(ctx, id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%s: %v, want not found", id, err)
		}
	}
	conf := w.User("conf", []access.Role{access.Configurator}, "nothing")
	if _, err := conf.UpdateTwin(ctx, "pump", 0, map[string]any{"name": "mine"}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a configurator changes it: %v", err)
	}
}
