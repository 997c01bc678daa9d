package twin

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestModels(t *testing.T) {
	f := func(v float64) *float64 { return &v }
	property := func(p Property) Model { return Model{Properties: []Property{p}} }
	schema := func(s string) Model {
		return Model{Commands: []CommandModel{{Name: "open", Input: json.RawMessage(s)}}}
	}
	enum := func(n int) (all []any) {
		for i := range n {
			all = append(all, float64(i))
		}
		return all
	}
	large := json.RawMessage(`{"description":"` + strings.Repeat("a", 16_000) + `"}`)
	var many []EventModel
	for i := range 17 {
		many = append(many, EventModel{Name: fmt.Sprint("e", i), Data: large})
	}
	for name, c := range map[string]struct {
		m    Model
		says string // "" = it is fine
	}{
		"everything": {Model{Properties: []Property{{Name: "level", ID: 1, Min: f(0), Max: f(10), Enum: []any{0.0, 5.0}, Writable: true, Semantic: "https://saref.etsi.org/core/Level"},
			{Name: "on", ID: maxID, Type: "boolean", Enum: []any{true}}, {Name: "mode", Type: "string", Enum: []any{"eco", ""}, Semantic: "saref:Mode"}},
			Retired:  []Number{{2, "gone"}},
			Commands: []CommandModel{{Name: "setLevel", Input: json.RawMessage(`{"type":"number"}`), Output: json.RawMessage(` {}`), Semantic: "saref:SetLevel", Note: "sets it"}},
			Events:   []EventModel{{Name: "over.flow", Data: json.RawMessage(`{}`)}}, Driver: "acme-th1", Firmware: "fw.version"}, ""},
		"a format with numbers":          {Model{Format: "compact", Properties: []Property{{Name: "a", ID: 7}}}, ""},
		"a number below":                 {property(Property{Name: "a", ID: -1}), "1 to 2147483647"},
		"a number above":                 {property(Property{Name: "a", ID: 1 << 31}), "1 to 2147483647"},
		"a number twice":                 {Model{Properties: []Property{{Name: "a", ID: 3}, {Name: "b", ID: 3}}}, `3 is the number of "a" already`},
		"a number that was another's":    {Model{Properties: []Property{{Name: "a", ID: 3}}, Retired: []Number{{3, "b"}}}, "choose a new number"},
		"a name that had another number": {Model{Properties: []Property{{Name: "a", ID: 3}}, Retired: []Number{{4, "a"}}}, "model.retired"},
		"a retired number that is none":  {Model{Retired: []Number{{0, "b"}}}, "model.retired"},
		"a retired number twice":         {Model{Retired: []Number{{1, "b"}, {1, "c"}}}, "choose a new number"},
		"a retired name of no rule":      {Model{Retired: []Number{{1, "b c"}}}, "model.retired"},
		"too many that are retired":      {Model{Retired: make([]Number, maxRetired+1)}, "make a new type"},
		"a word among numbers":           {property(Property{Name: "a", Enum: []any{1.0, "two"}}), "must be a number"},
		"a number among words":           {property(Property{Name: "a", Type: "string", Enum: []any{1.0}}), "must be a string"},
		"a number for truth":             {property(Property{Name: "a", Type: "boolean", Enum: []any{1.0}}), "must be a boolean"},
		"truth among numbers":            {property(Property{Name: "a", Enum: []any{true}}), "must be a number"},
		"a list among values":            {property(Property{Name: "a", Enum: []any{[]any{1.0}, []any{1.0}}}), "must be a number"},
		"nothing among values":           {property(Property{Name: "a", Enum: []any{nil}}), "must be a number"},
		"a value that is no number":      {property(Property{Name: "a", Enum: []any{math.NaN()}}), "must be a number"},
		"a value twice":                  {property(Property{Name: "a", Enum: []any{1.0, 1.0}}), "twice"},
		"a value out of range":           {property(Property{Name: "a", Max: f(1), Enum: []any{1.0, 2.0}}), "widen"},
		"a value that moves the cursor":  {property(Property{Name: "a", Type: "string", Enum: []any{"\x1b[2J"}}), "control"},
		"too many values":                {property(Property{Name: "a", Enum: enum(maxEnum + 1)}), "at most 200"},
		"a meaning in no vocabulary":     {property(Property{Name: "a", Semantic: "temperature"}), "saref:Temperature"},
		"a meaning with a space":         {property(Property{Name: "a", Semantic: "saref:room temperature"}), "semantic"},
		"a meaning too long":             {property(Property{Name: "a", Semantic: "a:" + strings.Repeat("b", 256)}), "at most 256"},
		"a command of no name":           {Model{Commands: []CommandModel{{}}}, "model.commands"},
		"a command named like a path":    {Model{Commands: []CommandModel{{Name: "../open"}}}, "model.commands"},
		"a command twice":                {Model{Commands: []CommandModel{{Name: "open"}, {Name: "open"}}}, "twice"},
		"too many commands":              {Model{Commands: make([]CommandModel, maxInteractions+1)}, "at most 100"},
		"an event of no name":            {Model{Events: []EventModel{{}}}, "model.events"},
		"an event twice":                 {Model{Events: []EventModel{{Name: "a"}, {Name: "a"}}}, "twice"},
		"an event's meaning":             {Model{Events: []EventModel{{Name: "a", Semantic: "b"}}}, `model.events "a": semantic`},
		"a command's note too long":      {Model{Commands: []CommandModel{{Name: "a", Note: strings.Repeat("b", maxNote+1)}}}, "note"},
		"a schema that is a list":        {schema(`[]`), "must be a JSON Schema"},
		"a schema that is true":          {schema(`true`), "must be a JSON Schema"},
		"a schema of half an object":     {schema(`{"type":`), "must be a JSON Schema"},
		"a schema of no text":            {schema("{\"title\":\"\xff\"}"), "must be a JSON Schema"},
		"a schema too long":              {schema(`{"description":"` + strings.Repeat("a", MaxSchema) + `"}`), "a schema may have 16384"},
		"schemas too long in all":        {Model{Events: many}, "shorten them"},
		"a driver that is a path":        {Model{Driver: "../x"}, "model.driver"},
		"a format that there is not":     {Model{Format: "xml"}, "senml+json"},
		"a driver and a format":          {Model{Driver: "a", Format: "json"}, "do not go together"},
		"compact without numbers":        {Model{Format: "compact", Properties: []Property{{Name: "a"}}}, "give the properties an id"},
		"firmware in no property's name": {Model{Firmware: "a b"}, "model.firmware"},
		"a separator of lines in a name": {property(Property{Name: "a\u2028b"}), "white space"},
	} {
		err := c.m.Validate()
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.says != "" && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v, want it to say %q", name, err, c.says)
		}
	}
}

// A type is edited again and again; whatever was once a property's number is nobody else's, and no property gets another.
func TestNumbersAreForEver(t *testing.T) {
	model := func(spec string, retired ...Number) *Model {
		m := &Model{Retired: retired}
		for _, s := range strings.Fields(spec) {
			var p Property
			if _, err := fmt.Sscanf(s, "%1s%d", &p.Name, &p.ID); err != nil {
				t.Fatal(err)
			}
			m.Properties = append(m.Properties, p)
		}
		return m
	}
	for name, c := range map[string]struct {
		was, now *Model
		retired  []Number
		says     string
	}{
		"nothing changes":                  {model("a1 b2"), model("a1 b2"), nil, ""},
		"one more":                         {model("a1"), model("a1 b2"), nil, ""},
		"a number for what had none":       {model("a0"), model("a1"), nil, ""},
		"one less":                         {model("a1 b2 c0"), model("b2"), []Number{{1, "a"}}, ""},
		"it comes back":                    {model("b2", Number{1, "a"}), model("a1 b2"), nil, ""},
		"what is retired cannot be undone": {model("", Number{1, "a"}, Number{3, "c"}), model("c3"), []Number{{1, "a"}}, ""},
		"more that are retired":            {model(""), model("", Number{1, "a"}), []Number{{1, "a"}}, ""},
		"a number means another":           {model("a1"), model("b1"), nil, `1 meant "a" before`},
		"a number means another later":     {model("", Number{1, "a"}), model("b1"), nil, `1 meant "a" before`},
		"two change places":                {model("a1 b2"), model("a2 b1"), nil, "must stay 1"},
		"another number":                   {model("a1"), model("a2"), nil, "must stay 1"},
		"no number any more":               {model("a1"), model("a0"), nil, "must stay 1"},
		"another number when it is back":   {model("", Number{1, "a"}), model("a2"), nil, "must stay 1"},
		"another past":                     {model("", Number{1, "a"}), model("", Number{2, "a"}), nil, "model.retired"},
	} {
		err := c.now.Follow(c.was)
		switch {
		case c.says == "" && (err != nil || !reflect.DeepEqual(c.now.Retired, c.retired)):
			t.Errorf("%s: retired %v, %v; want %v", name, c.now.Retired, err, c.retired)
		case c.says != "" && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v, want it to say %q", name, err, c.says)
		}
	}
}
