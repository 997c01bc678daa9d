package twins_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// Words are found by their beginnings, whatever their case and accents, in what people call a twin; by who sees everything
// through the catalog, by all others among what is theirs.
func TestSearch(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "line-1", "p-0017 pump plant", "p-0018 pump shop", "Q7 pump plant")
	for id, patch := range map[twin.ID]map[string]any{
		"p-0017": {"name": "Kühlpumpe Nord", "location": map[string]any{"site": "Halle 3, Köln", "region": "eu-west"}},
		"p-0018": {"name": "Kühlpumpe Süd", "tags": []string{"reserve"}},
		"Q7":     {"name": "Ein sehr langer Name: Donaudampfschifffahrtsgesellschaft"},
	} {
		_, err := w.admin.UpdateTwin(ctx, id, 0, patch)
		must(t, err)
	}
	ada := w.User("ada", []access.Role{access.Owner}, "plant")
	for q, want := range map[string][]string{
		"kuhl":                       {"p-0017", "p-0018"},
		"KÜHL":                       {"p-0017", "p-0018"},
		"nord kuhlpu":                {"p-0017"},
		"koln":                       {"p-0017"},
		"eu-w":                       {"p-0017"},
		"reserve":                    {"p-0018"},
		"p-001":                      {"p-0017", "p-0018"},
		"p-0018":                     {"p-0018"},
		"q7":                         {"Q7"},
		"donaudampfschiff":           {"Q7"},
		"donaudampfschifffahrtsges":  {"Q7"},
		"donaudampfschifffahrtsgesy": nil,
		"pumpe":                      nil, // it begins no word
		"kuhl zuckerguss":            nil,
		"1":                          {"line-1"},
	} {
		for _, limit := range []int{0, 1} {
			if got := all(t, w.admin, api.TwinQuery{Search: q, Limit: limit}); !slices.Equal(got, want) {
				t.Errorf("%q: a maintainer finds %v, want %v", q, got, want)
			}
			own := slices.DeleteFunc(slices.Clone(want), func(id string) bool { return id != "p-0017" && id != "Q7" })
			if got := all(t, ada, api.TwinQuery{Search: q, Limit: limit}); !slices.Equal(got, own) {
				t.Errorf("%q: the owner finds %v, want %v", q, got, own)
			}
		}
	}
	if got := all(t, w.admin, api.TwinQuery{Search: "kuhl", Sort: "-name", Kind: twin.Instance, Tag: "reserve"}); !slices.Equal(got, []string{"p-0018"}) {
		t.Errorf("with a tag it finds %v", got)
	}
	must(t, w.admin.DeleteTwin(ctx, "p-0018"))
	_, err := w.admin.UpdateTwin(ctx, "p-0017", 0, map[string]any{"name": "Heizung"})
	must(t, err)
	if got := all(t, w.admin, api.TwinQuery{Search: "kuhl"}); got != nil {
		t.Errorf("after a change it still finds %v", got)
	}
	if got := all(t, w.admin, api.TwinQuery{Search: "heiz"}); !slices.Equal(got, []string{"p-0017"}) {
		t.Errorf("by its new name it finds %v", got)
	}
	for name, q := range map[string]api.TwinQuery{"no word": {Search: "--"}, "many words": {Search: "a b c d e f g h i j"}, "bytes": {Search: "\xff"},
		"a sorting": {Sort: "owner"}, "a minus": {Sort: "-"}, "a view": {View: "all"}, "alarms": {Alarms: "maybe"}} {
		if _, err := w.admin.ListTwins(ctx, q); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
}

// Twins that are older than the catalog come into it with the sweep, and what a crash left wrong is put right.
func TestTheSweepMendsTheCatalog(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "p-1 pump plant")
	now := w.Now()
	var old []twin.Twin
	for i := range 1500 {
		id := twin.ID(fmt.Sprintf("old-%04d", i))
		old = append(old, twin.Twin{ID: id, Kind: twin.Instance, Created: now, Definition: twin.Definition{Version: 1, Type: "pump", Owner: "plant", Phase: twin.Operational, Name: fmt.Sprintf("Relic %d", i)}})
	}
	for part := range slices.Chunk(old, 500) {
		_, err := w.twins.InsertMany(ctx, part)
		must(t, err)
	}
	_, err := w.twins.Update(ctx, "p-1", func(t *twin.Twin) error { t.Definition.Version++; t.Definition.Name = "Relic of a crash"; return nil })
	must(t, err)
	if got := all(t, w.admin, api.TwinQuery{Search: "relic"}); len(got) != 0 {
		t.Fatalf("%d are found before the sweep", len(got))
	}
	watchdog := w.Part("twin-watchdog", "")
	must(t, watchdog.Call(ctx, "POST", "twins", "/sweep", struct{}{}, nil))
	if got := all(t, w.admin, api.TwinQuery{Search: "relic", Limit: 200}); len(got) != 1501 {
		t.Errorf("%d are found after the sweep, want 1501", len(got))
	}
	if got := all(t, w.admin, api.TwinQuery{Search: "relic 149", Sort: "-name"}); len(got) != 11 || got[0] != "old-1499" {
		t.Errorf("found and sorted are %v", got)
	}
}

func TestSorting(t *testing.T) {
	w := newWorld(t)
	w.make("pump")
	names := []string{"delta", "Alpha", "", "charlie", "Bravo", "alpha", "ächtung"}
	for i, name := range names {
		id := fmt.Sprintf("t-%d", i)
		w.SetTime(w.Now().Add(time.Second))
		w.make(id + " pump " + []string{"plant", "shop"}[i%2])
		_, err := w.admin.UpdateTwin(ctx, twin.ID(id), 0, map[string]any{"name": name})
		must(t, err)
		if i%3 != 0 { // the others were never seen
			_, err = w.twins.Update(ctx, id, func(t *twin.Twin) error {
				t.Live.Presence.LastSeen = time.Date(2026, 1, 1, 0, 0, 60-i/2, 0, time.UTC)
				return nil
			})
			must(t, err)
		}
	}
	ada := w.User("ada", []access.Role{access.Owner}, "plant")
	for sort, want := range map[string][]string{
		"":         {"t-0", "t-1", "t-2", "t-3", "t-4", "t-5", "t-6"},
		"name":     {"t-6", "t-1", "t-5", "t-4", "t-3", "t-0", "t-2"},
		"lastSeen": {"t-0", "t-3", "t-6", "t-4", "t-5", "t-2", "t-1"},
		"created":  {"t-0", "t-1", "t-2", "t-3", "t-4", "t-5", "t-6"},
		"id":       {"t-0", "t-1", "t-2", "t-3", "t-4", "t-5", "t-6"},
	} {
		for _, down := range []bool{false, true} {
			want := slices.Clone(want)
			if down {
				if sort == "" {
					continue
				}
				slices.Reverse(want)
				sort = "-" + sort
			}
			own := slices.DeleteFunc(slices.Clone(want), func(id string) bool { return (id[2]-'0')%2 == 1 })
			for _, limit := range []int{1, 2, 3, 100} {
				if got := all(t, w.admin, api.TwinQuery{Kind: twin.Instance, Sort: sort, Limit: limit}); !slices.Equal(got, want) {
					t.Errorf("sort %s by pages of %d: %v, want %v", sort, limit, got, want)
				}
				got := all(t, w.admin, api.TwinQuery{Sort: sort, Limit: limit, View: "row"})
				got = slices.DeleteFunc(got, func(id string) bool { return id == "pump" })
				if !slices.Equal(got, want) {
					t.Errorf("sort %s along the index by pages of %d: %v, want %v", sort, limit, got, want)
				}
				if got := all(t, ada, api.TwinQuery{Sort: sort, Limit: limit}); !slices.Equal(got, own) {
					t.Errorf("sort %s by pages of %d the owner sees %v, want %v", sort, limit, got, own)
				}
			}
		}
	}
	page, err := w.admin.ListTwins(ctx, api.TwinQuery{Sort: "name", Limit: 1})
	must(t, err)
	if _, err := w.admin.ListTwins(ctx, api.TwinQuery{Sort: "created", Limit: 1, Cursor: page.Next}); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("a cursor of another sorting: %v", err)
	}
}

func TestRowsAndOpenAlarms(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "p-1 pump plant", "p-2 pump plant", "p-3 pump shop")
	alarms, err := store.Open[openAlarm](ctx, w.Base.DB, store.Spec{Name: "alarms", Schema: 1})
	must(t, err)
	for _, id := range []string{"p-1", "p-3"} {
		_, err := w.twins.Update(ctx, id, func(t *twin.Twin) error {
			t.Live.Rules = []twin.RuleState{{Rule: "quiet"}, {Rule: "hot", Active: true, Episode: 1, Title: "hot"}}
			t.Live.Report(twin.Reading{Property: "rpm", Value: 5.0})
			return nil
		})
		must(t, err)
		must(t, alarms.Insert(ctx, openAlarm{ID: id + ".hot.1", Twin: id, Scopes: []string{"*"}, State: "raised", Key: id}))
	}
	must(t, alarms.Insert(ctx, openAlarm{ID: "p-2.hot.1", Twin: "p-2", Scopes: []string{"*"}, State: "raised", Key: "x"})) // which the twin has ended
	w.User("ada", []access.Role{access.Owner}, "plant")
	ada := w.Login("ada", functiontest.Password)
	if got := all(t, w.admin, api.TwinQuery{Alarms: "open"}); !slices.Equal(got, []string{"p-1", "p-3"}) {
		t.Errorf("with alarms: %v", got)
	}
	if got := all(t, w.admin, api.TwinQuery{Alarms: "open", Sort: "-id", Limit: 1}); !slices.Equal(got, []string{"p-3", "p-1"}) {
		t.Errorf("with alarms, downwards: %v", got)
	}
	if got := all(t, ada, api.TwinQuery{Alarms: "open"}); !slices.Equal(got, []string{"p-1"}) {
		t.Errorf("with alarms the owner sees: %v", got)
	}
	page, err := ada.ListTwins(ctx, api.TwinQuery{View: "row"})
	must(t, err)
	if len(page.Items) != 2 || len(page.Items[0].Live.Rules) != 1 || len(page.Items[0].Live.Reported) != 1 || page.Items[0].Definition.Owner != "plant" {
		t.Errorf("rows: %+v", page.Items)
	}
	for name, c := range map[string]struct {
		c    *api.Client
		q    api.TwinQuery
		want string
	}{
		"all":            {w.admin, api.TwinQuery{}, "3 1 map[pump:3] 0 0 3 3"}, // by alarms kept, one of which is just ending
		"selected":       {w.admin, api.TwinQuery{Kind: twin.Instance}, "3 0 map[pump:3] 0 0 3 2"},
		"with alarms":    {w.admin, api.TwinQuery{Alarms: "open"}, "2 0 map[pump:2] 0 0 2 2"},
		"the owner's":    {ada, api.TwinQuery{}, "2 0 map[pump:2] 0 0 2 1"},
		"one by search":  {w.admin, api.TwinQuery{Search: "p 3"}, "1 0 map[pump:1] 0 0 1 1"},
		"nothing at all": {ada, api.TwinQuery{Search: "p 3"}, "0 0 map[] 0 0 0 0"},
	} {
		n, err := c.c.CountTwins(ctx, c.q)
		must(t, err)
		if got := fmt.Sprint(n.Instances, n.Types, n.ByType, n.Online, n.Offline, n.NeverSeen, n.Alarms); got != c.want {
			t.Errorf("%s: counts %s, want %s", name, got, c.want)
		}
	}
}

// openAlarm is what function alerts keeps, as far as lists read it.
type openAlarm struct {
	ID     string   `bson:"_id"`
	Twin   string   `bson:"twin"`
	Scopes []string `bson:"scopes"`
	State  string   `bson:"state"`
	Key    string   `bson:"key"`
}
