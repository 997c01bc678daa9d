package twincommand

import (
	"context"
	"errors"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// checkInput returns twin.ErrInvalid if the twin's type says what goes with the command, and this is something else. A command of which
// the type says nothing is passed on.
func (f *function) checkInput(ctx context.Context, t *twin.Twin, in *api.NewCommand) error {
	kind, err := f.twins.Get(ctx, string(t.Definition.Type))
	if errors.Is(err, store.ErrNotFound) || err == nil && kind.Definition.Model == nil {
		return nil
	}
	if err != nil {
		return err
	}
	c := kind.Definition.Model.Command(in.Name)
	if c == nil || len(c.Input) == 0 {
		return nil
	}
	s, err := f.schemas.Compile(c.Input)
	if err != nil { // it was good when it was written: the type's owner has to hear of it, the command's sender cannot help it
		f.p.Log.WarnContext(ctx, "a type's schema of a command cannot be used", "function", f.p.Part, "type", kind.ID, "command", c.Name, "error", err)
		return nil
	}
	err = s.Check(in.Input)
	if err != nil && len(in.Input) == 0 {
		return api.Invalid("input is missing; command %s of type %s takes one: %s", c.Name, kind.ID, err)
	}
	if err != nil {
		return api.Invalid("input does not fit what type %s says of command %s: %s", kind.ID, c.Name, err)
	}
	return nil
}
