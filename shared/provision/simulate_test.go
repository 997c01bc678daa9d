package provision

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// What a simulation waits for ends at the state's limit; a reminder ends nothing.
func TestASimulationWaitsUntilTheLimit(t *testing.T) {
	r := begun(State{Name: "ask", Do: Ask, With: map[string]string{"question": "is it?"}, On: []Transition{{When: Approved, Then: "yes"}}, Limit: 72 * hour, Remind: 24 * hour})
	out, err := Simulate(t.Context(), r.Model, nil, Sample{}, nil, begin)
	if err != nil || out.Asks == nil || out.Due != begin.Add(72*time.Hour) {
		t.Errorf("it asks %+v and is due %s, %v", out.Asks, out.Due, err)
	}
}

// Thousands of reminders are one line, and hide neither the end nor what came before them.
func TestRemindersOfASimulationAreOneLine(t *testing.T) {
	r := begun(State{Name: "ask", Do: Ask, With: map[string]string{"question": "is it?"}, On: []Transition{{When: Approved, Then: "yes"}}, Limit: 48 * hour, Remind: twin.Duration(time.Minute)})
	for name, e := range map[string]Event{"at 49h": {When: Timer, After: 49 * hour}, "at the limit": {When: Timer}} {
		out, err := Simulate(t.Context(), r.Model, nil, Sample{}, []Event{e}, begin)
		if err != nil || out.Outcome != Rejected || len(out.Steps) > 10 || out.Forgotten != 0 || len(out.Unused) > 0 {
			t.Fatalf("%s: %s in state %s, with %d steps, %v", name, out.Outcome, out.State, len(out.Steps), err)
		}
		lines := 0
		for _, s := range out.Steps {
			if s.Reason == "2879 reminders to owner, every 1m" && s.At.Equal(begin.Add(48*time.Hour-time.Minute)) {
				lines++
			}
		}
		if last := out.Steps[len(out.Steps)-1]; lines != 1 || !last.At.Equal(begin.Add(48*time.Hour)) {
			t.Errorf("%s: %d lines of reminders, the last step %+v", name, lines, last)
		}
	}
}

// An event that is none is refused, by its number, with what there is; every one that there is is taken.
func TestASimulationKnowsItsEvents(t *testing.T) {
	m := begun(State{Name: "a", Do: CheckClaim, Then: "yes"}).Model
	try := func(e Event) error {
		_, err := Simulate(t.Context(), m, nil, Sample{}, []Event{{When: Timer}, e}, begin)
		return err
	}
	for name, tt := range map[string]struct {
		e     Event
		words []string
	}{
		"a trigger that is none":          {Event{When: "aproved"}, []string{"events[1].when", `"aproved"`, "approved, declined", "refuse or fail"}},
		"none":                            {Event{}, []string{"events[1].when", `""`}},
		"an action that is none":          {Event{When: Refuse, Do: "check-clam"}, []string{"events[1].do", `"check-clam"`, "check-claim"}},
		"a failure of none":               {Event{When: Fail, Do: "fly"}, []string{"events[1].do", `"fly"`}},
		"an action of a trigger":          {Event{When: Approved, Do: CheckClaim}, []string{"events[1].do", "leave it out"}},
		"something before anything began": {Event{When: Timer, After: -hour}, []string{"events[1].after"}},
	} {
		err := try(tt.e)
		for _, word := range tt.words {
			if !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v, want %q", name, err, word)
			}
		}
	}
	for _, trigger := range Triggers {
		if err := try(Event{When: trigger}); err != nil {
			t.Errorf("%s: %v", trigger, err)
		}
	}
	for _, action := range Actions {
		if err := errors.Join(try(Event{When: Refuse, Do: action}), try(Event{When: Fail, Do: action}), try(Event{When: Fail})); err != nil {
			t.Errorf("%s: %v", action, err)
		}
	}
}
