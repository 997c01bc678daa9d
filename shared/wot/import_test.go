package wot

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/schema"
	"github.com/castor-iot/castor/shared/twin"
)

// Models as makers write them come in, and what does not is told.
func TestModelsOfMakers(t *testing.T) {
	for name, want := range map[string]struct{ model, ignored string }{
		"lamp": {`{"properties":[{"name":"status","type":"string","note":"Status","enum":["on","off"],"semantic":"http://iotschema.org/SwitchStatus"},
			{"name":"brightness","type":"number","unit":"%","min":0,"max":100,"note":"How bright it is","writable":true,"semantic":"saref:LightingLevel"},
			{"name":"colour.r","type":"number","min":0,"max":255,"writable":true},{"name":"colour.g","type":"number","min":0,"max":255,"writable":true},
			{"name":"colour.b","type":"number","min":0,"max":255}],
			"commands":[{"name":"toggle","note":"Toggle"},{"name":"fade","input":{"type":"object","required":["level"],"properties":{"level":{"type":"integer","minimum":0,"maximum":100,"unit":"%"},
			"duration":{"type":"number","unit":"s"}}},"output":{"type":"boolean"},"note":"Goes to a level slowly"}],
			"events":[{"name":"overheated","data":{"type":"number","unit":"Cel"},"note":"The lamp is too hot"}]}`,
			`/@type /properties/status/observable /properties/status/forms /properties/brightness/type /properties/colour/properties/r/type /properties/colour/properties/g/type
			/properties/colour/properties/b/type /properties/scenes /properties/anything /actions/toggle/safe /actions/toggle/idempotent /events/overheated/subscription
			/id /description /tm:optional /securityDefinitions /security`},
		"sensor": {`{"properties":[{"name":"temperature","type":"number","unit":"Cel","min":-40,"max":85.5,"semantic":"sosa:Temperature"},
			{"name":"humidity","type":"number","unit":"%","min":0,"max":100},{"name":"battery.voltage","type":"number","unit":"V","id":7},
			{"name":"motion","type":"boolean"},{"name":"interval","type":"number","unit":"s","enum":[60,600,3600],"writable":true}],"events":[{"name":"tamper"}]}`,
			`/properties/temperature/@type /properties/humidity/multipleOf /properties/motion/@type /properties/interval/writeOnly /properties/interval/type /titles /base`},
		"pump": {`{"properties":[{"name":"speed","type":"number","unit":"{rev}/min","min":0,"max":9000,"id":1,"writable":true,"semantic":"http://opcfoundation.org/UA/Pumps/Speed"},
			{"name":"mode","type":"string","id":2,"enum":["auto","hand"],"writable":true,"semantic":"https://schema.example.org/mode"},
			{"name":"bearing.temperature","type":"number","unit":"Cel"},{"name":"bearing.vibration.x","type":"number","writable":true}],"retired":[{"id":4,"name":"torque"}],
			"commands":[{"name":"setSpeed","input":{"$ref":"#/$defs/speed","$defs":{"speed":{"type":"number","maximum":9000}}},"semantic":"http://opcfoundation.org/UA/Pumps/SetSpeed"}],
			"events":[{"name":"over.speed","data":{"type":"object","properties":{"speed":{"type":"number"}}}}],
			"driver":"acme-pump","firmware":"fw","parameters":{"a b":"kept as it is, and judged elsewhere"},"offlineAfter":"2m"}`,
			`/@context /version/instance /properties/mode/default /properties/bearing /actions/setSpeed/uriVariables /events/over.speed/cancellation /links`},
	} {
		text, err := os.ReadFile("testdata/" + name + ".tm.jsonld")
		if err != nil {
			t.Fatal(err)
		}
		got, err := Import(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var at []string
		for _, i := range got.Ignored {
			if at = append(at, i.At); i.Why == "" {
				t.Errorf("%s: nobody says why %s is ignored", name, i.At)
			}
		}
		if got, want := strings.Join(at, " "), strings.Join(strings.Fields(want.ignored), " "); got != want {
			t.Errorf("%s ignores\n%s, want\n%s", name, got, want)
		}
		if got, want := normal(t, got.Model), normal(t, json.RawMessage(want.model)); got != want {
			t.Errorf("%s is\n%s, want\n%s", name, got, want)
		}
		for _, s := range got.Model.Schemas() {
			if _, err := schema.Compile(*s.JSON); err != nil {
				t.Errorf("%s: %s: %v", name, s.Field, err)
			}
		}
	}
}

// normal is JSON with sorted names.
func normal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var any any
	if err := json.Unmarshal(b, &any); err != nil {
		t.Fatal(err)
	}
	b, _ = json.Marshal(any)
	return string(b)
}

func TestWhatIsNoThingModel(t *testing.T) {
	in := func(s string) string {
		return `{"@context":"https://www.w3.org/2022/wot/td/v1.1","@type":"tm:ThingModel",` + s + `}`
	}
	p := func(s string) string { return in(`"properties":{"a":` + s + `}`) }
	for name, c := range map[string]struct{ text, says string }{
		"nothing":                          {``, "is no JSON"},
		"a list":                           {`[]`, "must be a JSON object"},
		"half":                             {`{"a":`, "is no JSON"},
		"two":                              {in(`"title":"a"`) + `{}`, "behind"},
		"bytes":                            {"{\"a\":\"\xff\"}", "UTF-8"},
		"a megabyte and more":              {`"` + strings.Repeat("a", MaxSize), "at most 1048576"},
		"a thousand levels":                {strings.Repeat(`{"a":`, 1000), "deeper than 64"},
		"lists of a thousand levels":       {strings.Repeat(`[`, 1000), "deeper than 64"},
		"a name twice":                     {p(`{"type":"number","type":"string"}`), "/properties/a/type: is there twice"},
		"no context":                       {`{"@type":"tm:ThingModel"}`, "/@context: must name https://www.w3.org/2022/wot/td/v1.1"},
		"a description of a thing":         {`{"@context":"https://www.w3.org/2022/wot/td/v1.1","title":"My lamp"}`, "Thing Description is about one thing"},
		"a ref to elsewhere":               {p(`{"tm:ref":"https://example.com/m.json#/properties/a"}`), "/properties/a/tm:ref: nothing is fetched"},
		"a ref deep below":                 {in(`"actions":{"a":{"input":{"properties":{"b":[{"tm:ref":"#/x"}]}}}}`), "/actions/a/input/properties/b/0/tm:ref"},
		"a description that is none":       {p(`{"type":"number","description":7}`), "/properties/a/description: must be text"},
		"a property's title that is none":  {p(`{"type":"number","title":7}`), "/properties/a/title: must be text"},
		"a value to be filled in":          {p(`{"type":"string","enum":["a","{{B}}"]}`), `/properties/a/enum/1: "{{B}}" has a placeholder`},
		"a bound of a part":                {p(`{"type":"object","properties":{"b":{"type":"number","minimum":"low"}}}`), "/properties/a/properties/b/minimum: must be a number"},
		"an action's meaning that is none": {in(`"actions":{"a":{"@type":7}}`), "/actions/a/@type: must be text"},
		"an action's output that is none":  {in(`"actions":{"a":{"output":true}}`), "/actions/a/output: must be an object"},
		"an event's meaning that is none":  {in(`"events":{"a":{"@type":7}}`), "/events/a/@type: must be text"},
		"a JSON ref":                       {p(`{"$ref":"#/properties/b"}`), "/properties/a/$ref: nothing is fetched"},
		"an extension":                     {in(`"links":[{"rel":"icon"},{"rel":"tm:extends","href":"x"}]`), "/links/1: the model extends"},
		"a title that is none":             {in(`"title":7`), "/title: must be text"},
		"a title to be filled in":          {in(`"title":"Lamp {{SERIAL}}"`), "/title"},
		"a version that is none":           {in(`"version":"1"`), "/version"},
		"properties that are a list":       {in(`"properties":[]`), "/properties: must be an object"},
		"a property that is a word":        {p(`"number"`), "/properties/a: must be an object"},
		"a bound to be filled in":          {p(`{"type":"number","minimum":"{{MIN}}"}`), "write the value in its place"},
		"a bound that is a word":           {p(`{"type":"number","maximum":"much"}`), "/properties/a/maximum: must be a number"},
		"a bound beyond all numbers":       {p(`{"type":"number","maximum":1e999}`), "/properties/a/maximum: must be a number"},
		"a type to be filled in":           {p(`{"type":"{{TYPE}}"}`), "/properties/a/type"},
		"values that are one":              {p(`{"type":"number","enum":1}`), "/properties/a/enum: must be a list"},
		"a value beyond all numbers":       {p(`{"type":"number","enum":[1,1e999]}`), "/properties/a/enum/1"},
		"a number that is none":            {p(`{"type":"number","castor:id":"1"}`), "/properties/a/castor:id"},
		"a number that is not whole":       {p(`{"type":"number","castor:id":1.5}`), "/properties/a/castor:id"},
		"a unit that is none":              {p(`{"type":"number","unit":["Cel"]}`), "/properties/a/unit"},
		"a meaning that is none":           {p(`{"type":"number","@type":[7]}`), "/properties/a/@type"},
		"truth that is a word":             {p(`{"type":"number","readOnly":"yes"}`), "/properties/a/readOnly: must be true or false"},
		"a part that is a word":            {p(`{"type":"object","properties":{"b":"c"}}`), "/properties/a/properties/b: must be an object"},
		"a schema that is a word":          {in(`"actions":{"a":{"input":"x"}}`), "/actions/a/input: must be an object"},
		"an event's data that are a list":  {in(`"events":{"a":{"data":[]}}`), "/events/a/data: must be an object"},
		"settings that nobody knows":       {in(`"castor:model":{"drivers":"x"}`), `/castor:model: unknown field "drivers"`},
		"settings with another type":       {in(`"castor:model":{"driver":7}`), "/castor:model"},
		"commands among the settings":      {in(`"castor:model":{"commands":[{"name":"a"}],"properties":[{"name":"a"}]}`), "leave them out here"},
		"events among the settings":        {in(`"castor:model":{"events":[{"name":"a"}],"properties":[{"name":"a"}]}`), "leave them out here"},
		"a name that is a number":          {`{"a":1,2:3}`, "the Thing Model: is no JSON"},
		"an end after a comma":             {`{"a":1,`, "the Thing Model: is no JSON"},
		"an object that ends as a list":    {`{"a":[1}}`, "/a: is no JSON"},
		"65 levels":                        {in(`"x":` + strings.Repeat(`[`, 64) + strings.Repeat(`]`, 64)), "is nested deeper than 64"},
		"properties among the settings":    {in(`"castor:model":{"properties":[{"name":"a"}]}`), "leave them out here"},
		"a place of terrible length, once": {in(`"properties":{"` + strings.Repeat("a", 10_000) + `":7}`), "…: must be an object"},
	} {
		_, err := Import([]byte(c.text))
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 600 {
			t.Errorf("%s: %v, want it to say %q", name, err, c.says)
		}
	}
}

// Of very many parts that are ignored the first are named.
func TestIgnoredIsBounded(t *testing.T) {
	var all []string
	for i := range 3 * maxIgnored {
		all = append(all, `"`+strings.Repeat("x", i%50)+strings.Repeat("y", i/50)+`":0`)
	}
	got, err := Import([]byte(`{"@context":"https://www.w3.org/2022/wot/td/v1.1","@type":"tm:ThingModel",` + strings.Join(all, ",") + `}`))
	if err != nil {
		t.Fatal(err)
	}
	one := strings.Join(all[:maxIgnored], ",")
	if all, err := Import([]byte(`{"@context":"https://www.w3.org/2022/wot/td/v1.1","@type":"tm:ThingModel",` + one + `}`)); err != nil || len(all.Ignored) != maxIgnored || all.Ignored[maxIgnored-1].Why != unknown {
		t.Errorf("of %d parts %d are told, %v", maxIgnored, len(all.Ignored), err)
	}
	if n := len(got.Ignored); n != maxIgnored+1 || got.Ignored[maxIgnored].Why != "2000 more parts of it are not known here" {
		t.Errorf("%d are told, at last %v", n, got.Ignored[n-1])
	}
}

// What is not taken is told with its reason, so that a maker knows what to write instead.
func TestWhyPartsAreIgnored(t *testing.T) {
	const context = `"@context":["https://www.w3.org/2019/wot/td/v1",{"Sensor":"urn:x:","http":"urn:y:","lamp":"https://lamps.example.org/#","@vocab":"urn:z:","n":7}]`
	for name, c := range map[string]struct{ part, at, why, keeps string }{
		"a word of no vocabulary":        {`"properties":{"a":{"type":"number","@type":"Sensor"}}`, "/properties/a/@type", `"Sensor" has no prefix that says of which vocabulary it is`, `{"name":"a","type":"number","writable":true}`},
		"a second meaning":               {`"properties":{"a":{"type":"number","@type":["lamp:Level","saref:Level"]}}`, "/properties/a/@type", `"saref:Level" is one too many: one meaning is kept`, `{"name":"a","type":"number","writable":true,"semantic":"https://lamps.example.org/#Level"}`},
		"a title beside the description": {`"properties":{"a":{"type":"number","@type":"http://a.example.org/B","title":"T","description":"D"}}`, "/properties/a/title", "the description is kept", `{"name":"a","type":"number","writable":true,"note":"D","semantic":"http://a.example.org/B"}`},
		"an object of no parts":          {`"properties":{"a":{"type":"object"}}`, "/properties/a", "an object is kept as its parts, and none are named in properties", ""},
		"an object's parts as a list":    {`"properties":{"a":{"type":"object","properties":[]}}`, "/properties/a", "an object is kept as its parts, and none are named in properties", ""},
		"an object's meaning":            {`"properties":{"a":{"type":"object","@type":"lamp:Head","properties":{"b":{"type":"boolean"}}}}`, "/properties/a", "what the object means is not kept, only what its parts do", `{"name":"a.b","type":"boolean","writable":true}`},
		"an object's note":               {`"properties":{"a":{"type":"object","title":"Head","properties":{"b":{"type":"boolean"}}}}`, "/properties/a", "what the object means is not kept, only what its parts do", `{"name":"a.b","type":"boolean","writable":true}`},
		"what else an object has":        {`"properties":{"a":{"type":"object","required":["b"],"properties":{"b":{"type":"boolean"}}}}`, "/properties/a/required", unknown, `{"name":"a.b","type":"boolean","writable":true}`},
		"no type":                        {`"properties":{"a":{"unit":"Cel"}}`, "/properties/a", "a property without type cannot be kept; say number, boolean or string", ""},
		"a type that nobody reports":     {`"properties":{"a":{"type":"array"}}`, "/properties/a", "a property of type array cannot be kept: number, boolean, string, or an object of those", ""},
		"a link that is none":            {`"properties":{"tm:ref":{"type":"string"}},"links":["tm:extends"]`, "/links", without["links"], `{"name":"tm:ref","type":"string","writable":true}`},
	} {
		got, err := Import([]byte(`{` + context + `,"@type":"tm:ThingModel",` + c.part + `}`))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := []Ignored{{"/@context", `"@vocab" ` + unknown}, {"/@context", `"n" ` + unknown}, {c.at, c.why}}
		if !slices.Equal(got.Ignored, want) {
			t.Errorf("%s: %q is ignored, want %q", name, got.Ignored, want)
		}
		if c.keeps != "" {
			c.keeps = `{"properties":[` + c.keeps + `]}`
		} else {
			c.keeps = `{}`
		}
		if got, want := normal(t, got.Model), normal(t, json.RawMessage(c.keeps)); got != want {
			t.Errorf("%s: kept is %s, want %s", name, got, want)
		}
	}
}

// What is at a bound is taken.
func TestTheLargestThingModel(t *testing.T) {
	in := func(s string) string {
		return `{"@context":"https://www.w3.org/2022/wot/td/v1.1","@type":"tm:ThingModel",` + s + `}`
	}
	for name, text := range map[string]string{
		"64 levels":          in(`"x":` + strings.Repeat(`[`, 63) + strings.Repeat(`]`, 63)),
		"a megabyte":         in(`"x":"` + strings.Repeat("a", MaxSize-len(in(`"x":""`))) + `"`),
		"half a placeholder": in(`"title":"}} {","x":"{{"`),
		"empty settings":     in(`"castor:model":{"properties":[],"commands":[],"events":[]},"x":1`),
	} {
		got, err := Import([]byte(text))
		if err != nil || len(got.Ignored) != 1 || !reflect.DeepEqual(got.Model, twin.Model{}) {
			t.Errorf("%s: %.200v, ignored %.200v, %+v", name, err, got.Ignored, got.Model)
		}
	}
	if _, err := Import([]byte(in(`"title":"{{ a"`))); err != nil {
		t.Error(err)
	}
	for at, want := range map[string]string{"": "the Thing Model", strings.Repeat("a", 200): strings.Repeat("a", 200), strings.Repeat("a", 201): strings.Repeat("a", 200) + "…"} {
		if got := place(at); got != want {
			t.Errorf("%q is %q", at, got)
		}
	}
}

func FuzzImport(f *testing.F) {
	for _, name := range []string{"lamp", "sensor", "pump"} {
		text, err := os.ReadFile("testdata/" + name + ".tm.jsonld")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		thing, err := Import(text)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%v is not ErrInvalid", err)
			}
			return
		}
		if thing.Model.Validate() == nil {
			roundTrip(t, thing.Title, thing.Model)
		}
	})
}
