package twins

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/rule"
	"github.com/castor-iot/castor/shared/twin"
)

var judge = sync.OnceValues(rule.New)

// checkWays returns twin.ErrInvalid if what a type says of how its devices come in cannot be: a condition that nobody can judge, a
// provisioning model that does not exist. What was said before is not looked at again, so that other edits need nobody else.
func (f *function) checkWays(ctx context.Context, id twin.TypeID, now, was *twin.Model) error {
	if now == nil {
		return nil
	}
	if was == nil {
		was = &twin.Model{}
	}
	if err := checkChoices(now); err != nil {
		return err
	}
	if now.Provisioning != was.Provisioning {
		if err := f.checkModel(ctx, id, "model.provisioning", now.Provisioning); err != nil {
			return err
		}
	}
	for i, c := range now.Choices {
		if slices.ContainsFunc(was.Choices, func(o twin.Choice) bool { return o.Model == c.Model }) {
			continue
		}
		if err := f.checkModel(ctx, id, fmt.Sprintf("model.choices[%d].model", i), c.Model); err != nil {
			return err
		}
	}
	return nil
}

// checkChoices returns twin.ErrInvalid if a condition of a type's choices cannot be judged.
func checkChoices(m *twin.Model) error {
	if len(m.Choices) == 0 {
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

// checkModel asks twin-provision whether a type may name a provisioning model. Those that come with the platform are always there.
func (f *function) checkModel(ctx context.Context, id twin.TypeID, field, model string) error {
	if model == "" || slices.Contains(provision.Shipped, model) {
		return nil
	}
	m, err := f.p.API.GetModel(ctx, model)
	switch {
	case errors.Is(err, api.ErrNotFound):
		return api.Invalid("%s: there is no provisioning model %q; put it onto the platform first (castor model put), or name one that is there (castor model list)", field, model)
	case errors.Is(err, api.ErrUnavailable):
		return fmt.Errorf("%w: %s: function twin-provision cannot say whether model %q exists; nothing was changed, try again in a moment", api.ErrUnavailable, field, model)
	case err != nil:
		return err
	case m.Type != "" && m.Type != id:
		return api.Invalid("%s: provisioning model %q is for type %s only; name another one, or have a copy of it without type", field, model, m.Type)
	}
	return nil
}
