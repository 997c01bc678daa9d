package provision

import (
	"strings"
	"testing"
)

// A way out that is missing is told once, with the state that it is missing of.
func TestAMissingWayIsOneFault(t *testing.T) {
	model := func(change func(m *Model)) *Model {
		m := &Model{ID: "m", Start: "a", States: []State{{Name: "a", Then: "b"}, {Name: "b", Then: "c"}, {Name: "c", Then: "yes"},
			{Name: "yes", End: Completed}}}
		change(m)
		return m
	}
	for name, tt := range map[string]struct {
		m    *Model
		path string
	}{
		"a dead end":           {model(func(m *Model) { m.States[0].Then = "" }), "states[0]"},
		"a name that is wrong": {model(func(m *Model) { m.States[1].Then = "d" }), "states[1].then"},
		"states left aside":    {model(func(m *Model) { m.States[0].Then = "yes" }), "states[1]"},
	} {
		c := &check{m: tt.m}
		c.ways(&tt.m.States[0], "states[0]")
		c.ways(&tt.m.States[1], "states[1]")
		c.paths()
		if len(c.faults) != 1 || !strings.HasPrefix(c.faults[0].Path, tt.path) {
			t.Errorf("%s: %v", name, c.faults)
		}
	}
}
