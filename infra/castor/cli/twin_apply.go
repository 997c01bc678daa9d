package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

// stating says what a file of twins or types means, for those who ask for help.
func stating(what string) string {
	return `What a file says of the definition
counts; what it leaves out stays as it is, so a file may say a single field. A field is emptied by false, 0, "", [] or null, like reacts: false.
Lists are taken whole. Of parameters, watch and location each entry counts for itself: null takes one out, {} all of them. model itself is
never emptied: model: {} or null changes nothing; say its fields.

What only the platform says (created, live, and of the definition version, updated, phase, suspended, configuration) is ignored, so that what
castor ` + what + ` get -o yaml prints can be applied.`
}

// applyTwin makes twins of any kind what files say.
func (a *app) applyTwin() *cobra.Command {
	c := apply(a, "twin", "Make twins, or change what is defined of them", `  castor twin apply -f line-2.yaml

  # line-2.yaml
  id: line-2
  kind: aggregate
  definition: {name: "Line 2", owner: press}`, putTwin)
	c.Long = "Make twins, or change what is defined of them. " + stating("twin")
	return c
}

// A twinFile describes a twin. What `castor twin get` prints is one too: what only the platform says is read and ignored.
type twinFile struct {
	api.NewTwin
	Live    any `json:"live,omitempty"`
	Created any `json:"created,omitempty"`

	// stated is the definition with each field that the file names, also those that it empties.
	stated map[string]any
}

// UnmarshalJSON reads a file strictly, and keeps what it states.
func (f *twinFile) UnmarshalJSON(b []byte) error {
	type plain twinFile // has no UnmarshalJSON
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode((*plain)(f)); err != nil {
		return err
	}
	return json.Unmarshal(b, &struct {
		Definition *map[string]any `json:"definition"`
	}{&f.stated})
}

// putTwin makes a twin, or brings the definition of the one there is to what the file says. What the file does not name
// stays.
func putTwin(ctx context.Context, c *api.Client, file twinFile) (id, outcome string, err error) {
	v := file.NewTwin
	id = string(v.ID)
	old, err := c.GetTwin(ctx, v.ID)
	if errors.Is(err, api.ErrNotFound) {
		if v.Kind == "" {
			return id, "", errors.New("kind is missing: instance, type or aggregate")
		}
		_, err = c.CreateTwin(ctx, v)
		return id, "created", err
	}
	if err != nil {
		return id, "", err
	}
	if v.Kind != "" && v.Kind != old.Kind {
		return id, "", fmt.Errorf("%s is of kind %s already; kinds cannot be changed", id, old.Kind)
	}
	patch, err := patchOf(v.Definition, file.stated)
	if err != nil {
		return id, "", err
	}
	for _, name := range []string{"version", "updated", "phase", "suspended", "configuration"} {
		delete(patch, name)
	}
	if v.Definition.Type == old.Definition.Type {
		delete(patch, "type") // it is for ever
	}
	now, err := c.UpdateTwin(ctx, v.ID, old.Definition.Version, patch)
	if err == nil && now.Definition.Version == old.Definition.Version {
		return id, "unchanged", nil
	}
	return id, "changed", err
}

// patchOf is a JSON Merge Patch (RFC 7396) that sets what a definition holds, and empties what the file states and it does not hold.
func patchOf(d twin.Definition, stated map[string]any) (patch map[string]any, err error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &patch); err != nil {
		return nil, err
	}
	empty(patch, stated)
	return patch, nil
}

// empty adds to a patch what is stated to be empty. A model is never emptied as a whole: "model:" with nothing below it is rather an
// oversight, and would take from all instances what they are.
func empty(patch, stated map[string]any) {
	for name, v := range stated {
		inner, _ := patch[name].(map[string]any)
		switch of, ok := v.(map[string]any); {
		case ok && len(of) > 0 && inner != nil:
			empty(inner, of)
		case name == "model":
		case ok && len(of) == 0, v == nil, patch[name] == nil:
			patch[name] = nil
		}
	}
}
