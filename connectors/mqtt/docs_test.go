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
	if shown["tasmota"] < 10 || shown["shelly-gen2"] < 8 || shown["zigbee2mqtt"] < 4 {
		t.Errorf("the guide shows %v", shown)
	}
}
