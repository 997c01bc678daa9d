package provision

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// having is what a run has made, as the actions of function twin-provision keep and ask for it.
type having struct{ claim, identity, twin, credential, bundle, gateway, delivered, came, active, over bool }

// does does an action, and is what is missing for it; "" if nothing is.
func (h *having) does(a Action) string {
	lacks := func(what string, has bool) string {
		if has {
			return ""
		}
		return what
	}
	switch before := *h; a {
	case CheckClaim:
		h.claim = true
	case CheckIdentity:
		h.identity = true
	case CreateTwin:
		h.twin = true
		return lacks("identity", before.identity)
	case IssueCredential:
		h.credential, h.bundle = true, true
		return lacks("claim, twin or a first round", before.claim && before.twin && !before.over)
	case RegisterGateway:
		h.gateway = true
		return lacks("credential", before.credential)
	case Deliver:
		h.delivered = true
		return lacks("bundle or gateway", before.bundle && before.gateway)
	case RenderConfig:
		return lacks("twin", before.twin)
	case Activate:
		h.active = true
		return lacks("twin", before.twin)
	case CloseClaim:
		return lacks("device", before.came)
	case EraseCredential:
		h.bundle, h.over = false, true
		return lacks("device", before.came)
	case Withdraw:
		*h = having{identity: h.identity, over: true}
	}
	return ""
}

// needy is a model of actions in any order, with ways around any of them.
func needy(r *rand.Rand) Model {
	n := 7 + r.IntN(4)
	name := func(from int) string { return fmt.Sprintf("s%d", min(from+1+r.IntN(2), n)) }
	m := Model{ID: "m", Start: "s0"}
	usual := []Action{CheckClaim, CheckIdentity, CreateTwin, IssueCredential, RegisterGateway, Deliver, CloseClaim, EraseCredential, Activate}
	for i := range n {
		s := State{Name: fmt.Sprintf("s%d", i), Do: usual[min(i, len(usual)-1)], Then: fmt.Sprintf("s%d", i+1), Retries: 1}
		if r.IntN(16) == 0 {
			s.Do = pick(r, CheckClaim, CheckIdentity, RegisterIdentity, CreateTwin, IssueCredential, RegisterGateway, Deliver, RenderConfig, Activate, EraseCredential, Withdraw, "")
		}
		if s.Do == Deliver || r.IntN(20) == 0 {
			s.Await, s.Limit = pick(r, comes...), hour
		}
		switch r.IntN(24) {
		case 0:
			s.Else = name(i)
		case 1:
			s.On = []Transition{{If: pick(r, "yes", "no", "broken"), Then: name(i)}}
		case 2:
			s.On, s.Await, s.Then, s.Limit, s.Else = []Transition{{When: Approved, Then: name(i)}, {When: Timer, Then: name(i)}}, "", "", hour, name(i)
		case 3:
			s.Undo = &Deed{Do: pick(r, CloseClaim, RenderConfig, EraseCredential)}
		}
		m.States = append(m.States, s)
	}
	m.States = append(m.States, State{Name: fmt.Sprintf("s%d", n), Do: Activate, End: Completed})
	c := &check{m: &m}
	reached := c.from(m.Start, func(s *State) []string { return s.leads(true) })
	m.States = slices.DeleteFunc(m.States, func(s State) bool { return !reached[s.Name] })
	return m
}

// lacks walks a model at random, and tells what an action or the end lacked.
func lacks(r *rand.Rand, m Model) string {
	have := having{}
	for at, n := m.Start, 0; n < 200; n++ {
		s, _ := m.State(at)
		if s.Undo != nil {
			before := have
			before.came = true // what is undone waits for no device
			if no := before.does(s.Undo.Do); no != "" {
				return fmt.Sprintf("undo %s of %s: %s", s.Undo.Do, s.Name, no)
			}
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
		if s.End == Completed && !(have.active && have.delivered) {
			return s.Name + " is not operational, or without a device that has something"
		}
		if s.End != "" {
			return ""
		}
		ways := slices.DeleteFunc(slices.Clone(s.Ways()), func(w Transition) bool { return slices.Contains(comes, w.When) && !have.delivered })
		for _, to := range []string{s.Then, s.Else} {
			if to != "" && (to == s.Else || s.Await == "") {
				ways = append(ways, Transition{Then: to})
			}
		}
		if len(ways) == 0 {
			return "" // it waits for what cannot come, and is rejected
		}
		w := ways[r.IntN(len(ways))]
		have.came, at = have.came || slices.Contains(comes, w.When), w.Then
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
			if !slices.ContainsFunc(f, func(f Fault) bool { return f.Path == tt.path && f.Text == tt.text }) {
				t.Errorf("its faults are %+v", f)
			}
		})
	}
}

// A limit that is missing is missed once.
func TestAMissingLimitIsToldOnce(t *testing.T) {
	m := Model{ID: "m", Start: "who", States: []State{{Name: "who", Do: CheckIdentity, With: map[string]string{"unknown": "wait"}, Await: Approved, Then: "make"},
		{Name: "make", Do: CreateTwin, Then: "end"}, {Name: "end", Do: Activate, End: Completed}}}
	limit := func(f Fault) bool { return f.Path != "states[0].limit" }
	if f := slices.DeleteFunc(m.Faults(nil), limit); len(f) != 1 {
		t.Errorf("its faults are %+v", f)
	}
	m.States[0].Limit = -1
	if f := slices.DeleteFunc(m.Faults(nil), limit); len(f) != 1 {
		t.Errorf("with one below nothing its faults are %+v", f)
	}
}

// shortest is the shortest good model.
func shortest() Model {
	return Model{ID: "m", Start: "may", States: []State{{Name: "may", Do: CheckClaim, Then: "who"}, {Name: "who", Do: CheckIdentity, Then: "make"},
		{Name: "make", Do: CreateTwin, Then: "sign"}, {Name: "sign", Do: IssueCredential, Then: "place"}, {Name: "place", Do: RegisterGateway, Then: "hand"},
		{Name: "hand", Do: Deliver, Await: DeviceConfirm, Limit: hour, Then: "wipe"}, {Name: "wipe", Do: EraseCredential, Then: "live"},
		{Name: "live", Do: Activate, End: Completed}}}
}

// A model does not complete for a device that has nothing, takes nothing back before the device has come, and asks nobody's leave twice.
func TestWhatADeviceMustHave(t *testing.T) {
	if m := shortest(); len(m.Faults(coin{})) != 0 {
		t.Fatalf("the shortest good model: %+v", m.Faults(coin{}))
	}
	after := func(m *Model, at int, s State) { // puts a state behind another
		s.Then, m.States[at].Then = m.States[at].Then, s.Name
		m.States = append(m.States, s)
	}
	for name, tt := range map[string]struct {
		change     func(m *Model)
		path, text string
	}{
		"a twin only":       {func(m *Model) { m.States[2].Then = "live"; m.States = append(m.States[:3:3], m.States[7]) }, "states[3].end", "needs a delivered bundle"},
		"nothing delivered": {func(m *Model) { m.States[4].Then = "live"; m.States = append(m.States[:5:5], m.States[7]) }, "states[5].end", "needs a delivered bundle"},
		"withdrawn, and made once more": {func(m *Model) {
			after(m, 5, State{Name: "back", Do: Withdraw})
			after(m, 8, State{Name: "twin", Do: CreateTwin})
		}, "states[7].end", "needs a delivered bundle"},
		"erased before it has come":      {func(m *Model) { m.States[5].Await, m.States[5].Limit = "", 0 }, "states[6].do", "erase-credential needs a device that has come, and there is none on the way may → … → make → sign → place → hand → wipe; await device-confirm or device-seen before it"},
		"closed before it has come":      {func(m *Model) { after(m, 0, State{Name: "close", Do: CloseClaim}) }, "states[8].do", "close-claim needs a device that has come"},
		"closed when it did not come":    {func(m *Model) { m.States[5].Else = "wipe" }, "states[6].do", "erase-credential needs a device that has come"},
		"no claim":                       {func(m *Model) { m.Start, m.States = "who", m.States[1:] }, "states[2].do", "issue-credential needs a checked claim"},
		"a claim that is given back":     {func(m *Model) { after(m, 0, State{Name: "back", Do: Withdraw}) }, "states[3].do", "issue-credential needs a checked claim"},
		"a credential after the erasing": {func(m *Model) { after(m, 6, State{Name: "again", Do: IssueCredential}) }, "states[8].do", "issue-credential needs a run that has erased and withdrawn nothing, and there is none on the way may → … → sign → place → hand → wipe → again; do it earlier"},
		"a device that cannot come":      {func(m *Model) { after(m, 3, State{Name: "wait", Await: DeviceConfirm, Limit: hour}) }, "states[8]", "device-confirm is awaited, and the device has got nothing to come with on any way to it; put deliver before it"},
	} {
		t.Run(name, func(t *testing.T) {
			m := shortest()
			tt.change(&m)
			if f := m.Faults(coin{}); !slices.ContainsFunc(f, func(f Fault) bool { return f.Path == tt.path && strings.Contains(f.Text, tt.text) }) {
				t.Errorf("its faults are %+v", f)
			}
		})
	}
	m := shortest()
	m.States[4].Undo = &Deed{Do: EraseCredential}
	if f := m.Faults(coin{}); len(f) != 0 {
		t.Errorf("what is undone waits for no device: %+v", f)
	}
}
