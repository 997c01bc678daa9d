package provision

import (
	"fmt"

	"github.com/castor-iot/castor/shared/twin"
)

// Automatic is the model of types that name none.
const Automatic = "automatic"

// Shipped are the models that every platform has, whatever else is done there: they may be replaced, and never deleted.
var Shipped = []string{Automatic, "semi-automatic", "manual"}

// Choose returns which model a type has a device come in by, and why: the first of its choices whose condition holds for facts,
// else the one it names, else Automatic. What of a run is not known yet is empty in facts.
func Choose(t *twin.Model, guard Guard, facts map[string]any) (model, why string) {
	if t == nil {
		t = &twin.Model{}
	}
	unjudged := ""
	for i, c := range t.Choices {
		r := Run{guard: guard}
		holds, reason := r.holds(c.If, facts)
		switch {
		case holds:
			return c.Model, fmt.Sprintf("choice %d of the type holds: %s", i+1, brief(c.If)) + unjudged
		case reason != "":
			unjudged += "; choice " + fmt.Sprint(i+1) + " was passed over, for its " + reason
		}
	}
	why = "the type names it"
	model = t.Provisioning
	if model == "" {
		model, why = Automatic, "the type names none"
	}
	if len(t.Choices) > 0 {
		why += fmt.Sprintf(", and none of its %d choices holds", len(t.Choices))
	}
	return model, why + unjudged
}
