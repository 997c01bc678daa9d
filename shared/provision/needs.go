package provision

import (
	"fmt"
	"slices"
	"strings"
)

// A thing is what an action needs of those before it.
type thing string

// The things.
const (
	anIdentity   thing = "a checked identity"
	aTwin        thing = "a twin"
	aCredential  thing = "a credential"
	aGateway     thing = "a gateway"
	aBundle      thing = "a credential that is not erased" // what of it is handed to the device
	anActiveTwin thing = "an operational twin"
)

// things are all of them, each with the action that gives it, in the order in which they come to be.
var things = []struct {
	thing thing
	by    Action
}{{anIdentity, CheckIdentity}, {aTwin, CreateTwin}, {aCredential, IssueCredential}, {aBundle, IssueCredential}, {aGateway, RegisterGateway}, {anActiveTwin, Activate}}

// needs are what each action cannot do without; takes is what is there no more once it is done. Who needs nothing, like
// register-identity, is content with what every run begins with. That register-identity makes a serial known is no check of it.
var (
	needs = map[Action][]thing{
		CreateTwin:      {anIdentity},
		IssueCredential: {aTwin},
		RegisterGateway: {aCredential},
		RenderConfig:    {aTwin},
		Deliver:         {aGateway, aBundle},
		Activate:        {aTwin},
	}
	takes = map[Action][]thing{
		EraseCredential: {aBundle},
		Withdraw:        {aTwin, aCredential, aBundle, aGateway, anActiveTwin},
	}
)

// A point is a state as a way comes to it: with a thing, or without.
type point struct {
	state string
	has   bool
}

// needs reports actions that some way comes to without what they need, and ways to a completed end without an operational twin.
// What a condition on a way says is not looked at: a model must be good however they turn out.
func (c *check) needs() {
	if slices.ContainsFunc(c.m.States, func(s State) bool { return s.Do != "" && !slices.Contains(Actions, s.Do) }) {
		return // nobody knows what an unknown action would give
	}
	for _, t := range things {
		told := map[string]bool{}
		c.walk(t.thing, t.by, func(p point, done bool, way func() string) {
			i := slices.IndexFunc(c.m.States, func(s State) bool { return s.Name == p.state })
			s, at := &c.m.States[i], fmt.Sprintf("states[%d]", i)
			missing := func(path, who string) {
				if !told[path] {
					told[path] = true
					c.fault(path, "%s needs %s, and there is none on the way %s; put %s before it", who, t.thing, way(), t.by)
				}
			}
			if !p.has && slices.Contains(needs[s.Do], t.thing) {
				missing(at+".do", string(s.Do))
			}
			if !p.has && s.Undo != nil && slices.Contains(needs[s.Undo.Do], t.thing) {
				missing(at+".undo.do", string(s.Undo.Do))
			}
			if !done && s.End == Completed && t.thing == anActiveTwin {
				missing(at+".end", "an end that is "+string(Completed))
			}
		})
	}
}

// walk visits every point that the model's ways come to, nearest first. done tells whether the thing is there once the state's
// action is done, way how the point is come to.
func (c *check) walk(t thing, by Action, visit func(p point, done bool, way func() string)) {
	first := point{state: c.m.Start}
	from := map[point]point{first: first}
	for todo := []point{first}; len(todo) > 0; todo = todo[1:] {
		p := todo[0]
		s, ok := c.m.State(p.state)
		if !ok {
			continue
		}
		done := (p.has || s.Do == by) && !slices.Contains(takes[s.Do], t)
		visit(p, done, func() string { return way(from, p) })
		next := []point{}
		for _, w := range s.Ways() {
			next = append(next, point{w.Then, done})
		}
		if s.Then != "" {
			next = append(next, point{s.Then, done})
		}
		if s.Else != "" { // the action was refused, or is done and nothing came
			next = append(next, point{s.Else, p.has}, point{s.Else, done})
		}
		for _, n := range next {
			if _, seen := from[n]; !seen {
				from[n], todo = p, append(todo, n)
			}
		}
	}
}

// maxWay bounds how many states of a way are told.
const maxWay = 6

// way is how a point was come to: "claim → approval → twin".
func way(from map[point]point, p point) string {
	names := []string{p.state}
	for from[p] != p {
		p = from[p]
		names = append(names, p.state)
	}
	slices.Reverse(names)
	if n := len(names); n > maxWay {
		names = slices.Concat(names[:1], []string{"…"}, names[n-maxWay+1:])
	}
	return strings.Join(names, " → ")
}
