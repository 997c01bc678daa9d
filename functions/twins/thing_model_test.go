package twins_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// full is a model with everything that a type says of what its instances speak.
func full() *twin.Model {
	low, high := 0.0, 9000.0
	return &twin.Model{
		Properties: []twin.Property{{Name: "rpm", ID: 1, Unit: "{rev}/min", Min: &low, Max: &high, Writable: true, Semantic: "saref:Speed", Note: "of the shaft"},
			{Name: "mode", ID: 2, Type: "string", Enum: []any{"auto", "hand"}}, {Name: "steps", Enum: []any{1.0, 2.5}}},
		Commands: []twin.CommandModel{{Name: "setSpeed", Input: json.RawMessage(`{"type":"object","required":["rpm"],"properties":{"rpm":{"type":"number","description":"<fast> & slow"}}}`), Note: "turns"}},
		Events:   []twin.EventModel{{Name: "overheated", Data: json.RawMessage(`{"type":"number"}`)}},
		Driver:   "acme-pump", Firmware: "fw"}
}

func (w *world) readModel(name string) []byte {
	w.t.Helper()
	text, err := os.ReadFile("../../shared/wot/testdata/" + name + ".tm.jsonld")
	must(w.t, err)
	return text
}

func TestAModelIsKeptWholeAndEdited(t *testing.T) {
	w := newWorld(t)
	_, err := w.admin.CreateTwin(ctx, api.NewTwin{ID: "pump", Kind: twin.Type, Definition: twin.Definition{Model: full()}})
	must(t, err)
	got, err := w.admin.GetTwin(ctx, "pump")
	must(t, err)
	a, _ := json.Marshal(got.Definition.Model.Properties)
	b, _ := json.Marshal(full().Properties)
	if string(a) != string(b) || len(got.Definition.Model.Commands) != 1 || got.Definition.Model.Driver != "acme-pump" {
		t.Errorf("kept\n%s, want\n%s", a, b)
	}
	// What does not change is no change, whatever is named in the patch.
	same, err := w.admin.UpdateTwin(ctx, "pump", 1, map[string]any{"model": full()})
	must(t, err)
	if same.Definition.Version != 1 {
		t.Errorf("the same model again is version %d", same.Definition.Version)
	}
	// An edit of something else keeps all.
	named, err := w.admin.UpdateTwin(ctx, "pump", 1, map[string]any{"name": "Pump"})
	must(t, err)
	if !reflect.DeepEqual(named.Definition.Model, got.Definition.Model) {
		t.Errorf("naming it changed the model to %+v", named.Definition.Model)
	}
	// A number is for ever, also when its property is gone.
	gone, err := w.admin.UpdateTwin(ctx, "pump", 0, map[string]any{"model": map[string]any{"properties": []any{map[string]any{"name": "mode", "type": "string", "id": 2}}}})
	must(t, err)
	if want := []twin.Number{{ID: 1, Name: "rpm"}}; !reflect.DeepEqual(gone.Definition.Model.Retired, want) {
		t.Errorf("retired are %v", gone.Definition.Model.Retired)
	}
	for patch, says := range map[string]string{
		`{"properties":[{"name":"torque","id":1}]}`:                                     "choose a new number",
		`{"properties":[{"name":"rpm","id":3},{"name":"mode","type":"string","id":2}]}`: "must stay 1",
		`{"retired":null,"properties":[{"name":"torque","id":1}]}`:                      "choose a new number",
		`{"format":"json"}`: "do not go together",
		`{"commands":[{"name":"go","input":{"$ref":"http://example.com/x"}}]}`:               `model.commands "go": input: #/$ref`,
		`{"commands":[{"name":"go","output":{"type":"wrong"}}]}`:                             `model.commands "go": output: /type`,
		`{"events":[{"name":"e","data":{"items":{"$ref":"#/items"}}}]}`:                      "leads back to itself",
		`{"events":[{"name":"e","data":[]}]}`:                                                "must be a JSON Schema",
		`{"properties":[{"name":"mode","type":"string","id":2,"enum":[1]}]}`:                 "must be a string",
		`{"properties":[{"name":"mode","type":"string","id":2,"semantic":"no vocabulary"}]}`: "must be an IRI",
	} {
		if _, err := w.admin.UpdateTwin(ctx, "pump", 0, map[string]any{"model": json.RawMessage(patch)}); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want it to say %q", patch, err, says)
		}
	}
	if _, err := w.admin.CreateTwin(ctx, api.NewTwin{ID: "x", Kind: twin.Type, Definition: twin.Definition{Model: &twin.Model{Commands: []twin.CommandModel{{Name: "go", Input: json.RawMessage(`{"type":"wrong"}`)}}}}}); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("a new type with a schema that is none: %v", err)
	}
}

func TestATypeIsMovedAsAThingModel(t *testing.T) {
	w := newWorld(t)
	changed := w.Collect(event.TwinChanged)
	m := full()
	m.Parameters, m.OnDelete = map[string]string{"a": "b"}, twin.Erase
	_, err := w.admin.CreateTwin(ctx, api.NewTwin{ID: "pump", Kind: twin.Type, Definition: twin.Definition{Name: "Pump", Model: m}})
	must(t, err)
	text, err := w.admin.ThingModel(ctx, "pump")
	must(t, err)
	back, err := w.admin.PutThingModel(ctx, "pump", 1, "", text)
	must(t, err)
	if back.Changed || back.Created || len(back.Ignored) > 0 || back.Type.Definition.Version != 1 {
		t.Errorf("put back it is version %d; ignored %v", back.Type.Definition.Version, back.Ignored)
	}
	if _, err := w.admin.ThingModel(ctx, "nosuch"); !errors.Is(err, api.ErrNotFound) || !strings.Contains(err.Error(), `there is no type "nosuch"`) {
		t.Errorf("of a type that is not there: %v", err)
	}
	copied, err := w.admin.PutThingModel(ctx, "pump-2", 0, "", text)
	must(t, err)
	was, err := w.admin.GetTwin(ctx, "pump")
	must(t, err)
	for i := range was.Definition.Model.Properties { // the words of the W3C have no type that is not said
		if p := &was.Definition.Model.Properties[i]; p.Type == "" {
			p.Type = "number"
		}
	}
	if got := copied.Type.Definition; !copied.Created || got.Name != "Pump" || !reflect.DeepEqual(got.Model, was.Definition.Model) {
		t.Errorf("the copy is %+v\n%+v, want\n%+v", got, got.Model, was.Definition.Model)
	}
	if _, err := w.admin.PutThingModel(ctx, "pump", 7, "", text); !errors.Is(err, api.ErrStale) {
		t.Errorf("of version 7: %v", err)
	}
	if _, err := w.admin.PutThingModel(ctx, "pump-3", 1, "", text); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a version of a type that is not there: %v", err)
	}
	// A maker's model changes what it knows of, and says what it could not.
	maker, err := w.admin.PutThingModel(ctx, "pump", 1, "", w.readModel("lamp"))
	must(t, err)
	d := maker.Type.Definition
	if !maker.Changed || d.Version != 2 || d.Name != "Lamp" || d.Model.Driver != "acme-pump" || len(d.Model.Properties) != 5 || len(d.Model.Retired) != 2 || d.Model.OnDelete != twin.Erase {
		t.Errorf("the maker's model made %+v\n%+v", d, d.Model)
	}
	if last := maker.Ignored[len(maker.Ignored)-1]; len(maker.Ignored) < 10 || last.At != "/version/model" || !strings.Contains(last.Why, "this is 2") {
		t.Errorf("ignored are %v", maker.Ignored)
	}
	functiontest.Eventually(t, "each change is told", func() bool { return len(changed()) == 3 })
}

// A maker's model that knows no numbers keeps those that there are.
func TestNumbersOutliveAMakersModel(t *testing.T) {
	w := newWorld(t)
	_, err := w.admin.CreateTwin(ctx, api.NewTwin{ID: "th", Kind: twin.Type, Definition: twin.Definition{Model: &twin.Model{Properties: []twin.Property{{Name: "temperature", ID: 3}, {Name: "old", ID: 4}}}}})
	must(t, err)
	for range 2 {
		out, err := w.admin.PutThingModel(ctx, "th", 0, "", w.readModel("sensor"))
		must(t, err)
		m := out.Type.Definition.Model
		if p := m.Properties[0]; p.Name != "temperature" || p.ID != 3 || p.Type != "" && p.Type != "number" || len(m.Retired) != 1 || out.Type.Definition.Version != 2 {
			t.Errorf("version %d, %+v, retired %v", out.Type.Definition.Version, p, m.Retired)
		}
	}
}

func TestThingModelsAreTheirOwners(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "line-1", "p-1 pump plant")
	rosa, olga, text := w.User("rosa", []access.Role{access.Configurator}, "press"), w.User("olga", []access.Role{access.Owner}, "plant"), w.readModel("lamp")
	for what, err := range map[string]error{
		"a configurator reads a foreign type":   outcome(rosa.ThingModel(ctx, "pump")),
		"a configurator changes a foreign type": outcome(rosa.PutThingModel(ctx, "pump", 0, "press", text)),
		"an owner makes a type":                 outcome(olga.PutThingModel(ctx, "lamp", 0, "plant", text)),
		"an id that is a path":                  outcome(rosa.PutThingModel(ctx, "../x", 0, "press", text)),
	} {
		if !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%s: %v, want that it is not there", what, err)
		}
	}
	if _, err := rosa.PutThingModel(ctx, "lamp", 0, "", text); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), "definition.owner") {
		t.Errorf("a type of nobody: %v", err)
	}
	out, err := rosa.PutThingModel(ctx, "lamp", 0, "press", text)
	if err != nil || !out.Created || out.Type.Definition.Owner != "press" {
		t.Errorf("%+v, %v", out, err)
	}
	for what, err := range map[string]error{
		"an aggregate's":       outcome(w.admin.ThingModel(ctx, "line-1")),
		"a device's":           outcome(w.admin.ThingModel(ctx, "p-1")),
		"one for a device":     outcome(w.admin.PutThingModel(ctx, "p-1", 0, "", text)),
		"one of nothing":       outcome(w.admin.PutThingModel(ctx, "lamp", 0, "", nil)),
		"one that refers":      outcome(w.admin.PutThingModel(ctx, "lamp", 0, "", []byte(strings.Replace(string(text), `"title": "Lamp"`, `"tm:ref": "x"`, 1)))),
		"a command of no name": outcome(w.admin.PutThingModel(ctx, "lamp", 0, "", []byte(strings.Replace(string(text), `"toggle"`, `"to ggle"`, 1)))),
		"too much":             outcome(w.admin.PutThingModel(ctx, "lamp", 0, "", make([]byte, 1<<20+1))),
	} {
		if p := new(api.Problem); !errors.As(err, &p) || p.Status != http.StatusBadRequest && p.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func outcome[T any](_ T, err error) error { return err }
