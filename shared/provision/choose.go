package provision

import (
	"fmt"

	"github.com/castor-iot/castor/shared/twin"
)

// Automatic is the model of types that name none.
const Automatic = "automatic"

// Shipped are the models that every platform has, whatever else is done there: they may be replaced, and never deleted.
var Shipped = []string{Automatic, "semi-automatic", "manual", "relayed"}

// A Considered is a choice of a type as it was judged for a device.
type Considered struct {
	If      string  `json:"if"`
	Model   string  `json:"model"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"` // why it cannot be judged
}

// A Verdict is what became of a choice.
type Verdict string

// The verdicts.
const (
	Holds    Verdict = "holds"     // its model is taken
	Fails    Verdict = "fails"     // its condition does not hold
	Unjudged Verdict = "unjudged"  // it cannot be judged, and counts as one that does not hold
	PassedBy Verdict = "passed-by" // an earlier one holds: nobody looks at it
)

// A Chosen is the model that brings a device in, why it is that one, and what became of the type's choices.
type Chosen struct {
	Model   string       `json:"model"`
	Why     string       `json:"why"`
	Choices []Considered `json:"choices"`
}

// Choose tells which model a type has a device come in by: that of the first of its choices whose condition holds for facts, else
// the one it names, else Automatic. What of a run is not known yet is empty in facts.
func Choose(t *twin.Model, guard Guard, facts map[string]any) Chosen {
	if t == nil {
		t = &twin.Model{}
	}
	out := Chosen{Choices: []Considered{}}
	unjudged := ""
	for i, c := range t.Choices {
		said := Considered{If: c.If, Model: c.Model, Verdict: PassedBy}
		if out.Model == "" {
			r := Run{guard: guard}
			holds, reason := r.holds(c.If, facts)
			switch said.Verdict, said.Reason = Fails, reason; {
			case holds:
				said.Verdict, out.Model = Holds, c.Model
				out.Why = fmt.Sprintf("choice %d of the type holds: %s", i+1, brief(c.If)) + unjudged
			case reason != "":
				said.Verdict = Unjudged
				unjudged += "; choice " + fmt.Sprint(i+1) + " was passed over, for its " + reason
			}
		}
		out.Choices = append(out.Choices, said)
	}
	if out.Model != "" {
		return out
	}
	out.Model, out.Why = t.Provisioning, "the type names it"
	if out.Model == "" {
		out.Model, out.Why = Automatic, "the type names none"
	}
	if len(t.Choices) > 0 {
		out.Why += fmt.Sprintf(", and none of its %d choices holds", len(t.Choices))
	}
	out.Why += unjudged
	return out
}
