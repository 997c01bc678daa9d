package wot

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// roundTrip writes a type and reads it again: it must be as it was, with nothing to tell.
func roundTrip(t *testing.T, name string, m twin.Model) {
	t.Helper()
	text, err := Export(twin.Twin{ID: "thing", Kind: twin.Type, Definition: twin.Definition{Name: name, Version: 7, Model: &m}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Import(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want := m
	want.Properties = nil
	for _, p := range m.Properties {
		if p.Type == "" {
			p.Type = "number"
		}
		want.Properties = append(want.Properties, p)
	}
	if name == "" {
		name = "thing"
	}
	if got.Title != name || got.Version != "7" || !got.Settings || len(got.Ignored) > 0 {
		t.Errorf("%q, version %q, settings %t, ignored %v\n%s", got.Title, got.Version, got.Settings, got.Ignored, text)
	}
	a, _ := json.Marshal(got.Model)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("read\n%s, wrote\n%s", a, b)
	}
}

// Whatever a type may say comes back.
func TestTypesComeBack(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 8))
		m := anyModel(r)
		if err := m.Validate(); err != nil {
			t.Fatalf("seed %d: the test's model is none: %v", seed, err)
		}
		roundTrip(t, pick(r, "", "Pump", "Pumpe № 7 <\"large\"> & co"), m)
	}
	// Nothing of a model may be left out by the test: all of its fields were there.
	seen := map[string]bool{}
	for seed := range uint64(500) {
		v := reflect.ValueOf(anyModel(rand.New(rand.NewPCG(seed, 8))))
		for i := range v.NumField() {
			seen[v.Type().Field(i).Name] = seen[v.Type().Field(i).Name] || !v.Field(i).IsZero()
		}
	}
	for name, ok := range seen {
		if !ok {
			t.Errorf("no model of the test has %s", name)
		}
	}
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func anyModel(r *rand.Rand) twin.Model {
	word := func() string { return pick(r, "", "a note", "über <b>&</b> \u2028 \"quoted\"", "~/slashes/~1") }
	meaning := func() string {
		return pick(r, "", "saref:Temperature", "https://example.org/a#b?c=d", "unheard:of", "castor:x", "urn:x:y")
	}
	schema := func() json.RawMessage {
		return pick(r, nil, json.RawMessage(`{"type":"number","minimum":-1e-7,"maximum":9007199254740993}`), json.RawMessage(`{}`),
			json.RawMessage(`{"z":1,"a":{"$ref":"#/$defs/b"},"$defs":{"b":{"enum":["<>",null,true]}},"unit":"Cel","@type":"saref:X","readOnly":true}`))
	}
	var m twin.Model
	for i := range r.IntN(6) {
		p := twin.Property{Name: fmt.Sprint(pick(r, "temp", "cpu.percent", "a/b~c", "@type", "ä", "tm:x"), i), Unit: pick(r, "", "Cel", "%", "{rev}/min"), Note: word(),
			Semantic: meaning(), Writable: r.IntN(2) == 0, ID: pick(r, 0, int64(i+1))}
		switch p.Type = pick(r, "", "number", "boolean", "string"); p.Type {
		case "boolean":
			p.Enum = pick(r, nil, []any{true}, []any{false, true})
		case "string":
			p.Enum = pick(r, nil, []any{"on", "off", ""})
		default:
			low, high := -1/(r.Float64()+1e-9), r.Float64()*1e300
			p.Min, p.Max = pick(r, nil, &low), pick(r, nil, &high)
			p.Enum = pick(r, nil, []any{0.0, 0.1})
			if p.Max != nil && *p.Max < 1 {
				p.Enum = nil
			}
		}
		m.Properties = append(m.Properties, p)
	}
	for i := range r.IntN(4) {
		m.Commands = append(m.Commands, twin.CommandModel{Name: fmt.Sprint(pick(r, "open", "setLevel", "a.b-c_d"), i), Input: schema(), Output: schema(), Semantic: meaning(), Note: word()})
		m.Events = append(m.Events, twin.EventModel{Name: fmt.Sprint(pick(r, "overheated", "Über/lauf", "x.y"), i), Data: schema(), Semantic: meaning(), Note: word()})
	}
	if r.IntN(2) == 0 {
		m.Driver, m.Firmware, m.Normalised, m.Reacts = "acme-th1", pick(r, "", "fw.version"), r.IntN(2) == 0, r.IntN(2) == 0
	} else {
		m.Format = pick(r, "", "json", "senml+cbor")
	}
	if r.IntN(2) == 0 {
		m.Retired = []twin.Number{{ID: 99, Name: "gone"}}
		m.Provisioning, m.Template, m.Parameters = "manual", "site", map[string]string{"a": "<1>", "b": ""}
		m.Choices = []twin.Choice{{If: `identity.serial < "5"`, Model: "manual"}}
		m.OfflineAfter, m.OfflineSeverity, m.CredentialLifetime = twin.Duration(90*time.Second), "warning", twin.Duration(time.Hour)
		m.OnDelete, m.Watch = twin.Erase, map[string]twin.Watch{"command": {Deadline: twin.Duration(time.Minute), Retries: -1, Severity: "info"}}
	}
	return m
}

// Others read what is written: it is a Thing Model of TD 1.1 with the vocabularies that it uses, and nothing that says nothing.
func TestWhatOthersRead(t *testing.T) {
	low := -40.0
	for name, c := range map[string]struct {
		model *twin.Model
		want  string
	}{
		"no model": {nil, `"@context":["https://www.w3.org/2022/wot/td/v1.1",{"castor":"urn:castor:type:"}],"castor:model":{}`},
		"all": {&twin.Model{Driver: "acme", Properties: []twin.Property{{Name: "temp", Unit: "Cel", Min: &low, Semantic: "saref:Temperature"}, {Name: "mode", Type: "string", Writable: true, ID: 3, Enum: []any{"on"}}},
			Commands: []twin.CommandModel{{Name: "open", Semantic: "schema:OpenAction"}}, Events: []twin.EventModel{{Name: "hot", Semantic: "sosa:Result", Data: json.RawMessage(`{"type":"number"}`), Note: "a <b>"}}},
			`"@context":["https://www.w3.org/2022/wot/td/v1.1",{"castor":"urn:castor:type:","saref":"https://saref.etsi.org/core/","schema":"https://schema.org/","sosa":"http://www.w3.org/ns/sosa/"}],
			"properties":{"temp":{"@type":"saref:Temperature","type":"number","unit":"Cel","minimum":-40,"readOnly":true},"mode":{"type":"string","enum":["on"],"readOnly":false,"castor:id":3}},
			"actions":{"open":{"@type":"schema:OpenAction"}},"events":{"hot":{"@type":"sosa:Result","description":"a <b>","data":{"type":"number"}}},"castor:model":{"driver":"acme"}`},
	} {
		got, err := Export(twin.Twin{ID: "thing", Definition: twin.Definition{Version: 7, Model: c.model}})
		if err != nil {
			t.Fatal(err)
		}
		if c.model != nil && !strings.Contains(string(got), "a <b>") {
			t.Errorf("%s: text is not written as people read it: %s", name, got)
		}
		want := `{"@type":"tm:ThingModel","title":"thing","version":{"model":"7"},` + c.want + `}`
		if got, want := normal(t, json.RawMessage(got)), normal(t, json.RawMessage(want)); got != want {
			t.Errorf("%s: written is\n%s, want\n%s", name, got, want)
		}
	}
}
