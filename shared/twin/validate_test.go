package twin

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestIDs(t *testing.T) {
	for id, ok := range map[ID]bool{"pump-7": true, "A.b_c-9": true, "0": true, "": false, ".": false, "..": false, "-a": false, "a/b": false, "a b": false,
		"ä": false, "a\n": false, "a\x00": false, ID(strings.Repeat("a", 64)): true, ID(strings.Repeat("a", 65)): false} {
		if err := id.Valid(); (err == nil) != ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestPhases(t *testing.T) {
	all := []Phase{Onboarding, Provisioning, Operational, Suspended, Retired}
	for _, p := range all {
		if !p.Valid() || !p.To(p) {
			t.Errorf("%s cannot stay", p)
		}
		if p != Retired && (Retired.To(p) || !p.To(Retired)) {
			t.Errorf("retirement is for ever, and open to %s", p)
		}
		for _, q := range []Phase{"", "gone"} {
			if q.Valid() || p.To(q) || q.To(p) || q.To(q) {
				t.Errorf("%s and %q", p, q)
			}
		}
	}
	if Onboarding.To(Operational) || Suspended.To(Provisioning) || !Provisioning.To(Onboarding) {
		t.Error("the ways between phases are not those of the life of a device")
	}
}

func TestDefinitions(t *testing.T) {
	f := func(v float64) *float64 { return &v }
	many := func(n int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprint("t", i))
		}
		return out
	}
	model := func(m Model) Definition { return Definition{Model: &m} }
	property := func(p Property) Definition { return model(Model{Properties: []Property{p}}) }
	for name, c := range map[string]struct {
		kind Kind
		d    Definition
		says string // "" = it is fine
	}{
		"an instance":                     {Instance, Definition{Type: "pump", Phase: Onboarding, Owner: "plant", Tags: []string{"a", "site:b/c"}}, ""},
		"a type":                          {Type, Definition{Name: "Pumpe № 7", Model: &Model{}}, ""},
		"an aggregate of aggregates":      {Aggregate, Definition{Aggregates: []ID{"a", "b"}}, ""},
		"a place":                         {Aggregate, Definition{Location: &Location{Region: "eu", Latitude: f(-90), Longitude: f(180)}}, ""},
		"a property of everything":        {Type, property(Property{Name: "cpu.percent", Type: "number", Unit: "%", Min: f(0), Max: f(100), Note: "of all cores"}), ""},
		"no kind":                         {"", Definition{}, "kind"},
		"an instance of nothing":          {Instance, Definition{Phase: Onboarding}, "definition.type"},
		"an instance without a phase":     {Instance, Definition{Type: "pump"}, "definition.phase"},
		"a type in a phase":               {Type, Definition{Phase: Operational}, "definition.phase"},
		"a type of a type":                {Type, Definition{Type: "x"}, "definition.type"},
		"a type that is no id":            {Instance, Definition{Type: "a b", Phase: Onboarding}, "definition.type"},
		"a model of an aggregate":         {Aggregate, Definition{Model: &Model{}}, "definition.model"},
		"an owner that is no group":       {Type, Definition{Owner: "The Plant"}, "definition.owner"},
		"too many tags":                   {Type, Definition{Tags: many(33)}, "definition.tags"},
		"a tag twice":                     {Type, Definition{Tags: []string{"a", "a"}}, "definition.tags"},
		"an empty tag":                    {Type, Definition{Tags: []string{""}}, "definition.tags"},
		"an aggregate that is no id":      {Type, Definition{Aggregates: []ID{"a/b"}}, "definition.aggregates"},
		"an aggregate twice":              {Type, Definition{Aggregates: []ID{"a", "a"}}, "definition.aggregates"},
		"too many aggregates":             {Type, Definition{Aggregates: make([]ID, 33)}, "definition.aggregates"},
		"a name that moves the cursor":    {Type, Definition{Name: "\x1b[2J"}, "definition.name"},
		"a name of no text":               {Type, Definition{Name: "\xff"}, "definition.name"},
		"a site too long":                 {Type, Definition{Location: &Location{Site: strings.Repeat("a", 129)}}, "location.site"},
		"north of the pole":               {Type, Definition{Location: &Location{Latitude: f(90.1), Longitude: f(0)}}, "location.latitude"},
		"beyond the date line":            {Type, Definition{Location: &Location{Latitude: f(0), Longitude: f(-181)}}, "location.longitude"},
		"no number for a place":           {Type, Definition{Location: &Location{Latitude: f(math.NaN()), Longitude: f(0)}}, "location.latitude"},
		"half a place":                    {Type, Definition{Location: &Location{Longitude: f(0)}}, "go together"},
		"a property without a name":       {Type, property(Property{}), "must have a name"},
		"a property's name too long":      {Type, property(Property{Name: strings.Repeat("a", 129)}), "name"},
		"a property's name with a space":  {Type, property(Property{Name: "oil temp"}), "no white space"},
		"a property's name with a break":  {Type, property(Property{Name: "oil\ntemp"}), "name"},
		"a property's name that compares": {Type, property(Property{Name: "oil>temp"}), "like cpu.percent"},
		"a property's unit with a space":  {Type, property(Property{Name: "a", Unit: "m s"}), "unit"},
		"a property of another type":      {Type, property(Property{Name: "a", Type: "image"}), "type"},
		"bounds for truth":                {Type, property(Property{Name: "a", Type: "boolean", Max: f(1)}), "numbers only"},
		"min above max":                   {Type, property(Property{Name: "a", Min: f(2), Max: f(1)}), "min"},
		"min that is no number":           {Type, property(Property{Name: "a", Min: f(math.NaN()), Max: f(1)}), "min"},
		"a property twice":                {Type, model(Model{Properties: []Property{{Name: "a"}, {Name: "a"}}}), "twice"},
		"too many properties":             {Type, model(Model{Properties: make([]Property, MaxProperties+1)}), "model.properties"},
		"a template that is a path":       {Type, model(Model{Template: "../../etc"}), "model.template"},
		"a parameter's name with a space": {Type, model(Model{Parameters: map[string]string{"a b": ""}}), "model.parameters"},
		"a parameter too long":            {Type, model(Model{Parameters: map[string]string{"a": strings.Repeat("a", 4097)}}), "model.parameters.a"},
		"silence of ages":                 {Type, model(Model{OfflineAfter: Duration(400 * 24 * time.Hour)}), "model.offlineAfter"},
		"a watch of nothing there is":     {Type, model(Model{Watch: map[string]Watch{"provisoin": {}}}), "archive, assignment, command, provision"},
		"a watch of what has no type":     {Type, model(Model{Watch: map[string]Watch{"job": {}}}), "model.watch"},
		"a watch that retries too often":  {Type, model(Model{Watch: map[string]Watch{"command": {Retries: 101}}}), "model.watch.command.retries"},
		"a watch with a severity of none": {Type, model(Model{Watch: map[string]Watch{"archive": {Severity: "fatal"}}}), "model.watch.archive.severity"},
		"a severity there is not":         {Type, model(Model{OfflineSeverity: "fatal"}), "model.offlineSeverity"},
	} {
		err := c.d.Validate(c.kind)
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.says != "" && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v, want it to say %q", name, err, c.says)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]Duration{"1m": Duration(time.Minute), "1h30m": Duration(90 * time.Minute), "0s": 0, "1.5s": Duration(1500 * time.Millisecond), "24h": Duration(24 * time.Hour)} {
		var d Duration
		if err := json.Unmarshal([]byte(`"`+text+`"`), &d); err != nil || d != want {
			t.Errorf("%s: %v, %v", text, d, err)
		}
		var again Duration
		if err := again.UnmarshalText([]byte(d.String())); err != nil || again != d {
			t.Errorf("%s reads back as %s: %v", d, again, err)
		}
	}
	if got := Duration(time.Hour).String(); got != "1h" {
		t.Errorf("an hour is written %q", got)
	}
	for _, text := range []string{"", "5", "-1s", "soon", "1 m", "9999999999h"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
