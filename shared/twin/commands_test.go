package twin

import (
	"fmt"
	"slices"
	"testing"
)

func TestCommandsAreListedInOnePlace(t *testing.T) {
	var c Commands
	for _, step := range []struct {
		id      string
		in      Place
		changed bool
		want    string
	}{
		{"a", Waiting, true, "[a] [] []"},
		{"a", Waiting, false, "[a] [] []"},
		{"b", Waiting, true, "[a b] [] []"},
		{"a", Sent, true, "[b] [a] []"},
		{"a", Waiting, true, "[b a] [] []"},
		{"a", Late, true, "[b] [] [a]"},
		{"x", Nowhere, false, "[b] [] [a]"},
		{"b", Nowhere, true, "[] [] [a]"},
	} {
		before := Commands{slices.Clone(c.Waiting), slices.Clone(c.Sent), slices.Clone(c.Late)}
		kept := c // another holder of the same document
		changed := c.Put(step.id, step.in)
		if got := fmt.Sprint(c.Waiting, c.Sent, c.Late); got != step.want || changed != step.changed {
			t.Errorf("%s in %q: %s, %v, want %s, %v", step.id, step.in, got, changed, step.want, step.changed)
		}
		if fmt.Sprint(kept) != fmt.Sprint(before) {
			t.Errorf("%s in %q: what others hold has changed to %v", step.id, step.in, kept)
		}
	}
	for i := range MaxLate + 5 {
		c.Put(fmt.Sprint(i), Late)
	}
	if len(c.Late) != MaxLate || c.Late[0] != "5" || c.Has("4") || !c.Has("5") || c.Open() != 0 {
		t.Errorf("late: %v", c.Late)
	}
}
