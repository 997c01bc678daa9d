package topic

import (
	"strings"
	"testing"
)

// A name is a device's only where topics with it are understood as its own.
func TestNamesThatTopicsCarry(t *testing.T) {
	many := []string{"zigbee2mqtt/bridge/#", "zigbee2mqtt/{device...}/availability", "zigbee2mqtt/{device...}"}
	one := []string{"tele/{device}/SENSOR", "stat/{device}/POWER{n}"}
	for _, tt := range []struct {
		patterns []string
		name     string
		words    string // "" = it is carried
	}{
		{many, "lamp", ""},
		{many, "kitchen/lamp", ""},
		{many, "bridge", "topics with it are taken for those of zigbee2mqtt/bridge/#"},
		{many, "bridge/lamp", "zigbee2mqtt/bridge/#"},
		{many, "a+b", "without + # { }"},
		{many, "a#", "without + # { }"},
		{many, "{device}", "without + # { }"},
		{many, strings.Repeat("a", 129), "it is longer than the 128 bytes"},
		{one, "tasmota_1", ""},
		{one, "a/b", "it fits into none of the topics, which are like tele/{device}/SENSOR"},
		{[]string{"own/#", "z/{device}"}, "a/b", "like z/{device}"},
		{[]string{"own/#"}, "lamp", "none of the topics names a device"},
		{[]string{"own/+#"}, "lamp", "cannot be looked for"},
	} {
		err := Carries(tt.patterns, tt.name)
		if (err == nil) != (tt.words == "") || err != nil && !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%q by %q: %v", tt.name, tt.patterns[0], err)
		}
	}
}
