package cli

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// A maker's Thing Model becomes a type, is edited, and goes on to another type as it is.
func TestTypesAsThingModels(t *testing.T) {
	p := newPerson(t)
	p.login(functiontest.Admin)
	p.does(words("type thing-model put lamp ../../../shared/wot/testdata/lamp.tm.jsonld"), "", "type lamp created, version 1",
		"/properties/scenes", "a property of type array cannot be kept", "/securityDefinitions", "devices prove who they are as provisioning has given them")
	p.does(words("type get lamp"), "", "VALUES", "on, off", "WRITABLE", "saref:LightingLevel", "How bright it is", "COMMAND", "fade", "object", "boolean", "EVENT", "overheated")
	if out := p.does(words("type get lamp"), ""); strings.Contains(out, "NUMBER") {
		t.Errorf("no property has a number, and there is a column of them:\n%s", out)
	}
	// What get prints is what apply takes, with all that is new.
	text := p.does(words("type get lamp -o yaml"), "")
	p.does(words("type apply -f -"), text, "type lamp unchanged")
	p.does(words("type apply -f -"), "id: lamp\ndefinition: {model: {driver: acme-lamp, firmware: fw}}\n", "type lamp changed")
	p.does(words("type get lamp"), "", "acme-lamp, its version by property fw", "overheated")
	p.does(words("type apply -f -"), "id: meter\ndefinition: {model: {properties: [{name: a, id: 1}, {name: b, id: 2}]}}\n", "type meter created")
	p.does(words("type apply -f -"), "id: meter\ndefinition: {model: {properties: [{name: b, id: 2}]}}\n", "type meter changed")
	p.does(words("type get meter"), "", "numbers not to be used again", "1 (a)", "NUMBER")
	p.does(words("type list"), "", "COMMANDS", "acme-lamp")

	file := filepath.Join(t.TempDir(), "lamp.tm.jsonld")
	p.does(words("type thing-model get lamp --file "+file), "", "type lamp is written to "+file)
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out := p.does(words("type thing-model get lamp"), "", `"@type": "tm:ThingModel"`, `"castor:model"`); out != string(written) {
		t.Errorf("the file is\n%s, the output\n%s", written, out)
	}
	p.does([]string{"type", "thing-model", "put", "lamp", file}, "", "type lamp unchanged, version 2")
	if out := p.does([]string{"type", "thing-model", "put", "lamp-2", "-", "-o", "json"}, string(written), `"created": true`, "counts versions itself: this is 1"); !strings.Contains(out, "acme-lamp") {
		t.Errorf("the copy is %s", out)
	}
	p.fails([]string{"type", "thing-model", "put", "lamp", p.file("x.json", `{"@context":"https://www.w3.org/2022/wot/td/v1.1","@type":"tm:ThingModel","properties":{"a":{"tm:ref":"x"}}}`)},
		"x.json", "/properties/a/tm:ref", "write what it refers to in its place")
	for _, args := range []string{"type thing-model get nothing", "type get nothing"} {
		p.fails(words(args), `there is no type "nothing" that you may see; castor type list names them`)
	}
	p.fails(words("type thing-model get LAMP"), `no type "LAMP"`, "; capitals count in ids, and there is a type lamp")
	p.does(words("type create plug --format senml+json"), "", "type plug created")
	p.does(words("type create valve --property flow=L/min --property open:boolean --property mode:string --property a:b:number=W"), "", "type valve created")
	p.does(words("type get valve -o json"), "", `"type": "boolean"`, `"type": "string"`, `"name": "a:b"`, `"unit": "L/min"`)
	p.fails(words("type create v2 --property open:bool"), `type "bool" must be number, boolean or string`)
	p.fails(words("type create v2 --property =W"), "NAME[:TYPE][=UNIT]")
	p.fails(words("type create plug-2 --format xml"), "model.format", "senml+json")
}

// A file says what of a type is off, as well as what is on; what it leaves out stays, and what get prints changes nothing.
func TestATypeIsAsItsFileSays(t *testing.T) {
	p := newPerson(t)
	p.login(functiontest.Admin)
	p.does(words("group create press"), "")
	p.does(words("type apply --help"), "", "model: {} or null changes nothing", "castor type get -o yaml prints can be applied")
	all := `id: lamp
definition:
  name: Lamp
  owner: press
  tags: [a, b]
  location: {region: hall-3, site: by the door}
  model:
    driver: acme-lamp
    reacts: true
    normalised: true
    firmware: fw
    template: lamp
    offlineAfter: 2m
    offlineSeverity: warning
    onDelete: erase
    parameters: {every: 30s, hall: "3"}
    watch: {command: {retries: 5, deadline: 1h}, archive: {severity: none}}
    properties: [{name: dim, id: 1}]
    commands: [{name: fade}]
    events: [{name: overheated}]
`
	apply := func(file, outcome string) twin.Twin {
		t.Helper()
		p.does(words("type apply -f -"), file, "type lamp "+outcome)
		got, err := p.Admin().GetTwin(context.Background(), "lamp")
		if err != nil {
			t.Fatal(err)
		}
		got.Definition.Updated, got.Definition.Version = time.Time{}, 0
		return got
	}
	made := apply(all, "created")
	kept := apply("id: lamp\ndefinition: {}\n---\nid: lamp\ndefinition: {model: {}}\n---\nid: lamp\ndefinition: {model: }\n", "unchanged")
	if !reflect.DeepEqual(made.Definition, kept.Definition) {
		t.Errorf("a file that says nothing makes of\n%+v\n%+v", made.Definition, kept.Definition)
	}
	for _, c := range []struct {
		says string
		off  func(d *twin.Definition, m *twin.Model)
	}{
		{"model: {reacts: false}", func(_ *twin.Definition, m *twin.Model) { m.Reacts = false }},
		{"model: {normalised: null}", func(_ *twin.Definition, m *twin.Model) { m.Normalised = false }},
		{`model: {firmware: "", template: ""}`, func(_ *twin.Definition, m *twin.Model) { m.Firmware, m.Template = "", "" }},
		{"model: {offlineAfter: 0s, offlineSeverity: ~, onDelete: null}", func(_ *twin.Definition, m *twin.Model) { m.OfflineAfter, m.OfflineSeverity, m.OnDelete = 0, "", "" }},
		{"model: {commands: [], events: null}", func(_ *twin.Definition, m *twin.Model) { m.Commands, m.Events = nil, nil }},
		{"model: {properties: []}", func(_ *twin.Definition, m *twin.Model) {
			m.Properties, m.Retired = nil, []twin.Number{{ID: 1, Name: "dim"}} // which is for ever
		}},
		{"model: {parameters: {hall: null}}", func(_ *twin.Definition, m *twin.Model) { delete(m.Parameters, "hall") }},
		{"model: {parameters: {}}", func(_ *twin.Definition, m *twin.Model) { m.Parameters = nil }},
		{"model: {watch: {command: {retries: 0}, archive: {}}}", func(_ *twin.Definition, m *twin.Model) {
			m.Watch = map[string]twin.Watch{"command": {Deadline: m.Watch["command"].Deadline}}
		}},
		{"name: '', tags: [], location: {site: ''}", func(d *twin.Definition, _ *twin.Model) { d.Name, d.Tags, d.Location.Site = "", nil, "" }},
		{"location: {}", func(d *twin.Definition, _ *twin.Model) { d.Location = nil }},
	} {
		want := apply(all, "")
		c.off(&want.Definition, want.Definition.Model)
		file := "id: lamp\ndefinition: {" + c.says + "}\n"
		if got := apply(file, "changed"); !reflect.DeepEqual(got.Definition, want.Definition) {
			t.Errorf("%s makes\n%+v, %+v, want\n%+v, %+v", c.says, got.Definition, got.Definition.Model, want.Definition, want.Definition.Model)
		}
		apply(file, "unchanged")
		apply(p.does(words("type get lamp -o yaml"), ""), "unchanged")
	}
}
