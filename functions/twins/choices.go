package twins

import (
	"errors"
	"sync"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/rule"
	"github.com/castor-iot/castor/shared/twin"
)

var judge = sync.OnceValues(rule.New)

// checkChoices returns twin.ErrInvalid if a condition of a type's choices cannot be judged. Whether its models exist is found out
// when a device asks: they may be made later.
func checkChoices(m *twin.Model) error {
	if m == nil || len(m.Choices) == 0 {
		return nil
	}
	j, err := judge()
	if err != nil {
		return err
	}
	for i, c := range m.Choices {
		err := j.Compile(c.If)
		if at := new(provision.ExprError); errors.As(err, &at) {
			return api.Invalid("model.choices[%d].if, at %d:%d: %s", i, at.Line, at.Column, at.Text)
		} else if err != nil {
			return api.Invalid("model.choices[%d].if: %s", i, err)
		}
	}
	return nil
}
