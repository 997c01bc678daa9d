package provision

import (
	"testing"
	"time"
)

// What a simulation waits for ends at the state's limit; a reminder ends nothing.
func TestASimulationWaitsUntilTheLimit(t *testing.T) {
	r := begun(State{Name: "ask", Do: Ask, With: map[string]string{"question": "is it?"}, On: []Transition{{When: Approved, Then: "yes"}}, Limit: 72 * hour, Remind: 24 * hour})
	out, err := Simulate(t.Context(), r.Model, nil, Sample{}, nil, begin)
	if err != nil || out.Asks == nil || out.Due != begin.Add(72*time.Hour) {
		t.Errorf("it asks %+v and is due %s, %v", out.Asks, out.Due, err)
	}
}
