package twins_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

var ctx = context.Background()

type world struct {
	*functiontest.World
	t         testing.TB
	admin     *api.Client
	provision *api.Client
	twins     *store.Collection[twin.Twin]
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{World: functiontest.New(t, functiontest.Functions{"twins": twins.New}), t: t}
	w.admin, w.provision = w.Admin(), w.Part("twin-provision", "")
	var err error
	w.twins, err = platform.OpenTwins(ctx, w.Base.DB)
	must(t, err)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// make makes twins: "pump" a type, "line" an aggregate, "p-1 pump plant" an instance of a type owned by a group.
func (w *world) make(all ...string) {
	w.t.Helper()
	for _, s := range all {
		f := strings.Fields(s)
		in := api.NewTwin{ID: twin.ID(f[0]), Kind: twin.Type}
		switch {
		case len(f) >= 3:
			in.Kind, in.Definition = twin.Instance, twin.Definition{Type: twin.ID(f[1]), Owner: f[2]}
			for _, a := range f[3:] {
				in.Definition.Aggregates = append(in.Definition.Aggregates, twin.ID(a))
			}
		case strings.HasPrefix(f[0], "line"):
			in.Kind = twin.Aggregate
		}
		if _, err := w.provisionOr(in).CreateTwin(ctx, in); err != nil {
			w.t.Fatalf("%s: %v", s, err)
		}
		if in.Kind == twin.Type { // of a group with nobody in it: one that belongs to nobody would be everybody's to read
			_, err := w.twins.Update(ctx, f[0], func(t *twin.Twin) error { t.Definition.Owner = "smiths"; return nil })
			must(w.t, err)
		}
	}
}

// provisionOr: instances are made as provisioning does, so that groups need not exist.
func (w *world) provisionOr(in api.NewTwin) *api.Client {
	if in.Kind == twin.Instance {
		return w.provision
	}
	return w.admin
}

func (w *world) grant(subject, object string, right access.Right) {
	w.t.Helper()
	grants, err := platform.OpenGrants(ctx, w.Base.DB)
	must(w.t, err)
	must(w.t, grants.Insert(ctx, access.Grant{ID: subject + object, Subject: subject, Object: object, Right: right, Created: time.Now().UTC().Truncate(time.Millisecond)}))
}

func TestATwinIsMadeReadChangedAndDeleted(t *testing.T) {
	w := newWorld(t)
	changed, deleted := w.Collect(event.TwinChanged), w.Collect(event.TwinDeleted)
	made, err := w.admin.CreateTwin(ctx, api.NewTwin{ID: "pump", Kind: twin.Type, Definition: twin.Definition{Name: "Pump", Version: 99,
		Model: &twin.Model{Properties: []twin.Property{{Name: "rpm", Unit: "1/min"}}, OfflineAfter: twin.Duration(time.Minute)}}})
	must(t, err)
	if made.Definition.Version != 1 || made.Definition.Updated.IsZero() {
		t.Errorf("made %+v", made.Definition)
	}
	if _, err := w.admin.CreateTwin(ctx, api.NewTwin{ID: "pump", Kind: twin.Type}); !errors.Is(err, api.ErrExists) {
		t.Errorf("made twice: %v", err)
	}
	got, err := w.admin.UpdateTwin(ctx, "pump", 1, map[string]any{"name": nil, "tags": []string{"a"}, "model": map[string]any{"offlineAfter": "2m"}})
	must(t, err)
	if d := got.Definition; d.Version != 2 || d.Name != "" || len(d.Tags) != 1 || d.Model.OfflineAfter.D() != 2*time.Minute || len(d.Model.Properties) != 1 {
		t.Errorf("changed to %+v", d)
	}
	if _, err := w.admin.UpdateTwin(ctx, "pump", 1, map[string]any{"name": "x"}); !errors.Is(err, api.ErrStale) {
		t.Errorf("a change of version 1: %v, want stale", err)
	}
	if same, err := w.admin.UpdateTwin(ctx, "pump", 0, map[string]any{}); err != nil || same.Definition.Version != 2 {
		t.Errorf("a patch that changes nothing: version %d, %v", same.Definition.Version, err)
	}
	resp, err := w.admin.Do(ctx, "GET", "twins", "/twins/pump", nil, nil)
	must(t, err)
	resp.Body.Close()
	if got := resp.Header.Get("Etag"); got != `"2"` {
		t.Errorf("ETag is %s", got)
	}
	must(t, w.admin.DeleteTwin(ctx, "pump"))
	if _, err := w.admin.GetTwin(ctx, "pump"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("after deletion: %v", err)
	}
	functiontest.Eventually(t, "events", func() bool { return len(changed()) == 2 && len(deleted()) == 1 })
}

// What a patch says to be empty is, whatever the form of nothing; said again it is no change.
func TestFieldsAreTurnedOff(t *testing.T) {
	w := newWorld(t)
	_, err := w.admin.CreateTwin(ctx, api.NewTwin{ID: "lamp", Kind: twin.Type, Definition: twin.Definition{Name: "Lamp", Tags: []string{"a"},
		Model: &twin.Model{Driver: "acme", Reacts: true, Normalised: true, Template: "lamp", Commands: []twin.CommandModel{{Name: "fade"}}, Parameters: map[string]string{"hall": "3", "every": "9"}}}})
	must(t, err)
	off := `{"name":"","tags":[],"model":{"reacts":false,"normalised":null,"template":"","commands":[],"parameters":{"hall":null}}}`
	for _, when := range []string{"once", "again"} {
		got, err := w.admin.UpdateTwin(ctx, "lamp", 0, json.RawMessage(off))
		must(t, err)
		d, m := got.Definition, got.Definition.Model
		if d.Version != 2 || d.Name != "" || len(d.Tags) != 0 || m.Driver != "acme" || m.Reacts || m.Normalised || m.Template != "" || len(m.Commands) != 0 || len(m.Parameters) != 1 || m.Parameters["every"] != "9" {
			t.Errorf("%s: version %d, %+v, %+v", when, d.Version, d, m)
		}
	}
}

func TestWhatADefinitionMayNotSay(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "line-1")
	for name, body := range map[string]string{
		"no id":                            `{"kind":"type"}`,
		"an id of path tricks":             `{"id":"../users","kind":"type"}`,
		"a long id":                        `{"id":"` + strings.Repeat("a", 65) + `","kind":"type"}`,
		"no kind":                          `{"id":"x"}`,
		"a kind there is not":              `{"id":"x","kind":"god"}`,
		"an instance without type":         `{"id":"x","kind":"instance"}`,
		"an instance of no type":           `{"id":"x","kind":"instance","definition":{"type":"nothing"}}`,
		"an instance of an aggregate":      `{"id":"x","kind":"instance","definition":{"type":"line-1"}}`,
		"a part of a type":                 `{"id":"x","kind":"instance","definition":{"type":"pump","aggregates":["pump"]}}`,
		"a part of itself":                 `{"id":"x","kind":"aggregate","definition":{"aggregates":["x"]}}`,
		"a part twice":                     `{"id":"x","kind":"aggregate","definition":{"aggregates":["line-1","line-1"]}}`,
		"a model for an instance":          `{"id":"x","kind":"instance","definition":{"type":"pump","model":{}}}`,
		"a group that is none":             `{"id":"x","kind":"type","definition":{"owner":"no such group"}}`,
		"a group that is not there":        `{"id":"x","kind":"type","definition":{"owner":"nowhere"}}`,
		"a name of control characters":     `{"id":"x","kind":"type","definition":{"name":"a\u001b[2Jb"}}`,
		"a long name":                      `{"id":"x","kind":"type","definition":{"name":"` + strings.Repeat("a", 129) + `"}}`,
		"a place off the globe":            `{"id":"x","kind":"type","definition":{"location":{"latitude":91,"longitude":0}}}`,
		"half a place":                     `{"id":"x","kind":"type","definition":{"location":{"latitude":9}}}`,
		"a tag with a space":               `{"id":"x","kind":"type","definition":{"tags":["a b"]}}`,
		"a property without a name":        `{"id":"x","kind":"type","definition":{"model":{"properties":[{}]}}}`,
		"a property twice":                 `{"id":"x","kind":"type","definition":{"model":{"properties":[{"name":"a"},{"name":"a"}]}}}`,
		"a property of a type there isn't": `{"id":"x","kind":"type","definition":{"model":{"properties":[{"name":"a","type":"blob"}]}}}`,
		"min above max":                    `{"id":"x","kind":"type","definition":{"model":{"properties":[{"name":"a","min":2,"max":1}]}}}`,
		"bounds on text":                   `{"id":"x","kind":"type","definition":{"model":{"properties":[{"name":"a","type":"string","min":2}]}}}`,
		"a negative duration":              `{"id":"x","kind":"type","definition":{"model":{"offlineAfter":"-1m"}}}`,
		"a duration that is a number":      `{"id":"x","kind":"type","definition":{"model":{"offlineAfter":60}}}`,
		"a severity there is not":          `{"id":"x","kind":"type","definition":{"model":{"offlineSeverity":"apocalypse"}}}`,
		"a phase of the middle":            `{"id":"x","kind":"instance","definition":{"type":"pump","phase":"retired"}}`,
		"a configuration":                  `{"id":"x","kind":"instance","definition":{"type":"pump","configuration":{"content":"x"}}}`,
		"a field there is not":             `{"id":"x","kind":"type","live":{}}`,
		"a list":                           `[]`,
		"text":                             `"x"`,
		"deep nesting":                     strings.Repeat("[", 20000),
		"bytes":                            "\xff\x00",
		"nothing":                          ``,
	} {
		err := w.admin.Call(ctx, "POST", "twins", "/twins", api.Raw{ContentType: "application/json", Body: []byte(body)}, nil)
		var p *api.Problem
		if !errors.As(err, &p) || p.Status < 400 || p.Status >= 500 || p.Detail == "" {
			t.Errorf("%s: %v, want a 4xx that says why", name, err)
		}
	}
	page, err := w.admin.ListTwins(ctx, api.TwinQuery{})
	if err != nil || len(page.Items) != 2 {
		t.Errorf("%d twins, %v; want the two there were", len(page.Items), err)
	}
	for name, patch := range map[string]string{"the type": `{"type":"y"}`, "the phase": `{"phase":"operational"}`, "the version": `{"version":7}`,
		"no object": `[1]`, "null": `null`, "a wrong type": `{"tags":"a"}`, "an unknown field": `{"live":{}}`, "within": `{"model":{"properties":{"a":1}}}`} {
		_, err := w.admin.UpdateTwin(ctx, "pump", 0, json.RawMessage(patch))
		if !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("patch of %s: %v, want invalid", name, err)
		}
	}
	for _, path := range []string{"/twins/%2e%2e%2fusers", "/twins/" + strings.Repeat("a", 3000), "/twins/%00", "/twins/%ff", "/twins/a%0ab"} {
		err := w.admin.Call(ctx, "GET", "twins", path, nil, nil)
		var p *api.Problem
		if !errors.As(err, &p) || p.Status >= 500 {
			t.Errorf("GET %.40s: %v", path, err)
		}
	}
}

func TestAggregatesMakeNoCycles(t *testing.T) {
	w := newWorld(t)
	w.make("line-1", "line-2", "line-3")
	up := func(id, in string) error {
		_, err := w.admin.UpdateTwin(ctx, twin.ID(id), 0, map[string]any{"aggregates": []string{in}})
		return err
	}
	must(t, up("line-1", "line-2"))
	must(t, up("line-2", "line-3"))
	err := up("line-3", "line-1")
	if !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "line-3 → line-1 → line-2 → line-3") {
		t.Errorf("a cycle: %v", err)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "line-1", "p-1 pump plant line-1", "p-2 pump shop")
	ada := w.User("ada", []access.Role{access.Owner}, "plant")
	bob := w.User("bob", []access.Role{access.Viewer}, "plant")
	eve := w.User("eve", []access.Role{access.Owner, access.Developer}, "shop")
	conf := w.User("conny", []access.Role{access.Configurator}, "makers")
	w.User("gil", []access.Role{access.Viewer})
	w.grant("user:gil", "twin:p-1", access.Write)
	gil := w.Login("gil", functiontest.Password)

	name := map[string]any{"name": "mine"}
	patch := func(c *api.Client, id twin.ID, p any) error { _, err := c.UpdateTwin(ctx, id, 0, p); return err }
	create := func(c *api.Client, in api.NewTwin) error { _, err := c.CreateTwin(ctx, in); return err }
	for what, c := range map[string]struct {
		err  error
		want error
	}{
		"the owner writes":                          {patch(ada, "p-1", name), nil},
		"a member who only views":                   {patch(bob, "p-1", name), access.ErrDenied},
		"a stranger writes":                         {patch(eve, "p-1", name), api.ErrNotFound},
		"a grantee writes":                          {patch(gil, "p-1", name), nil},
		"a grantee makes it his own":                {patch(gil, "p-1", map[string]any{"owner": "shop"}), access.ErrDenied},
		"the owner gives it to strangers":           {patch(ada, "p-1", map[string]any{"owner": "shop"}), access.ErrDenied},
		"a stranger deletes":                        {eve.DeleteTwin(ctx, "p-1"), api.ErrNotFound},
		"a stranger deletes what is not there":      {eve.DeleteTwin(ctx, "p-9"), api.ErrNotFound},
		"a viewer deletes":                          {bob.DeleteTwin(ctx, "p-1"), access.ErrDenied},
		"an owner adds what nobody shows her":       {patch(ada, "p-1", map[string]any{"aggregates": []string{"line-1", "p-2"}}), twin.ErrInvalid},
		"an owner makes a type":                     {create(ada, api.NewTwin{ID: "t", Kind: twin.Type, Definition: twin.Definition{Owner: "plant"}}), access.ErrDenied},
		"an owner makes a device":                   {create(ada, api.NewTwin{ID: "i", Kind: twin.Instance, Definition: twin.Definition{Owner: "plant", Type: "pump"}}), access.ErrDenied},
		"an owner makes an aggregate":               {create(ada, api.NewTwin{ID: "a", Kind: twin.Aggregate, Definition: twin.Definition{Owner: "plant"}}), nil},
		"an owner makes others' aggregate":          {create(ada, api.NewTwin{ID: "b", Kind: twin.Aggregate, Definition: twin.Definition{Owner: "shop"}}), access.ErrDenied},
		"a viewer makes an aggregate":               {create(bob, api.NewTwin{ID: "c", Kind: twin.Aggregate, Definition: twin.Definition{Owner: "plant"}}), access.ErrDenied},
		"a configurator makes a type":               {create(conf, api.NewTwin{ID: "valve", Kind: twin.Type, Definition: twin.Definition{Owner: "makers"}}), nil},
		"a configurator makes a device":             {create(conf, api.NewTwin{ID: "v-1", Kind: twin.Instance, Definition: twin.Definition{Owner: "plant", Type: "valve"}}), nil},
		"a configurator makes a type for nobody":    {create(conf, api.NewTwin{ID: "vault", Kind: twin.Type}), twin.ErrInvalid},
		"a configurator names a type he cannot see": {create(conf, api.NewTwin{ID: "v-2", Kind: twin.Instance, Definition: twin.Definition{Owner: "plant", Type: "pump"}}), twin.ErrInvalid},
		"nobody reads":                              {errOf(w.Nobody().GetTwin(ctx, "p-1")), access.ErrUnauthenticated},
		"a person changes a phase":                  {errOf(ada.SetPhase(ctx, "p-1", api.PhaseChange{Phase: twin.Retired})), access.ErrDenied},
		"a stranger reads what is":                  {errOf(eve.GetTwin(ctx, "p-1")), api.ErrNotFound},
		"another part makes a twin":                 {create(w.Part("twin-ingest", ""), api.NewTwin{ID: "z", Kind: twin.Type}), access.ErrDenied},
		"the type cannot go while it has instances": {w.admin.DeleteTwin(ctx, "pump"), api.ErrConflict},
		"nor the aggregate while it has parts":      {w.admin.DeleteTwin(ctx, "line-1"), api.ErrConflict},
	} {
		if c.want == nil && c.err != nil || c.want != nil && !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", what, c.err, c.want)
		}
	}
	there, not := errOf(eve.GetTwin(ctx, "p-1")), errOf(eve.GetTwin(ctx, "p-3"))
	if strings.ReplaceAll(there.Error(), "p-1", "p-3") != not.Error() {
		t.Errorf("what is hidden (%v) reads other than what is not there (%v)", there, not)
	}
}

func errOf[T any](_ T, err error) error { return err }

// A type that begins to care about silence has its silent instances looked at, and no others.
func TestInstancesAreRemindedOfTheirType(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "valve", "p-1 pump plant", "p-2 pump plant", "v-1 valve plant")
	due := func(id string) time.Time {
		x, err := w.twins.Get(ctx, id)
		must(t, err)
		return x.Live.Due
	}
	_, err := w.admin.UpdateTwin(ctx, "pump", 0, map[string]any{"name": "Pump"})
	must(t, err)
	if !due("p-1").IsZero() {
		t.Error("a new name had instances looked at")
	}
	_, err = w.admin.UpdateTwin(ctx, "pump", 0, map[string]any{"model": map[string]any{"offlineAfter": "1m"}})
	must(t, err)
	if due("p-1").IsZero() || due("p-2").IsZero() || !due("v-1").IsZero() {
		t.Errorf("due are %s, %s, %s; want the pumps only", due("p-1"), due("p-2"), due("v-1"))
	}
}

func TestPhases(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "p-1 pump plant")
	for i, s := range []struct {
		to twin.Phase
		ok bool
	}{{twin.Operational, false}, {twin.Provisioning, true}, {twin.Provisioning, true}, {twin.Operational, true}, {twin.Suspended, true},
		{twin.Provisioning, false}, {twin.Operational, false}, {twin.Retired, true}, {twin.Operational, false}, {"gone", false}} {
		got, err := w.provision.SetPhase(ctx, "p-1", api.PhaseChange{Phase: s.to})
		if i == 6 && err == nil && got.Definition.Phase == twin.Suspended {
			continue // people resume it, not the platform
		}
		if s.ok && (err != nil || got.Definition.Phase != s.to) || !s.ok && !errors.Is(err, api.ErrConflict) && !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("step %d to %s: %s, %v", i, s.to, got.Definition.Phase, err)
		}
	}
	if got, _ := w.admin.GetTwin(ctx, "p-1"); got.Definition.Version != 5 {
		t.Errorf("version is %d, want 5: the four changes and the beginning", got.Definition.Version)
	}
	if _, err := w.provision.SetPhase(ctx, "pump", api.PhaseChange{Phase: twin.Retired}); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("a type's phase: %v", err)
	}
	// Provisioning asks twice after a crash.
	in := api.NewTwin{ID: "p-2", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "plant"}}
	for range 2 {
		_, err := w.provision.CreateTwin(ctx, in)
		must(t, err)
	}
	in.Definition.Owner = "shop"
	if _, err := w.provision.CreateTwin(ctx, in); !errors.Is(err, api.ErrExists) {
		t.Errorf("the same id for another group: %v", err)
	}
}

// Deleting takes history and parked messages along, goes on after a crash anywhere, and frees the id.
func TestDeletingLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.make("pump", "p-10 pump plant")
	history, err := platform.OpenHistory(ctx, w.Base.DB)
	must(t, err)
	parked, err := platform.OpenParked(ctx, w.Base.DB)
	must(t, err)
	now := time.Now().UTC().Truncate(time.Millisecond)
	say := func(id twin.ID) {
		for i := range 3 {
			must(t, history.Insert(ctx, api.Record{ID: api.RecordKey(id, now.Add(time.Duration(i)*time.Second)) + "|x", Twin: id, Kind: telemetry.Telemetry}))
		}
		must(t, parked.Insert(ctx, api.ParkedMessage{ID: string(id) + "|1", Twin: id, Received: now}))
	}
	say("p-10")
	for n := -1; n < 6; n++ {
		for _, how := range functiontest.Ways {
			w.make("p-1 pump plant") // its id is free each time
			say("p-1")
			deleted := w.Collect(event.TwinDeleted)
			w.Crash(n, how).Run(w.World, "twins", twins.New)
			_ = w.provision.DeleteTwin(ctx, "p-1") // the crash may show
			w.Add("twins", twins.New)
			if err := w.provision.DeleteTwin(ctx, "p-1"); err != nil {
				t.Fatalf("deleting again: %v", err)
			}
			if _, err := w.provision.GetTwin(ctx, "p-1"); !errors.Is(err, api.ErrNotFound) {
				t.Errorf("it is still there: %v", err)
			}
			w.SetTime(w.Now().Add(10 * time.Second))
			for range 2 {
				_, err = w.Part("twin-watchdog", "").Sweep(ctx, "twins")
				must(t, err)
			}
			if n, err := w.twins.Count(ctx, store.Filter{}, ""); err != nil || n != 2 {
				t.Errorf("%d twins are left, %v; want type and the other", n, err)
			}
			if n, err := history.Count(ctx, store.Filter{}, ""); err != nil || n != 3 {
				t.Errorf("%d records are left, %v; want the other's 3", n, err)
			}
			if n, err := parked.Count(ctx, store.Filter{}, ""); err != nil || n != 1 {
				t.Errorf("%d parked are left, %v; want the other's", n, err)
			}
			functiontest.Eventually(t, "it is told", func() bool { return len(deleted()) > 0 })
			for _, e := range deleted() {
				if e.ID != deleted()[0].ID {
					t.Error("it is told by two events")
				}
			}
		}
	}
}

// While a twin is being removed its id is not free, and says when it will be.
func TestTheIDOfATwinBeingRemoved(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "p-1 pump plant")
	must(t, w.admin.DeleteTwin(ctx, "p-1"))
	in := api.NewTwin{ID: "p-1", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "plant"}}
	if _, err := w.provision.CreateTwin(ctx, in); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("at once: %v, want unavailable for now", err)
	}
	w.SetTime(time.Now().Add(10 * time.Second))
	if _, err := w.provision.CreateTwin(ctx, in); err != nil {
		t.Errorf("a little later: %v", err)
	}
	must(t, w.admin.DeleteTwin(ctx, "p-1"))
	if err := w.admin.DeleteTwin(ctx, "pump"); err != nil {
		t.Errorf("its type, when it has gone: %v", err)
	}
}
