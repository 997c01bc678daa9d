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
	aClaim       thing = "a checked claim"
	aFirstRound  thing = "a run that has erased and withdrawn nothing" // of what was erased or withdrawn no second one is made
	aBundle      thing = "a credential that is not erased"             // what of it is handed to the device
	aDelivery    thing = "a delivered bundle"                          // which needs all else that a device must have
	aDevice      thing = "a device that has come"                      // to its gateway, with what was delivered
	anActiveTwin thing = "an operational twin"
)

// A source is how a thing comes to be: by an action, by a way that a trigger opens, or with the run.
type source struct {
	thing thing
	by    Action
	when  []Trigger
	begun bool
}

// gives tells whether a way of the state brings the thing.
func (g *source) gives(w Transition) bool { return slices.Contains(g.when, w.When) }

// cure is what a model that lacks the thing is to do.
func (g *source) cure() string {
	switch {
	case g.begun:
		return "do it earlier"
	case g.by == "":
		return "await " + either(g.when) + " before it"
	}
	return "put " + string(g.by) + " before it"
}

// comes are the triggers by which a device shows that it has what was delivered.
var comes = []Trigger{DeviceConfirm, DeviceSeen}

// things are all of them, each with what gives it, in the order in which they come to be.
var things = []source{{thing: anIdentity, by: CheckIdentity}, {thing: aClaim, by: CheckClaim}, {thing: aTwin, by: CreateTwin}, {thing: aFirstRound, begun: true},
	{thing: aCredential, by: IssueCredential}, {thing: aBundle, by: IssueCredential}, {thing: aGateway, by: RegisterGateway}, {thing: aDelivery, by: Deliver},
	{thing: aDevice, when: comes}, {thing: anActiveTwin, by: Activate}}

// needs are what each action cannot do without; takes is what is there no more once it is done. Who needs nothing, like
// register-identity, is content with what every run begins with. That register-identity makes a serial known is no check of it.
var (
	needs = map[Action][]thing{
		CreateTwin:      {anIdentity},
		IssueCredential: {aClaim, aTwin, aFirstRound},
		RegisterGateway: {aCredential},
		RenderConfig:    {aTwin},
		Deliver:         {aGateway, aBundle},
		Activate:        {aTwin},
		CloseClaim:      {aDevice}, // who has not got its bundle asks for it with its claim
		EraseCredential: {aDevice},
	}
	takes = map[Action][]thing{
		EraseCredential: {aBundle, aFirstRound},
		Withdraw:        {aClaim, aTwin, aFirstRound, aCredential, aBundle, aGateway, aDelivery, aDevice, anActiveTwin},
	}
	ends = []thing{aDelivery, anActiveTwin} // what a completed end cannot do without
)

// A point is a state as a way comes to it: with a thing, or without.
type point struct {
	state string
	has   bool
}

// needs reports actions that some way comes to without what they need, ways to a completed end on which the device has got nothing or its
// twin is not operational, and waits for a device that can have nothing to come with.
// What a condition on a way says is not looked at: a model must be good however they turn out.
func (c *check) needs() {
	if slices.ContainsFunc(c.m.States, func(s State) bool { return s.Do != "" && !slices.Contains(Actions, s.Do) }) {
		return // nobody knows what an unknown action would give
	}
	for _, t := range things {
		told, ever := map[string]bool{}, map[int]bool{} // ever: in which states the thing can be
		c.walk(&t, func(p point, done bool, way func() string) {
			i := slices.IndexFunc(c.m.States, func(s State) bool { return s.Name == p.state })
			s, at := &c.m.States[i], fmt.Sprintf("states[%d]", i)
			missing := func(path, who string) {
				if !told[path] {
					told[path] = true
					c.fault(path, "%s needs %s, and there is none on the way %s; %s", who, t.thing, way(), t.cure())
				}
			}
			if !p.has && slices.Contains(needs[s.Do], t.thing) {
				missing(at+".do", string(s.Do))
			}
			if !p.has && s.Undo != nil && t.thing != aDevice && slices.Contains(needs[s.Undo.Do], t.thing) { // what is undone waits for no device
				missing(at+".undo.do", string(s.Undo.Do))
			}
			if !done && s.End == Completed && slices.Contains(ends, t.thing) {
				missing(at+".end", "an end that is "+string(Completed))
			}
			ever[i] = ever[i] || done
		})
		for i := range c.m.States {
			if has, reached := ever[i]; t.thing == aDelivery && reached && !has {
				c.unheard(i)
			}
		}
	}
}

// unheard reports the waits of a state for a device that has got nothing yet, whichever way it came.
func (c *check) unheard(i int) {
	for _, w := range c.m.States[i].Awaits() {
		if slices.Contains(comes, w) {
			c.fault(fmt.Sprintf("states[%d]", i), "%s is awaited, and the device has got nothing to come with on any way to it; put %s before it", w, Deliver)
		}
	}
}

// walk visits every point that the model's ways come to, nearest first. done tells whether the thing is there once the state's
// action is done, way how the point is come to.
func (c *check) walk(t *source, visit func(p point, done bool, way func() string)) {
	first := point{c.m.Start, t.begun}
	from := map[point]point{first: first}
	for todo := []point{first}; len(todo) > 0; todo = todo[1:] {
		p := todo[0]
		s, ok := c.m.State(p.state)
		if !ok {
			continue
		}
		done := (p.has || t.by != "" && s.Do == t.by) && !slices.Contains(takes[s.Do], t.thing)
		visit(p, done, func() string { return way(from, p) })
		next := []point{}
		for _, w := range s.Ways() {
			next = append(next, point{w.Then, done || t.gives(w)})
		}
		if s.Then != "" && s.Await == "" {
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
