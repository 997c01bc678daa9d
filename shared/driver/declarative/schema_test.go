package declarative

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("driver.json", v); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("driver.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON is a YAML document as a validator of JSON has it.
func asJSON(t testing.TB, document string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(document), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(jsonKeys(v))
	if err != nil {
		t.Fatal(err)
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func jsonKeys(v any) any {
	switch v := v.(type) {
	case map[any]any:
		out := map[string]any{}
		for k, e := range v {
			out[fmt.Sprint(k)] = jsonKeys(e)
		}
		return out
	case map[string]any:
		for k := range v {
			v[k] = jsonKeys(v[k])
		}
	case []any:
		for i := range v {
			v[i] = jsonKeys(v[i])
		}
	}
	return v
}

func TestShippedDocumentsFitTheSchema(t *testing.T) {
	s := schema(t)
	for _, name := range Shipped() {
		document, _ := Document(name)
		if err := s.Validate(asJSON(t, string(document))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"castor: 2\nuplink: []", "castor: 1", "castor: 1\nuplink: {fields: [{name: a, typ: u8}]}", "castor: 1\nuplink: {fields: [{name: a, type: u8, when: {}}]}"} {
		if s.Validate(asJSON(t, bad)) == nil {
			t.Errorf("the schema takes\n%s", bad)
		}
	}
}

// Every key that the schema knows is one that Parse asks for, and the other way round.
func TestSchemaHasTheKeysOfTheLanguage(t *testing.T) {
	var v struct {
		Properties map[string]any `json:"properties"`
		Defs       map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(Schema, &v); err != nil {
		t.Fatal(err)
	}
	// For each kind of object: documents in which it stands, with a key that does not exist, so that Parse tells those that do.
	for kind, documents := range map[string][]string{
		"uplink":    {"uplink: {X: 1}", "uplink: {format: csv, X: 1}", "uplink: {format: text, X: 1}"},
		"downlink":  {"downlink: {X: 1}"},
		"field":     {"uplink: {fields: [{type: u8, X: 1}]}", "uplink: {format: json, fields: [{X: 1}]}", "uplink: {format: csv, fields: [{X: 1}]}", "uplink: {format: text, fields: [{X: 1}]}"},
		"bit":       {"uplink: {fields: [{type: u8, bits: {X: 1}}]}"},
		"condition": {"uplink: {when: {X: 1}}"},
		"group":     {"uplink: {fields: [{fields: [], X: 1}]}"},
		"repeat":    {"uplink: {fields: [{repeat: 1, X: 1}]}", "uplink: {format: json, fields: [{each: a, X: 1}]}"},
		"switch":    {"uplink: {fields: [{switch: a, else: [], X: 1}]}"},
		"tlv":       {"uplink: {fields: [{tlv: a, else: skip, X: 1}]}"},
	} {
		known := map[string]bool{}
		for _, document := range documents {
			_, err := Parse([]byte("castor: 1\n" + document))
			_, list, found := strings.Cut(fmt.Sprint(err), ".X is not known here; there are ")
			if !found {
				t.Fatalf("%s: %v", document, err)
			}
			list, _, _ = strings.Cut(list, "\n")
			for key := range strings.SplitSeq(list, ", ") {
				known[key] = true
			}
		}
		if kind == "switch" {
			known["else"] = true
		}
		for key := range v.Defs[kind].Properties {
			if !known[key] {
				t.Errorf("the schema has %s in %s, the language does not", key, kind)
			}
			delete(known, key)
		}
		for key := range known {
			if kind == "downlink" && (key == "separator" || key == "header" || key == "pattern") {
				continue // of formats that a downlink cannot have
			}
			t.Errorf("the language has %s in %s, the schema does not", key, kind)
		}
	}
}
