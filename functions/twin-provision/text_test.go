package twinprovision_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// good is a model without faults that uses nearly all there is.
const good = `id: good
start: claim
states:
  - {name: claim, do: check-claim, then: ask}
  - name: ask
    do: ask
    with:
      question: May {serial} come in?
    on:
      - when: approved
        if: facts.firmware == "2"
        then: twin
      - {when: approved, then: done}
    limit: 1h
    remind: 10m
  - name: twin
    do: call-service
    with: {capability: lab.check}
    undo: {do: notify, with: {text: "It is undone."}}
    await: answered
    limit: 5m
    retries: 2
    then: done
  - {name: done, do: check-identity, then: make}
  - {name: make, do: create-twin, then: sign}
  - {name: sign, do: issue-credential, then: place}
  - {name: place, do: register-gateway, then: hand}
  - {name: hand, do: deliver, then: live}
  - {name: live, do: activate, end: completed}
`

// A refused model is told of with all its faults, each at its line, in YAML and in JSON alike.
func TestFaultsHaveTheirLines(t *testing.T) {
	w := start(t)
	with := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the model", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, tt := range map[string]struct {
		body         string
		line, column int // 0 = any column
		path, word   string
	}{
		"an unknown action":        {with("do: check-claim", "do: fly"), 4, 23, "states[0].do", "fly"},
		"an unknown trigger":       {with("when: approved\n", "when: rain\n"), 10, 15, "states[1].on[0].when", "rain"},
		"an unknown field":         {with("    remind: 10m", "    remnd: 10m"), 15, 5, "states[1].remnd", "remnd"},
		"an unknown parameter":     {with("capability: lab.check", "capability: lab.check, color: red"), 0, 0, "states[2].with.color", "color"},
		"a missing parameter":      {with("      question: May {serial} come in?", "      input: serial"), 8, 0, "states[1].with", "question"},
		"a parameter of bad form":  {with("lab.check", "lab check"), 18, 0, "states[2].with.capability", "lab check"},
		"a missing limit":          {with("    limit: 5m\n", ""), 16, 0, "states[2].limit", "missing"},
		"a limit that is none":     {with("limit: 5m", "limit: soon"), 21, 12, "states[2].limit", "soon"},
		"a dead end":               {with("do: check-claim, then: ask", "do: check-claim"), 4, 0, "states[0]", "dead end"},
		"a state out of reach":     {good + "  - {name: lost, then: done}\n", 30, 0, "states[9]", "cannot be reached"},
		"a way to nowhere":         {with("then: twin", "then: moon"), 12, 15, "states[1].on[0].then", "moon"},
		"a bad guard":              {with(`facts.firmware == "2"`, `fact.firmware == "2"`), 11, 13, "states[1].on[0].if", "undeclared"},
		"a guard of a wrong type":  {with(`facts.firmware == "2"`, `facts.firmware > 2`), 11, 28, "states[1].on[0].if", "no matching overload"},
		"a circle":                 {with("do: check-claim, then: ask", "do: check-claim, on: [{if: facts.x == \"\", then: claim}], then: ask"), 4, 0, "states[0]", "back to itself"},
		"two states of one name":   {with("name: done", "name: claim"), 0, 0, "states[3].name", "two states"},
		"a name given twice":       {with("limit: 1h", "limit: 1h\n    limit: 2h"), 15, 5, "states[1].limit", "twice"},
		"an alias":                 {with("id: good\nstart: claim", "id: good\nnote: &x claim\nstart: *x"), 3, 8, "start", "aliases"},
		"a list that is none":      {"id: good\nstart: a\nstates: 7\n", 3, 9, "states", "list"},
		"not YAML":                 {"id: good\n  start: [", 2, 0, "", "YAML"},
		"nothing":                  {"", 1, 1, "", "empty"},
		"a reminder of nobody":     {with("    retries: 2", "    remind: 5m"), 22, 0, "states[2].remind", "nobody"},
		"an undo that asks":        {with("undo: {do: notify, with: {text: \"It is undone.\"}}", "undo: {do: ask, with: {question: why}}"), 19, 0, "states[2].undo.do", "cannot"},
		"of another id":            {with("id: good", "id: bad"), 1, 5, "id", "bad"},
		"an answer of nobody":      {with("do: call-service\n    with: {capability: lab.check}", "do: create-twin"), 16, 0, "states[2]", "answered"},
		"an action too early":      {with("do: check-identity, then: make", "then: make"), 25, 22, "states[4].do", "create-twin needs a checked identity"},
		"then that is never taken": {with("    remind: 10m", "    then: twin"), 15, 11, "states[1].then", "never"},
	} {
		t.Run(name, func(t *testing.T) {
			err := w.putYAML(w.admin, "good", tt.body)
			var p *api.Problem
			if !errors.Is(err, twin.ErrInvalid) || !errors.As(err, &p) || len(p.Faults) == 0 {
				t.Fatalf("it is answered %v", err)
			}
			for _, f := range p.Faults {
				if (tt.line == 0 || f.Line == tt.line) && (tt.column == 0 || f.Column == tt.column) && f.Path == tt.path && strings.Contains(f.Text, tt.word) {
					return
				}
			}
			t.Errorf("none of its faults is %q of %q at %d:%d: %+v", tt.word, tt.path, tt.line, tt.column, p.Faults)
		})
	}
	asJSON := "{\n  \"start\": \"a\",\n  \"states\": [\n    {\"name\": \"a\", \"do\": \"fly\", \"then\": \"b\"},\n    {\"name\": \"b\", \"end\": \"completed\"}\n  ]\n}"
	var p *api.Problem
	_, err := w.admin.PutModelText(w.ctx, "good", api.TypeJSON, []byte(asJSON))
	if !errors.As(err, &p) || len(p.Faults) != 1 || p.Faults[0].Line != 4 || p.Faults[0].Column != 25 {
		t.Errorf("in JSON: %v, %+v", err, p)
	}
	for _, body := range []string{"{", "[1", `{"a":`, "{} {}", strings.Repeat("[", 500), `{"id":"\ud800"}`, "\x00", `{"states":[{"name":1e99}]}`} {
		if c, err := w.admin.CheckModel(w.ctx, api.TypeJSON, []byte(body)); err != nil || c.OK || len(c.Faults) == 0 || c.Faults[0].Line == 0 {
			t.Errorf("%.20q as JSON: %+v, %v", body, c, err)
		}
	}
	if c, err := w.admin.CheckModel(w.ctx, api.TypeYAML, []byte(good)); err != nil || !c.OK || c.Model == nil || c.Model.ID != "good" {
		t.Errorf("the good one: %+v, %v", c, err)
	}
	if _, err := w.admin.GetModel(w.ctx, "good"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a check has kept it: %v", err)
	}
}

// The JSON Schema that editors use agrees with what the platform takes.
func TestTheSchemaOfModels(t *testing.T) {
	w := start(t)
	text, err := w.Nobody().ModelSchema(w.ctx)
	w.must(err)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	w.must(err)
	c := jsonschema.NewCompiler()
	w.must(c.AddResource("model.json", doc))
	s, err := c.Compile("model.json")
	w.must(err)
	valid := func(body []byte) error {
		var v any
		w.must(yaml.Unmarshal(body, &v))
		b, err := json.Marshal(v)
		w.must(err)
		v, err = jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
		w.must(err)
		return s.Validate(v)
	}
	page, err := w.admin.ListModels(w.ctx, "")
	if err != nil || len(page.Items) != len(provision.Shipped) {
		t.Fatalf("%d models come with the platform, %v", len(page.Items), err)
	}
	for _, m := range page.Items {
		body, err := w.admin.ModelText(w.ctx, m.ID, 0)
		w.must(err)
		if err := valid(body); err != nil {
			t.Errorf("%s: %v\n%s", m.ID, err, body)
		}
		if again, err := w.admin.PutModelText(w.ctx, m.ID, api.TypeYAML, body); err != nil || again.Version != 1 {
			t.Errorf("%s as it was got is a new version: %d, %v", m.ID, again.Version, err)
		}
	}
	if err := valid([]byte(good)); err != nil {
		t.Errorf("the good one: %v", err)
	}
	for name, change := range map[string][2]string{
		"an unknown action":    {"do: check-claim", "do: fly"},
		"an unknown field":     {"remind: 10m", "remnd: 10m"},
		"a missing limit":      {"    limit: 5m\n", ""},
		"a missing parameter":  {"      question: May {serial} come in?", "      input: serial"},
		"an unknown parameter": {"capability: lab.check", "capability: lab.check, color: red"},
		"a dead end":           {"do: check-claim, then: ask", "do: check-claim"},
		"an end that goes on":  {"end: completed", "end: completed, then: claim"},
	} {
		if err := valid([]byte(strings.Replace(good, change[0], change[1], 1))); err == nil {
			t.Errorf("%s passes the schema", name)
		}
	}
	for _, a := range provision.Actions {
		if !strings.Contains(string(text), fmt.Sprintf("%q", a)) {
			t.Errorf("action %s is not in the schema", a)
		}
		for _, p := range a.Parameters() {
			if !strings.Contains(string(text), fmt.Sprintf("%q: {", p.Name)) {
				t.Errorf("parameter %s of %s is not in the schema", p.Name, a)
			}
		}
	}
	for _, tr := range provision.Triggers {
		if !strings.Contains(string(text), fmt.Sprintf("%q", tr)) {
			t.Errorf("trigger %s is not in the schema", tr)
		}
	}
}

func TestModelsAreTriedWithEvents(t *testing.T) {
	w := start(t)
	try := func(in api.Simulate) provision.Simulation {
		t.Helper()
		out, err := w.admin.SimulateModel(w.ctx, in)
		w.must(err)
		return out
	}
	hour := twin.Duration(time.Hour)
	for name, tt := range map[string]struct {
		in      api.Simulate
		path    string
		outcome provision.Outcome
		word    string
	}{
		"straight": {api.Simulate{Model: "automatic", Events: []provision.Event{{When: provision.GatewayReady}, {When: provision.DeviceConfirm}}},
			"claim identity twin credential gateway configuration delivery claim-closed credential-erased operational", provision.Completed, ""},
		"an identity that is not known": {api.Simulate{Model: "automatic", Events: []provision.Event{{When: provision.Refuse, Do: provision.CheckIdentity, Reason: "not known"}}},
			"claim identity rejected", provision.Rejected, "not known"},
		"nobody decides": {api.Simulate{Model: "semi-automatic", Events: []provision.Event{{When: provision.Timer, After: 73 * hour}}},
			"claim approval rejected", provision.Rejected, "within 72h"},
		"declined": {api.Simulate{Model: "semi-automatic", Events: []provision.Event{{When: provision.Declined, After: 2 * hour, Reason: "not ours"}}},
			"claim approval rejected", provision.Rejected, "not ours"},
		"still waiting": {api.Simulate{Model: "semi-automatic"}, "claim approval", "", ""},
		"a condition holds": {api.Simulate{Text: good, Sample: provision.Sample{Request: provision.Request{Serial: "B-1", Facts: map[string]string{"firmware": "2"}}},
			Events: []provision.Event{{When: provision.Approved}, {When: provision.Answered}}}, "claim ask twin done make sign place hand live", provision.Completed, ""},
		"a condition does not": {api.Simulate{Text: good, Events: []provision.Event{{When: provision.Approved}}}, "claim ask done make sign place hand live", provision.Completed, ""},
		"an action fails and is repeated": {api.Simulate{Text: good, Sample: provision.Sample{Request: provision.Request{Facts: map[string]string{"firmware": "2"}}},
			Events: []provision.Event{{When: provision.Fail, Do: provision.CallService}, {When: provision.Approved}, {When: provision.Answered}}}, "claim ask twin done make sign place hand live", provision.Completed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			out := try(tt.in)
			if got := strings.Join(out.Path, " "); got != tt.path || out.Outcome != tt.outcome || !strings.Contains(out.Reason, tt.word) {
				t.Errorf("path %s, outcome %s, reason %s\n%+v", got, out.Outcome, out.Reason, out.Steps)
			}
		})
	}
	if out := try(api.Simulate{Model: "semi-automatic"}); out.Asks == nil || len(out.Awaits) != 2 || out.Due.IsZero() {
		t.Errorf("one that waits: %+v", out)
	}
	for _, in := range []api.Simulate{{}, {Model: "none"}, {Model: "automatic", Text: good}, {Text: "id: x"}, {Model: "automatic", Events: make([]provision.Event, 300)}} {
		if _, err := w.admin.SimulateModel(w.ctx, in); !errors.Is(err, twin.ErrInvalid) && !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%+.80v: %v", in, err)
		}
	}
}

// A type brings devices in in several ways, and the run says which and why.
func TestChoicesOfATypeAreByCondition(t *testing.T) {
	w := start(t)
	w.must(w.putYAML(w.admin, "another", another))
	w.newType("boat", twin.Model{Provisioning: "automatic", Choices: []twin.Choice{
		{If: `location.latitude > 5.0`, Model: "manual"},
		{If: `identity.maker == "acme"`, Model: "another"},
		{If: `facts.firmware == "0"`, Model: "semi-automatic"}}})
	_, err := w.admin.CreateTwin(w.ctx, api.NewTwin{ID: "bad", Kind: twin.Type, Definition: twin.Definition{Model: &twin.Model{
		Choices: []twin.Choice{{If: `identity.colour == "red"`, Model: "another"}}}}})
	if !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), "choices[0].if, at 1:9") {
		t.Errorf("a type with a condition that cannot be: %v", err)
	}
	w.identity("B-1")
	_, err = w.admin.CreateIdentity(w.ctx, identityOf("B-2", "acme"))
	w.must(err)
	claim := w.claim(api.NewClaim{Type: "boat", MaxUses: 10})
	for serial, tt := range map[string]struct {
		facts map[string]string
		model string
		word  string
	}{
		"B-1": {nil, "automatic", "none of its 3 choices holds"},
		"B-2": {map[string]string{"firmware": "0"}, "another", "choice 2"},
		"B-3": {map[string]string{"firmware": "0"}, "semi-automatic", "choice 3"},
	} {
		a := w.ask(w.request(claim, serial, func(r *api.ProvisionRequest) { r.Type, r.Facts = "boat", tt.facts }))
		r := w.run(a.Run)
		if r.Model.ID != tt.model || !strings.Contains(r.Steps[0].Reason, tt.word) {
			t.Errorf("%s comes in by %s: %s", serial, r.Model.ID, r.Steps[0].Reason)
		}
	}
}

func TestModelsAreDeletedWhenNobodyUsesThem(t *testing.T) {
	w := start(t)
	w.must(w.putYAML(w.admin, "another", another))
	w.must(w.putYAML(w.admin, "another", another+"# nothing but a remark\n"))
	if page, err := w.admin.ListModelVersions(w.ctx, "another"); err != nil || len(page.Items) != 1 {
		t.Errorf("put again as it was: %+v, %v", page.Items, err)
	}
	w.must(w.putYAML(w.admin, "another", strings.Replace(another, "limit: 5m", "limit: 6m", 1)))
	w.newType("boat", twin.Model{Choices: []twin.Choice{{If: "true", Model: "another"}}})
	if err := w.admin.DeleteModel(w.ctx, "another"); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "boat") {
		t.Errorf("a type names it: %v", err)
	}
	if err := w.putYAML(w.admin, "another", "type: pump\n"+another); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "boat") {
		t.Errorf("it becomes another type's: %v", err)
	}
	w.identity("B-1")
	a := w.ask(w.request(w.claim(api.NewClaim{Type: "boat"}), "B-1", func(r *api.ProvisionRequest) { r.Type = "boat" }))
	_, err := w.admin.UpdateTwin(w.ctx, "boat", 0, map[string]any{"model": map[string]any{"choices": nil}})
	w.must(err)
	if err := w.admin.DeleteModel(w.ctx, "another"); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), a.Run) {
		t.Errorf("a run follows it: %v", err)
	}
	_, err = w.admin.ResetRun(w.ctx, a.Run, "over")
	w.must(err)
	owner := w.User("olga", []access.Role{access.Owner}, "press")
	if err := owner.DeleteModel(w.ctx, "another"); !errors.Is(err, access.ErrDenied) {
		t.Errorf("an owner deletes it: %v", err)
	}
	w.must(w.admin.DeleteModel(w.ctx, "another"))
	if _, err := w.admin.GetModel(w.ctx, "another"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("it is there: %v", err)
	}
	if m, err := w.admin.GetModelVersion(w.ctx, "another", 2); err != nil || len(m.States) == 0 {
		t.Errorf("its version 2: %v", err)
	}
	w.must(w.putYAML(w.admin, "another", another))
	if page, err := w.admin.ListModelVersions(w.ctx, "another"); err != nil || len(page.Items) != 3 || page.Items[0].Version != 3 {
		t.Errorf("made again: %+v, %v", page.Items, err)
	}
	if err := w.admin.DeleteModel(w.ctx, "automatic"); !errors.Is(err, api.ErrConflict) {
		t.Errorf("the platform's own: %v", err)
	}
	if err := w.admin.DeleteModel(w.ctx, "none"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	if err := w.putYAML(w.admin, "schema", strings.Replace(another, "id: another", "id: schema", 1)); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("one called schema: %v", err)
	}
}

func identityOf(serial, maker string) device.Identity {
	return device.Identity{Serial: serial, Maker: maker}
}
