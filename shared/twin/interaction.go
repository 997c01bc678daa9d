package twin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"unicode/utf8"
)

// Bounds on what a model says of commands and events.
const (
	MaxSchema       = 16_384  // bytes of one schema
	maxSchemas      = 262_144 // bytes of all
	maxInteractions = 100     // commands, or events
)

// CommandPattern is what names of commands look like.
var CommandPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,63}$`)

// Command is what the model says of a command; nil = nothing.
func (m *Model) Command(name string) *CommandModel {
	for i := range m.Commands {
		if m.Commands[i].Name == name {
			return &m.Commands[i]
		}
	}
	return nil
}

// A Schema is a JSON Schema of a model, and where it is: `model.commands "open": input`.
type Schema struct {
	Field string
	JSON  *json.RawMessage
}

// Schemas are those that the model has.
func (m *Model) Schemas() (all []Schema) {
	add := func(field string, s *json.RawMessage) {
		if len(*s) > 0 {
			all = append(all, Schema{field, s})
		}
	}
	for i := range m.Commands {
		c := &m.Commands[i]
		add(fmt.Sprintf("model.commands %.64q: input", c.Name), &c.Input)
		add(fmt.Sprintf("model.commands %.64q: output", c.Name), &c.Output)
	}
	for i := range m.Events {
		add(fmt.Sprintf("model.events %.128q: data", m.Events[i].Name), &m.Events[i].Data)
	}
	return all
}

// validateInteractions looks at commands and events, and at the outside of their schemas; whether those can be compiled is shared/schema's
// to say.
func (m *Model) validateInteractions() error {
	if n := max(len(m.Commands), len(m.Events)); n > maxInteractions {
		return bad("model.commands and model.events", "have up to %d entries, at most %d are taken", n, maxInteractions)
	}
	commands, events := map[string]bool{}, map[string]bool{}
	for i := range m.Commands {
		c := &m.Commands[i]
		if !CommandPattern.MatchString(c.Name) {
			return bad("model.commands", "name %.80q must be 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter", c.Name)
		}
		if err := interaction(fmt.Sprintf("model.commands %.64q: ", c.Name), c.Name, c.Semantic, c.Note, commands); err != nil {
			return err
		}
	}
	for i := range m.Events {
		e := &m.Events[i]
		if err := propertyName("model.events: name", e.Name); err != nil {
			return err
		}
		if err := interaction(fmt.Sprintf("model.events %.128q: ", e.Name), e.Name, e.Semantic, e.Note, events); err != nil {
			return err
		}
	}
	all := 0
	for _, s := range m.Schemas() {
		text := *s.JSON
		all += len(text)
		switch {
		case len(text) > MaxSchema:
			return bad(s.Field, "has %d bytes, a schema may have %d", len(text), MaxSchema)
		case all > maxSchemas:
			return bad(s.Field, "makes the model's schemas longer than %d bytes in all; shorten them", maxSchemas)
		case !utf8.Valid(text) || !json.Valid(text) || !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")):
			return bad(s.Field, "must be a JSON Schema: a JSON object like {\"type\": \"number\", \"minimum\": 0}; leave it out if anything goes")
		}
	}
	return nil
}

// interaction checks what commands and events have in common.
func interaction(field, name, meaning, note string, seen map[string]bool) error {
	if seen[name] {
		return bad(field+"name", "is there twice")
	}
	seen[name] = true
	if err := semantic(field+"semantic", meaning); err != nil {
		return err
	}
	return text(field+"note", note, maxNote)
}
