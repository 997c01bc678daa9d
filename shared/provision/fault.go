package provision

import (
	"fmt"

	"github.com/castor-iot/castor/shared/twin"
)

// A Fault is one thing that is wrong with a model.
type Fault struct {
	Path   string `json:"path"`             // "states[2].limit"; "" = the whole model
	Line   int    `json:"line,omitempty"`   // of the model's text, from 1 on; 0 = not known
	Column int    `json:"column,omitempty"` // from 1 on; 0 = not known
	Text   string `json:"text"`

	line, column int // in the condition that the path leads to
}

// Within is where in the condition at Path the fault is, both from 1 on; 0 if it is not about a part of a condition.
func (f Fault) Within() (line, column int) { return f.line, f.column }

// A FaultyError tells every fault of a model. It is a twin.ErrInvalid.
type FaultyError struct {
	Model  string
	Faults []Fault
}

// Error is the first faults as text.
func (e *FaultyError) Error() string {
	s := fmt.Sprintf("%s: model %.80s", twin.ErrInvalid, e.Model)
	for i, f := range e.Faults {
		if i == 5 {
			s += fmt.Sprintf("; and %d more", len(e.Faults)-i)
			break
		}
		sep := ": "
		if i > 0 {
			sep = "; "
		}
		s += sep + f.String()
	}
	return s
}

// Unwrap is twin.ErrInvalid.
func (e *FaultyError) Unwrap() error { return twin.ErrInvalid }

// String is the fault in one line: "line 7: states[2].limit: …".
func (f Fault) String() string {
	s := f.Text
	if f.Path != "" {
		s = f.Path + ": " + s
	}
	if f.Line > 0 {
		s = fmt.Sprintf("line %d: %s", f.Line, s)
	}
	return s
}
