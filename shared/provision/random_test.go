package provision

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// coin is a guard whose conditions are words: yes, no and broken.
type coin struct{}

func (coin) Compile(expr string) error {
	if !slices.Contains([]string{"yes", "no", "broken"}, expr) {
		return &ExprError{1, 1, "no such word"}
	}
	return nil
}

func (coin) Holds(expr string, facts map[string]any) (bool, error) {
	if expr == "broken" {
		return false, errors.New("it is broken")
	}
	return expr == "yes", nil
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// anyModel is a model that may have faults.
func anyModel(r *rand.Rand) Model {
	n := 2 + r.IntN(8)
	name := func() string { return fmt.Sprintf("s%d", r.IntN(n+2)) }
	m := Model{ID: "m", Start: "s0"}
	if r.IntN(4) > 0 { // what most actions need is there before anything else
		m = shortest()
		m.States = m.States[:6]
		m.States[5].Retries, m.States[5].Then = 20, "s0"
	}
	for i := range n {
		s := State{Name: fmt.Sprintf("s%d", i), Retries: r.IntN(4), Do: pick(r, "", CheckClaim, CreateTwin, RegisterGateway, CloseClaim, CheckIdentity, EraseCredential)}
		if r.IntN(4) == 0 {
			s.Undo = &Deed{Do: pick(r, CloseClaim, EraseCredential)}
		}
		switch r.IntN(4) {
		case 0:
			s.Await = pick(r, GatewayReady, DeviceConfirm, Approved, DeviceAsked, Timer)
		case 1:
			s.Do, s.With = Ask, map[string]string{"question": "may it?"}
			s.On = []Transition{{When: Approved, If: pick(r, "", "yes", "no", "broken"), Then: name()}}
			s.Remind = twin.Duration(r.IntN(3)) * twin.Duration(time.Hour)
		case 2:
			for range r.IntN(3) {
				s.On = append(s.On, Transition{When: pick(r, Triggers...), If: pick(r, "", "yes", "no", "broken"), Then: name()})
			}
			s.On = slices.DeleteFunc(s.On, func(w Transition) bool { return w.When == Answered })
		}
		if len(s.Awaits()) > 0 {
			s.Limit = twin.Duration(1+r.IntN(12)) * twin.Duration(time.Hour)
		}
		if s.Await != "" || len(s.Awaits()) == 0 {
			s.Then = name()
		}
		if r.IntN(2) == 0 {
			s.Else = name()
		}
		m.States = append(m.States, s)
	}
	m.States = append(m.States, State{Name: fmt.Sprintf("s%d", n), Do: Activate, End: Completed}, State{Name: fmt.Sprintf("s%d", n+1), Do: pick(r, Withdraw, ""), End: Rejected})
	// What no way comes to would be a fault of nearly every one of them.
	c := &check{m: &m}
	for {
		reached := c.from(m.Start, func(s *State) []string { return s.leads(true) })
		if len(reached) == len(m.States) {
			return m
		}
		m.States = slices.DeleteFunc(m.States, func(s State) bool { return !reached[s.Name] })
	}
}

// happen does something to a run that may happen at any time.
func happen(r *rand.Rand, run *Run, now time.Time) {
	switch r.IntN(12) {
	case 0, 1, 2, 3:
		if run.Ready(now) {
			run.Done("p", "", now)
		}
	case 4:
		if run.Ready(now) {
			run.Failed("p", "away", now)
		}
	case 5:
		if run.Ready(now) && r.IntN(3) == 0 {
			run.Refused("p", "no", now)
		}
	case 6, 7, 8:
		run.Triggered(pick(r, Triggers...), "x", "", now)
	case 9:
		run.Decide(Decision{Trigger: pick(r, Approved, Declined, Confirmed), By: "user:ada", At: now}, now)
	case 10:
		if !run.Late(now) {
			run.Reminded(now)
		}
	case 11:
		if r.IntN(20) == 0 {
			run.Reset("user:ada", "anew", now)
		}
	}
}

// Whatever a model without faults says and in whatever order things happen, somebody always looks at the run again, and it ends
// once.
func TestNoRunIsEverStuck(t *testing.T) {
	models, ended := 0, map[Outcome]int{}
	for seed := range uint64(6000) {
		r := rand.New(rand.NewPCG(seed, 7))
		m := anyModel(r)
		if len(m.Faults(coin{})) > 0 {
			continue
		}
		models++
		now := begin
		run := (&Run{ID: "r", Model: m}).Under(coin{})
		run.Begin(now)
		fail := func(format string, a ...any) {
			t.Helper()
			t.Fatalf("seed %d: %s\n%+v\n%+v", seed, fmt.Sprintf(format, a...), m, run.Steps[max(0, len(run.Steps)-20):])
		}
		attempt := run.Attempt
		for n := 0; run.Outcome == ""; n++ {
			if n > 100_000 {
				fail("it does not end")
			}
			if run.Due.IsZero() {
				fail("nobody would ever look at it again")
			}
			if (run.Asks != nil) != (run.Waiting && slices.ContainsFunc(awaits(run), Trigger.Human)) {
				fail("it asks %+v while it waits: %t", run.Asks, run.Waiting)
			}
			if run.Attempt < attempt {
				fail("the attempt went back")
			}
			attempt = run.Attempt
			if n < 200 && r.IntN(4) > 0 {
				happen(r, run, now)
				continue
			}
			// Somebody looks when it is due.
			if run.Due.After(now) {
				now = run.Due
			}
			switch {
			case run.Late(now), run.Reminded(now), run.Told(now):
			case run.Ready(now):
				run.Done("p", "", now)
			default:
				fail("it is due, and there is nothing to do: %s", state(run))
			}
		}
		ended[run.Outcome]++
		before := *run
		for range 50 {
			after(r, run, now)
		}
		if run.Outcome != before.Outcome || len(run.Steps) != len(before.Steps) || run.State != before.State || !run.Due.IsZero() || run.Asks != nil {
			fail("something happened to it after its end")
		}
		if run.Outcome == Rejected && len(run.Entered) > 0 {
			fail("%v was not undone", run.Entered)
		}
	}
	if models < 500 || ended[Completed] < 50 || ended[Rejected] < 50 {
		t.Errorf("of 6000 models %d had no faults; the runs ended %v", models, ended)
	}
}

// after does to a run all that may still come when it has ended.
func after(r *rand.Rand, run *Run, now time.Time) {
	run.Triggered(pick(r, Triggers...), "x", "", now)
	run.Decide(Decision{Trigger: pick(r, Approved, Declined, Confirmed), At: now}, now)
	run.Late(now.Add(time.Hour * 24 * 400))
	run.Reminded(now.Add(time.Hour * 24 * 400))
	run.Done("p", "", now)
	run.Failed("p", "away", now)
	run.Refused("p", "no", now)
}

func awaits(r *Run) []Trigger {
	s, _ := r.Model.State(r.State)
	return s.Awaits()
}
