package provision

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/twin"
)

// Bounds of a model.
const (
	maxStates = 100
	maxWays   = 20
	maxNote   = 1000 // bytes
	maxTitle  = 100
	maxExpr   = 1000
	maxText   = 1000
	maxLimit  = 366 * 24 * time.Hour
	maxSpan   = 30 * time.Second
	minRemind = time.Minute
)

var (
	wordPattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}$`)
	peoplePattern = regexp.MustCompile(`^(owner|group:[A-Za-z0-9][A-Za-z0-9._-]{0,63})$`)
)

// Faults are all faults of the model; guard compiles its conditions.
func (m *Model) Faults(guard Guard) []Fault {
	c := &check{m: m, guard: guard}
	c.model()
	return c.faults
}

// Valid returns a *FaultyError if the model has faults.
func (m *Model) Valid(guard Guard) error {
	if f := m.Faults(guard); len(f) > 0 {
		return &FaultyError{m.ID, f}
	}
	return nil
}

// check collects the faults of a model.
type check struct {
	m      *Model
	guard  Guard
	faults []Fault
}

func (c *check) fault(path, format string, a ...any) {
	c.faults = append(c.faults, Fault{Path: path, Text: fmt.Sprintf(format, a...)})
}

func (c *check) model() {
	m := c.m
	if err := twin.ID(m.ID).Valid(); err != nil {
		c.fault("id", "%.80q must be 1 to 64 letters, digits, '.', '-' or '_', beginning with a letter or digit", m.ID)
	}
	if m.Type != "" && m.Type.Valid() != nil {
		c.fault("type", "%.80q is no id of a type", m.Type)
	}
	c.text("note", m.Note, maxNote)
	if len(m.States) == 0 || len(m.States) > maxStates {
		c.fault("states", "there must be 1 to %d, not %d", maxStates, len(m.States))
		if len(m.States) > maxStates {
			return
		}
	}
	seen := map[string]bool{}
	for i := range m.States {
		s, at := &m.States[i], fmt.Sprintf("states[%d]", i)
		switch {
		case s.Name == "" || len(s.Name) > 64 || !utf8.ValidString(s.Name):
			c.fault(at+".name", "must have 1 to 64 characters")
		case seen[s.Name]:
			c.fault(at+".name", "there are two states named %q", s.Name)
		}
		seen[s.Name] = true
		c.state(s, at)
	}
	if m.Start == "" {
		c.fault("start", "must name the first state")
	} else if !seen[m.Start] {
		c.fault("start", "there is no state %.80q", m.Start)
	} else {
		c.paths()
		c.needs()
	}
}

func (c *check) text(path, s string, most int) {
	if len(s) > most || !utf8.ValidString(s) {
		c.fault(path, "must be text of at most %d bytes", most)
	}
}

func (c *check) state(s *State, at string) {
	c.text(at+".title", s.Title, maxTitle)
	c.deed(Deed{s.Do, s.With}, at+".do", at+".with")
	if s.Undo != nil {
		if s.Undo.Do == "" {
			c.fault(at+".undo.do", "must name an action")
		} else if slices.Contains([]Action{Ask, Instruct, Withdraw}, s.Undo.Do) {
			c.fault(at+".undo.do", "%s cannot be what undoes a state: nothing is awaited then", s.Undo.Do)
		}
		c.deed(*s.Undo, at+".undo.do", at+".undo.with")
	}
	if s.Retries < 0 || s.Retries > 100 {
		c.fault(at+".retries", "must be 0 to 100, not %d", s.Retries)
	}
	for _, d := range []struct {
		name        string
		value       twin.Duration
		least, most time.Duration
	}{{"limit", s.Limit, time.Millisecond, maxLimit}, {"backoff", s.Backoff, 100 * time.Millisecond, MaxBackoff}, {"remind", s.Remind, minRemind, maxLimit}} {
		if d.value != 0 && (d.value.D() < d.least || d.value.D() > d.most) {
			c.fault(at+"."+d.name, "%s must be %s to %s", d.value, twin.Duration(d.least), twin.Duration(d.most))
		}
	}
	c.ways(s, at)
}

// ways looks at how a state is left.
func (c *check) ways(s *State, at string) {
	if len(s.On) > maxWays {
		c.fault(at+".on", "has %d ways out, at most %d are taken", len(s.On), maxWays)
		return
	}
	for i, w := range s.On {
		on := fmt.Sprintf("%s.on[%d]", at, i)
		c.trigger(on+".when", w.When)
		c.expr(on+".if", w.If)
		if w.Then == "" {
			c.fault(on+".then", "must name the next state")
		}
		c.leads(on+".then", w.Then)
	}
	c.trigger(at+".await", s.Await)
	c.leads(at+".then", s.Then)
	c.leads(at+".else", s.Else)
	awaits := s.Awaits()
	human := slices.ContainsFunc(awaits, Trigger.Human)
	switch {
	case s.End != "" && s.End != Completed && s.End != Rejected:
		c.fault(at+".end", "%.40q must be %q or %q", s.End, Completed, Rejected)
	case s.End != "" && (s.Then != "" || s.Else != "" || s.Await != "" || len(s.On) > 0 || s.Limit != 0 || s.Undo != nil):
		c.fault(at+".end", "a state that ends has no then, else, await, on, limit or undo")
	case s.End != "":
	case s.Await != "" && s.Then == "":
		c.fault(at+".then", "must say where it goes when %s came", s.Await)
	case s.Then == "" && len(s.On) == 0:
		c.fault(at, "dead end: it needs then, on or end")
	case s.Await == "" && s.Then != "" && len(awaits) > 0:
		c.fault(at+".then", "is never taken, for the state waits for %s; write it as a way of on", either(awaits))
	}
	switch {
	case s.Limit != 0: // what is wrong with it is told already
	case len(awaits) > 0:
		c.fault(at+".limit", "missing: a state that waits must say for how long, like \"5m\"")
	case s.Do == CheckIdentity && s.With["unknown"] == "wait":
		c.fault(at+".limit", "missing: a device that may wait until it is known must be told for how long, like \"24h\"")
	}
	if s.Remind > 0 && !human {
		c.fault(at+".remind", "nobody is waited for here: approved, declined or confirmed would be")
	}
	if (s.Do == Ask || s.Do == Instruct) && !human {
		c.fault(at+".do", "%s asks people, but none of approved, declined or confirmed is awaited", s.Do)
	}
	if slices.Contains(awaits, Answered) && s.Do != CallService {
		c.fault(at, "answered is awaited, but no service is called here (do: %s)", CallService)
	}
}

func (c *check) trigger(path string, t Trigger) {
	if t != "" && !slices.Contains(Triggers, t) {
		c.fault(path, "there is no trigger %.40q; there are %s", t, list(Triggers))
	}
}

func (c *check) leads(path, to string) {
	if _, ok := c.m.State(to); to != "" && !ok {
		c.fault(path, "there is no state %.80q", to)
	}
}

func (c *check) expr(path, expr string) {
	if len(expr) > maxExpr {
		c.fault(path, "must have at most %d bytes", maxExpr)
		return
	}
	if expr == "" || c.guard == nil {
		return
	}
	if err := c.guard.Compile(expr); err != nil {
		f := Fault{Path: path, Text: "condition " + brief(expr) + ": " + err.Error()}
		if at := new(ExprError); errors.As(err, &at) && at.Line > 0 {
			f.line, f.column = at.Line, at.Column
			f.Text = fmt.Sprintf("condition %s, at %d:%d: %s", brief(expr), at.Line, at.Column, at.Text)
		}
		c.faults = append(c.faults, f)
	}
}

// deed looks at an action and its parameters.
func (c *check) deed(d Deed, do, with string) {
	known, ok := parameters[d.Do]
	if d.Do != "" && !ok {
		c.fault(do, "there is no action %.40q; there are %s", d.Do, list(Actions))
		return
	}
	for _, p := range known {
		if v, ok := d.With[p.Name]; !ok && p.Required {
			c.fault(with, "%s needs %s: %s", d.Do, p.Name, p.Note)
		} else if ok {
			c.parameter(p, with+"."+p.Name, v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.With)) {
		if !slices.ContainsFunc(known, func(p Parameter) bool { return p.Name == name }) {
			c.fault(with+"."+name, "%s has no parameter %.40q%s", or(string(d.Do), "a state without an action"), name, names(known))
		}
	}
}

func (c *check) parameter(p Parameter, path, v string) {
	switch {
	case p.Values != nil && !slices.Contains(p.Values, v):
		c.fault(path, "%.40q must be one of %q", v, p.Values)
	case p.Values != nil:
	case p.Required && strings.TrimSpace(v) == "":
		c.fault(path, "must not be empty")
	case p.Form == Word && !wordPattern.MatchString(v):
		c.fault(path, "%.80q must be 1 to 64 letters, digits or any of \"._:/+-\"", v)
	case p.Form == People && !peoplePattern.MatchString(v):
		c.fault(path, "%.80q must be owner or group:<id>", v)
	case p.Form == Span:
		if d, err := time.ParseDuration(v); err != nil || d < time.Second || d > maxSpan {
			c.fault(path, "%.40q must be 1s to %s", v, maxSpan)
		}
	case p.Form == Text:
		c.text(path, v, maxText)
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func names(known []Parameter) string {
	if len(known) == 0 {
		return "; it has none"
	}
	all := make([]string, len(known))
	for i, p := range known {
		all[i] = p.Name
	}
	return "; it has " + strings.Join(all, ", ")
}

func list[T ~string](all []T) string {
	words := make([]string, len(all))
	for i, w := range all {
		words[i] = string(w)
	}
	return strings.Join(words, ", ")
}
