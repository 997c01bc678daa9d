package provision

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

const hour = twin.Duration(time.Hour)

// begun is a run of a model of these states, judged by coin.
func begun(states ...State) *Run {
	states = append(states, State{Name: "yes", Do: Activate, End: Completed}, State{Name: "no", Do: Withdraw, End: Rejected})
	r := (&Run{ID: "r", Type: "pump", Request: Request{Serial: "P-1"}, Model: Model{ID: "m", Start: states[0].Name, States: states}}).Under(coin{})
	r.Begin(begin)
	return r
}

func outcomes(r *Run) string {
	var s []string
	for _, st := range r.Steps {
		s = append(s, string(st.State)+":"+st.Outcome)
	}
	return strings.Join(s, " ")
}

func TestTheFirstWayThatIsOpenIsTaken(t *testing.T) {
	for name, tt := range map[string]struct {
		on   []Transition
		then string
		want string
	}{
		"the first of two":           {[]Transition{{If: "yes", Then: "yes"}, {Then: "no"}}, "", "yes/activate"},
		"the second":                 {[]Transition{{If: "no", Then: "no"}, {Then: "yes"}}, "", "yes/activate"},
		"none, then":                 {[]Transition{{If: "no", Then: "no"}}, "yes", "yes/activate"},
		"none, and no then":          {[]Transition{{If: "no", Then: "yes"}}, "", "a/withdraw withdrawing"},
		"one that cannot be judged":  {[]Transition{{If: "broken", Then: "no"}, {Then: "yes"}}, "", "yes/activate"},
		"at once, although it waits": {[]Transition{{When: Approved, Then: "no"}, {If: "yes", Then: "yes"}}, "", "yes/activate"},
	} {
		t.Run(name, func(t *testing.T) {
			r := begun(State{Name: "a", Do: CheckClaim, On: tt.on, Then: tt.then, Limit: hour})
			r.Done("p", "", begin)
			if got := state(r); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if told := strings.Contains(outcomes(r), "a:ignored"); told != (name == "one that cannot be judged") {
				t.Errorf("the log: %s", outcomes(r))
			}
		})
	}
}

func TestPeopleAreAskedWhileARunWaits(t *testing.T) {
	ask := State{Name: "ask", Do: Ask, With: map[string]string{"question": "{serial} of {type}?", "by": "group:q", "input": "serial"},
		On: []Transition{{When: Approved, If: "yes", Then: "yes"}}, Limit: 72 * hour, Remind: 24 * hour}
	r := begun(ask)
	if r.Decide(Decision{Trigger: Approved}, begin) || r.Decision != nil {
		t.Error("it is decided about what was not asked yet")
	}
	r.Done("p", "", begin)
	a := r.Asks
	if a == nil || a.Text != "P-1 of pump?" || a.By != "group:q" || a.Input != "serial" || r.Due != begin.Add(Pickup) {
		t.Fatalf("it asks %+v, and is due %s, until when people should have been told", a, r.Due)
	}
	if !r.Told(begin) || r.Told(begin) || r.Due != begin.Add(24*time.Hour) {
		t.Errorf("they were told; it is due %s", r.Due)
	}
	for i, at := range []time.Duration{24 * time.Hour, 48 * time.Hour} {
		now := begin.Add(at)
		if r.Late(now) || !r.Reminded(now) || r.Reminded(now) || r.Asks.Reminders != i+1 {
			t.Errorf("after %s: %+v", at, r.Asks)
		}
	}
	if r.Due != r.Deadline {
		t.Errorf("it is due %s, its limit passes %s", r.Due, r.Deadline)
	}
	if !r.Decide(Decision{Trigger: Declined, By: "user:ada", Reason: "not ours"}, begin) || r.Reason != "declined: not ours" || r.Asks != nil || !r.Withdrawing {
		t.Errorf("declined: %s, %q, %+v", state(r), r.Reason, r.Asks)
	}
	r = begun(ask)
	r.Done("p", "", begin)
	if !r.Decide(Decision{Trigger: Approved, By: "user:ada"}, begin) || state(r) != "yes/activate" || r.Facts()["decision"].(map[string]any)["by"] != "user:ada" {
		t.Errorf("approved: %s, %+v", state(r), r.Decision)
	}
	r = begun(ask)
	r.Done("p", "", begin)
	if !r.Late(begin.Add(72*time.Hour)) || !r.Withdrawing || !strings.Contains(r.Reason, "nobody decided within 72h") {
		t.Errorf("nobody decides: %s, %q", state(r), r.Reason)
	}
}

func TestWhatWasEnteredIsUndoneLatestFirst(t *testing.T) {
	undo := func(a Action) *Deed { return &Deed{Do: a, With: map[string]string{"text": string(a)}} }
	states := []State{
		{Name: "a", Do: CheckClaim, Undo: undo(CloseClaim), Then: "b"},
		{Name: "b", Do: CreateTwin, Then: "c"},
		{Name: "c", Do: RegisterGateway, Undo: undo(Notify), Then: "d"},
		{Name: "d", Do: Deliver, Then: "yes", Else: "no"},
	}
	enter := func() *Run {
		r := begun(states...)
		for range 3 {
			r.Done("p", "", begin)
		}
		return r
	}
	ends := map[string]func(*Run){
		"refused, by a way": func(r *Run) { r.Refused("p", "no", begin) },
		"reset":             func(r *Run) { r.Reset("user:ada", "anew", begin) },
		"reset when completed": func(r *Run) {
			r.Done("p", "", begin)
			r.Done("p", "", begin)
			r.Reset("user:ada", "anew", begin)
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			r := enter()
			end(r)
			var did []Action
			now := begin
			for i := 0; r.Outcome == ""; i++ {
				if task := r.Task(); i%2 == 0 {
					did = append(did, task.Do)
					if task.Do == Notify && task.With["text"] != "notify" {
						t.Errorf("it is undone with %v", task.With)
					}
					r.Failed("p", "away", now) // each is tried again
					now = r.Rest
				} else {
					r.Done("p", "", now)
				}
			}
			if !slices.Equal(did, []Action{Notify, CloseClaim, Withdraw}) || r.Outcome != Rejected {
				t.Errorf("it did %v and ended %s", did, r.Outcome)
			}
		})
	}
	r, tries, now := enter(), 0, begin
	r.Reset("user:ada", "anew", begin)
	for r.Next() == Notify {
		if tries++; tries > 20 {
			t.Fatal("what cannot be undone is tried for ever")
		}
		r.Refused("p", "never", now)
		now = r.Due
	}
	if tries != undoTries+1 || now.Sub(begin) > 5*time.Minute || !strings.Contains(r.Steps[len(r.Steps)-1].Reason, "left undone") {
		t.Errorf("given up after %d tries and %s: %+v", tries, now.Sub(begin), r.Steps[len(r.Steps)-1])
	}
}

func TestATimerIsNoFailure(t *testing.T) {
	r := begun(State{Name: "rest", On: []Transition{{When: Timer, If: "no", Then: "no"}, {When: Timer, Then: "yes"}}, Limit: hour})
	r.Done("p", "", begin)
	if r.Late(begin.Add(time.Minute)) || !r.Late(begin.Add(time.Hour)) || state(r) != "yes/activate" || r.Reason != "" {
		t.Errorf("%s, %q: %s", state(r), r.Reason, outcomes(r))
	}
}

// A device that asks and asks changes nothing, and fills no log.
func TestADeviceThatAsksAgain(t *testing.T) {
	r := begun(State{Name: "a", On: []Transition{{When: DeviceAsked, If: "broken", Then: "yes"}}, Limit: hour})
	if r.Triggered(DeviceAsked, "device", "", begin) || len(r.Came) > 0 {
		t.Error("what it asked before counts")
	}
	r.Done("p", "", begin)
	for range 100 {
		if r.Triggered(DeviceAsked, "device", "", begin) {
			t.Error("it goes on by a condition that cannot be judged")
		}
	}
	if len(r.Steps) > 3 || !r.Waiting {
		t.Errorf("%d steps: %s", len(r.Steps), outcomes(r))
	}
}

// An answer may be there before the call of the service ends; that of an earlier call is not taken for it.
func TestAnAnswerBeforeItIsAwaited(t *testing.T) {
	call := State{Name: "call", Do: CallService, With: map[string]string{"capability": "x"}, On: []Transition{{When: Answered, Then: "again"}}, Limit: hour}
	again := call
	again.Name, again.On = "again", []Transition{{When: Answered, Then: "yes"}}
	r := begun(call, again)
	r.Triggered(Answered, "service:x", "", begin)
	r.Triggered(Answered, "service:x", "", begin)
	r.Done("p", "", begin)
	r.Done("p", "", begin)
	if got := state(r); got != "again/call-service waiting" {
		t.Errorf("it is %s", got)
	}
}
