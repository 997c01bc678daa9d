package provision

import (
	"fmt"
	"maps"
	"slices"
)

// paths reports states that no path from the start comes to, states from which none leads to an end, circles that nothing
// holds up, and models that complete nothing.
func (c *check) paths() {
	m := c.m
	reached := c.from(m.Start, func(s *State) []string { return s.leads(true) })
	// A way that is missing is one fault, told with the state that it is missing of: what cannot be come to, or left, for want of it is none.
	cut := slices.ContainsFunc(m.States, func(s State) bool { return reached[s.Name] && (s.dead() || c.lost(&s)) })
	completes, told := cut, map[string]bool{}
	for i := range m.States {
		s, at := &m.States[i], fmt.Sprintf("states[%d]", i)
		ways := c.from(s.Name, func(s *State) []string { return s.leads(true) })
		switch {
		case !reached[s.Name]:
			if !cut && !told[s.Name] && !c.behind(s.Name, ways, reached) {
				c.fault(at, "state %s cannot be reached from %s", s.Name, m.Start)
				maps.Copy(told, ways)
			}
			continue
		case !told[s.Name] && !c.ends(ways):
			c.fault(at, "no way from state %s leads to an end", s.Name)
			maps.Copy(told, ways) // nor does one from those that it leads to
		}
		completes = completes || s.End == Completed
		if s.circles(c) {
			c.fault(at, "state %s leads back to itself with nothing to wait for and no retries between", s.Name)
		}
	}
	if !completes {
		c.fault("states", "no path leads to an end that is %q", Completed)
	}
}

// ends tells whether any of the states ends a run, or is known to miss its way out.
func (c *check) ends(ways map[string]bool) bool {
	for name := range ways {
		if s, _ := c.m.State(name); s.End != "" || s.dead() || c.lost(&s) {
			return true
		}
	}
	return false
}

// lost tells whether a state leads to one that there is not, which is told of already.
func (c *check) lost(s *State) bool {
	return slices.ContainsFunc(s.leads(true), func(to string) bool { _, ok := c.m.State(to); return !ok })
}

// behind tells whether a state that cannot be reached would be, were another one that does not come after it.
func (c *check) behind(name string, ways, reached map[string]bool) bool {
	return slices.ContainsFunc(c.m.States, func(s State) bool {
		return !reached[s.Name] && !ways[s.Name] && c.from(s.Name, func(s *State) []string { return s.leads(true) })[name]
	})
}

// from is every state that next leads to from start, start among them.
func (c *check) from(start string, next func(*State) []string) map[string]bool {
	reached := map[string]bool{}
	for todo := []string{start}; len(todo) > 0; {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		s, ok := c.m.State(name)
		if !ok || reached[name] {
			continue
		}
		reached[name] = true
		todo = append(todo, next(&s)...)
	}
	return reached
}

// leads are the states that a state may go to; all: also where a wait or a rest is between.
func (s *State) leads(all bool) (to []string) {
	awaits := s.Awaits()
	for _, w := range s.Ways() {
		if all || w.When == "" {
			to = append(to, w.Then)
		}
	}
	if len(awaits) == 0 && s.Then != "" {
		to = append(to, s.Then)
	}
	if s.Else != "" && (all || len(awaits) == 0 && s.Retries == 0) {
		to = append(to, s.Else)
	}
	return to
}

// dead tells whether a state is a dead end that is told of already.
func (s *State) dead() bool { return s.End == "" && len(s.leads(true)) == 0 }

// circles tells whether the state comes back to itself at once.
func (s *State) circles(c *check) bool {
	for _, to := range s.leads(false) {
		if c.from(to, func(s *State) []string { return s.leads(false) })[s.Name] {
			return true
		}
	}
	return false
}
