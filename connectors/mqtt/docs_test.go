package mqtt_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/declarative"
	"github.com/castor-iot/castor/shared/telemetry"
)

// What docs/legacy.md says of each firmware's messages and commands is what its document does.
func TestTheGuideForLegacyDevices(t *testing.T) {
	text, err := os.ReadFile("../../docs/legacy.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]int{}
	types := typesOf(string(text))
	for _, section := range strings.Split(string(text), "\n## ") {
		name := map[string]string{"Tasmota": "tasmota", "Shelly": "shelly-gen2", "Zigbee2MQTT": "zigbee2mqtt"}[regexp.MustCompile(`^\w+`).FindString(section)]
		if name == "" {
			continue
		}
		document, _ := declarative.Document(name)
		p, err := declarative.Parse(document)
		if err != nil {
			t.Fatal(err)
		}
		device := map[string]string{"tasmota": "tasmota_9CF9D1", "shelly-gen2": "shellyplus1pm-a8032abe54dc", "zigbee2mqtt": "kitchen/floor_light"}[name]
		for line := range strings.Lines(section) {
			said, want, ok := strings.Cut(strings.TrimSpace(line), " → ")
			if !ok {
				continue
			}
			call := driver.Call{Op: driver.DecodeUplink, Variables: map[string]string{"device": device}}
			if topic, payload, _ := strings.Cut(said, " "); strings.Contains(topic, "/") {
				call.Topic, call.Bytes = topic, []byte(payload)
			} else {
				at := strings.Index(said, " {")
				var input any
				if err := json.Unmarshal([]byte(said[at+1:]), &input); err != nil {
					t.Fatalf("%s: %v", said, err)
				}
				call.Op, call.Data = driver.EncodeDownlink, map[string]any{"command": said[:at], "input": input}
			}
			results, err := p.Run(t.Context(), []driver.Call{call})
			if err != nil {
				t.Fatal(err)
			}
			r := results[0]
			got := r.Topic + " " + string(r.Bytes)
			if call.Op == driver.DecodeUplink {
				data, _ := r.Data.(map[string]any)
				samples, err := telemetry.Flatten(data)
				if err != nil {
					t.Fatal(err)
				}
				flat := map[string]any{}
				for _, s := range samples {
					flat[s.Property] = s.Value
					if of := types[name][s.Property]; of != "" && of != typeOf(s.Value) {
						t.Errorf("the type that the guide makes for %s has %s as a %s, and its devices say %v", name, s.Property, of, s.Value)
					}
				}
				b, _ := json.Marshal(flat)
				got = string(b)
			}
			if got != want || !r.OK() {
				t.Errorf("%s:\n%s\ngot  %s %v\nwant %s", name, said, got, r.Errors, want)
			}
			shown[name]++
		}
	}
	if len(types["tasmota"]) < 4 || len(types["zigbee2mqtt"]) < 3 {
		t.Errorf("the guide's types are %v", types)
	}
	if shown["tasmota"] < 10 || shown["shelly-gen2"] < 8 || shown["zigbee2mqtt"] < 4 {
		t.Errorf("the guide shows %v", shown)
	}
}

// typesOf are the types of the properties that the guide's castor type create names, by driver.
func typesOf(text string) map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^castor type create \S+ --driver (\S+)((?:.*\\\n)*.*)$`).FindAllStringSubmatch(text, -1) {
		if all[m[1]] == nil {
			all[m[1]] = map[string]string{}
		}
		for _, p := range regexp.MustCompile(`--property (\S+)`).FindAllStringSubmatch(m[2], -1) {
			name, _, _ := strings.Cut(p[1], "=")
			name, of, ok := strings.Cut(name, ":")
			if !ok {
				of = "number"
			}
			all[m[1]][name] = of
		}
	}
	return all
}

// typeOf is what a model calls a value's type.
func typeOf(v any) string {
	switch v.(type) {
	case bool:
		return "boolean"
	case string:
		return "string"
	}
	return "number"
}
