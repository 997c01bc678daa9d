package provision

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// having is what a run has made, as the actions of function twin-provision keep and ask for it.
type having struct{ identity, twin, credential, bundle, gateway, active bool }

// does does an action, and is what is missing for it; "" if nothing is.
func (h *having) does(a Action) string {
	switch a {
	case CheckIdentity:
		h.identity = true
	case CreateTwin:
		if !h.identity {
			return "identity"
		}
		h.twin = true
	case IssueCredential:
		if !h.twin {
			return "twin"
		}
		h.credential, h.bundle = true, true
	case RegisterGateway:
		if !h.credential {
			return "credential"
		}
		h.gateway = true
	case Deliver:
		if !h.bundle || !h.gateway {
			return "bundle or gateway"
		}
	case RenderConfig:
		if !h.twin {
			return "twin"
		}
	case Activate:
		if !h.twin {
			return "twin"
		}
		h.active = true
	case EraseCredential:
		h.bundle = false
	case Withdraw:
		*h = having{identity: h.identity}
	}
	return ""
}

// needy is a model of actions in any order, with ways around any of them.
func needy(r *rand.Rand) Model {
	n := 3 + r.IntN(8)
	name := func(from int) string { return fmt.Sprintf("s%d", min(from+1+r.IntN(2), n)) }
	m := Model{ID: "m", Start: "s0"}
	usual := []Action{CheckIdentity, CreateTwin, IssueCredential, RegisterGateway, Deliver, EraseCredential, Activate}
	for i := range n {
		s := State{Name: fmt.Sprintf("s%d", i), Do: usual[min(i, len(usual)-1)], Then: fmt.Sprintf("s%d", i+1), Retries: 1}
		if r.IntN(6) == 0 {
			s.Do = pick(r, CheckIdentity, RegisterIdentity, CreateTwin, IssueCredential, RegisterGateway, Deliver, RenderConfig, Activate, EraseCredential, Withdraw, "")
		}
		switch r.IntN(10) {
		case 0:
			s.Else = name(i)
		case 1:
			s.On = []Transition{{If: pick(r, "yes", "no", "broken"), Then: name(i)}}
		case 2:
			s.On, s.Then, s.Limit, s.Else = []Transition{{When: Approved, Then: name(i)}, {When: Timer, Then: name(i)}}, "", hour, name(i)
		case 3:
			s.Undo = &Deed{Do: pick(r, CloseClaim, RenderConfig, EraseCredential)}
		}
		m.States = append(m.States, s)
	}
	m.States = append(m.States, State{Name: fmt.Sprintf("s%d", n), Do: pick(r, Activate, Activate, ""), End: Completed})
	c := &check{m: &m}
	reached := c.from(m.Start, func(s *State) []string { return s.leads(true) })
	m.States = slices.DeleteFunc(m.States, func(s State) bool { return !reached[s.Name] })
	return m
}

// lacks walks a model at random, and tells what an action or the end lacked.
func lacks(r *rand.Rand, m Model) string {
	have, undo := having{}, []Deed{}
	for at, n := m.Start, 0; n < 200; n++ {
		s, _ := m.State(at)
		if s.Undo != nil {
			before := have
			if no := before.does(s.Undo.Do); no != "" {
				return fmt.Sprintf("undo %s of %s: %s", s.Undo.Do, s.Name, no)
			}
			undo = append(undo, *s.Undo)
		}
		if s.Else != "" && r.IntN(3) == 0 { // the platform refuses it
			if before := have; before.does(s.Do) == "" {
				at = s.Else
				continue
			}
		}
		if no := have.does(s.Do); no != "" {
			return fmt.Sprintf("%s in %s: %s", s.Do, s.Name, no)
		}
		if s.End == Completed && !have.active {
			return s.Name + " is not operational"
		}
		if s.End != "" {
			return ""
		}
		to := s.leads(true)
		at = to[r.IntN(len(to))]
	}
	return ""
}

// Whatever way a model without faults goes, no action lacks what it needs; and of one that is told to lack something some way does.
func TestNoActionLacksWhatItNeeds(t *testing.T) {
	good, bad, unproved := 0, 0, 0
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 11))
		m := needy(r)
		faults := m.Faults(coin{})
		own := slices.DeleteFunc(slices.Clone(faults), func(f Fault) bool { return !strings.Contains(f.Text, "there is none on the way") })
		if len(own) < len(faults) {
			continue // it is bad in another way
		}
		found := ""
		for range 60 {
			if found = lacks(r, m); found != "" {
				break
			}
		}
		switch {
		case len(own) == 0 && found != "":
			t.Fatalf("seed %d: %s, and no fault tells it: %+v", seed, found, m)
		case len(own) == 0:
			good++
		case found == "":
			unproved++ // a way that is hard to find by chance
		default:
			bad++
		}
	}
	if good < 500 || bad < 500 || unproved*20 > bad {
		t.Errorf("%d were good, %d bad, and of %d no way was found that lacks anything", good, bad, unproved)
	}
}

func TestAFaultTellsWhatIsMissing(t *testing.T) {
	end := State{Name: "end", Do: Activate, End: Completed}
	ask := State{Name: "ask", Do: Ask, With: map[string]string{"question": "?"}, On: []Transition{{When: Approved, Then: "make"}}, Limit: hour, Else: "who"}
	for name, tt := range map[string]struct {
		states []State
		path   string
		text   string
	}{
		"activate alone": {[]State{end}, "states[0].do", "activate needs a twin, and there is none on the way end; put create-twin before it"},
		"nothing at all": {[]State{{Name: "end", End: Completed}}, "states[0].end", "an end that is completed needs an operational twin, and there is none on the way end; put activate before it"},
		"an identity that is only registered": {[]State{{Name: "know", Do: RegisterIdentity, Then: "make"}, {Name: "make", Do: CreateTwin, Then: "end"}, end}, "states[1].do",
			"create-twin needs a checked identity, and there is none on the way know → make; put check-identity before it"},
		"one of two ways": {[]State{ask, {Name: "who", Do: CheckIdentity, Then: "make"}, {Name: "make", Do: CreateTwin, Then: "end"}, end}, "states[2].do",
			"create-twin needs a checked identity, and there is none on the way ask → make; put check-identity before it"},
		"a way on although the check was refused": {[]State{{Name: "who", Do: CheckIdentity, Then: "make", Else: "make"}, {Name: "make", Do: CreateTwin, Then: "end"}, end}, "states[1].do",
			"create-twin needs a checked identity, and there is none on the way who → make; put check-identity before it"},
		"what was erased is delivered": {[]State{{Name: "who", Do: CheckIdentity, Then: "make"}, {Name: "make", Do: CreateTwin, Then: "sign"}, {Name: "sign", Do: IssueCredential, Then: "place"},
			{Name: "place", Do: RegisterGateway, Then: "wipe"}, {Name: "wipe", Do: EraseCredential, Then: "hand"}, {Name: "hand", Do: Deliver, Then: "end"}, end}, "states[5].do",
			"deliver needs a credential that is not erased, and there is none on the way who → make → sign → place → wipe → hand; put issue-credential before it"},
		"a long way": {[]State{{Name: "a", Do: CheckIdentity, Then: "b"}, {Name: "b", Do: CreateTwin, Then: "c"}, {Name: "c", Then: "d"}, {Name: "d", Then: "e"}, {Name: "e", Then: "f"},
			{Name: "f", Then: "g"}, {Name: "g", Do: RegisterGateway, Then: "end"}, end}, "states[6].do",
			"register-gateway needs a credential, and there is none on the way a → … → c → d → e → f → g; put issue-credential before it"},
	} {
		t.Run(name, func(t *testing.T) {
			m := Model{ID: "m", Start: tt.states[0].Name, States: tt.states}
			f := m.Faults(coin{})
			if len(f) != 1 || f[0].Path != tt.path || f[0].Text != tt.text {
				t.Errorf("its faults are %+v", f)
			}
		})
	}
}

// A limit that is missing is missed once.
func TestAMissingLimitIsToldOnce(t *testing.T) {
	m := Model{ID: "m", Start: "who", States: []State{{Name: "who", Do: CheckIdentity, With: map[string]string{"unknown": "wait"}, Await: Approved, Then: "make"},
		{Name: "make", Do: CreateTwin, Then: "end"}, {Name: "end", Do: Activate, End: Completed}}}
	if f := m.Faults(nil); len(f) != 1 || f[0].Path != "states[0].limit" {
		t.Errorf("its faults are %+v", f)
	}
	m.States[0].Limit = -1
	if f := m.Faults(nil); len(f) != 1 || f[0].Path != "states[0].limit" {
		t.Errorf("with one below nothing its faults are %+v", f)
	}
}
