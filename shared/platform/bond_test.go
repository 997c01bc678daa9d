package platform

import (
	"strings"
	"testing"
	"time"
)

// A folder's secret is good for its own gateway, and what it is bound to cannot be changed.
func TestASecretThatIsBound(t *testing.T) {
	key, other := []byte("0123456789abcdef"), []byte("0123456789abcdeF")
	b := Bond{Phase: "operational", Made: time.UnixMilli(1_763_769_600_123).UTC()}
	s := DeriveJoin(key, "hall-3", b)
	if got, ok := CheckPart(key, "connector", "hall-3", s); !ok || got != b {
		t.Errorf("%+v, %t", got, ok)
	}
	if got, ok := CheckPart(key, "connector", "hall-3", DerivePart(key, "connector", "hall-3")); !ok || got != (Bond{}) {
		t.Errorf("a secret that is not bound: %+v, %t", got, ok)
	}
	for what, try := range map[string][3]string{
		"another gateway":  {"connector", "hall-4", s},
		"a function":       {"gateways", "hall-3", s},
		"no gateway":       {"connector", "", s},
		"another phase":    {"connector", "hall-3", strings.Replace(s, "operational", "provisioning", 1)},
		"another time":     {"connector", "hall-3", strings.Replace(s, "1763769600123", "1763769600124", 1)},
		"no phase":         {"connector", "hall-3", strings.Replace(s, "operational", "", 1)},
		"no number":        {"connector", "hall-3", strings.Replace(s, "1763769600123", "now", 1)},
		"another key":      {"connector", "hall-3", DeriveJoin(other, "hall-3", b)},
		"the mac only":     {"connector", "hall-3", s[strings.LastIndex(s, ".")+1:]},
		"the bus password": {"connector", "hall-3", DeriveBus(key, "hall-3")},
		"nothing":          {"connector", "hall-3", ""},
	} {
		if _, ok := CheckPart(key, try[0], try[1], try[2]); ok {
			t.Errorf("%s is taken", what)
		}
	}
}
