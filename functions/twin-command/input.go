package twincommand

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/schema"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// checkInput returns twin.ErrInvalid if the twin's type says what goes with the command, and this is something else. A command of which
// the type says nothing is passed on.
func (f *function) checkInput(ctx context.Context, t *twin.Twin, in *api.NewCommand) error {
	kind := t.Definition.Type
	s, err := f.schema(ctx, kind, in.Name, func(c *twin.CommandModel) json.RawMessage { return c.Input })
	if err != nil || s == nil {
		return err
	}
	err = s.Check(in.Input)
	if err != nil && len(in.Input) == 0 {
		return api.Invalid("input is missing; command %s of type %s takes one: %s", in.Name, kind, err)
	}
	if err != nil {
		return api.Invalid("input does not fit what type %s says of command %s: %s", kind, in.Name, err)
	}
	return nil
}

// checkOutput says in what a device's output is other than its type says of the command; "" = in nothing, or the type says nothing.
func (f *function) checkOutput(ctx context.Context, id twin.ID, name string, output json.RawMessage) (fault string, err error) {
	t, err := f.twins.Get(ctx, string(id))
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	s, err := f.schema(ctx, t.Definition.Type, name, func(c *twin.CommandModel) json.RawMessage { return c.Output })
	if err != nil || s == nil {
		return "", err
	}
	if err := s.Check(output); err != nil {
		return fmt.Sprintf("the output does not fit what type %s says of command %s: %s", t.Definition.Type, name, err), nil
	}
	return "", nil
}

// schema is what the type says of a command's part; nil where it says nothing.
func (f *function) schema(ctx context.Context, id twin.TypeID, name string, part func(*twin.CommandModel) json.RawMessage) (*schema.Schema, error) {
	kind, err := f.twins.Get(ctx, string(id))
	if errors.Is(err, store.ErrNotFound) || err == nil && kind.Definition.Model == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := kind.Definition.Model.Command(name)
	if c == nil || len(part(c)) == 0 {
		return nil, nil
	}
	s, err := f.schemas.Compile(part(c))
	if err != nil { // it was good when it was written: the type's owner has to hear of it, the command's sender cannot help it
		f.p.Log.WarnContext(ctx, "a type's schema of a command cannot be used", "function", f.p.Part, "type", kind.ID, "command", c.Name, "error", err)
		return nil, nil
	}
	return s, nil
}
