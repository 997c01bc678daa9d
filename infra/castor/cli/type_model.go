package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/twin"
)

// propertyColumns are those that say something of one of the properties at least.
func propertyColumns(all []twin.Property) []column[twin.Property] {
	columns := []column[twin.Property]{
		{"property", func(p twin.Property) string { return p.Name }},
		{"type", func(p twin.Property) string {
			if p.Type == "" {
				return "number"
			}
			return p.Type
		}},
		{"unit", func(p twin.Property) string { return p.Unit }},
		{"min", func(p twin.Property) string { return bound(p.Min) }},
		{"max", func(p twin.Property) string { return bound(p.Max) }},
	}
	for _, c := range []column[twin.Property]{
		{"values", func(p twin.Property) string { return values(p.Enum) }},
		{"number", func(p twin.Property) string {
			if p.ID == 0 {
				return ""
			}
			return fmt.Sprint(p.ID)
		}},
		{"writable", func(p twin.Property) string {
			if p.Writable {
				return "yes"
			}
			return ""
		}},
		{"meaning", func(p twin.Property) string { return p.Semantic }},
	} {
		if slices.ContainsFunc(all, func(p twin.Property) bool { return c.of(p) != "" }) {
			columns = append(columns, c)
		}
	}
	return append(columns, column[twin.Property]{"note", func(p twin.Property) string { return p.Note }})
}

func bound(f *float64) string {
	if f == nil {
		return ""
	}
	return value(*f)
}

// values are those that there are, with commas between.
func values(all []any) string {
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = value(v)
	}
	return strings.Join(out, ", ")
}

// schemaWord is a schema in a table: its type, or that there is one.
func schemaWord(s json.RawMessage) string {
	if len(s) == 0 {
		return ""
	}
	var of struct {
		Type any `json:"type"`
	}
	if json.Unmarshal(s, &of) != nil || of.Type == nil {
		return "schema"
	}
	if list, ok := of.Type.([]any); ok {
		return values(list)
	}
	return value(of.Type)
}

// payloadFacts say how the instances' payloads are read.
func payloadFacts(m *twin.Model) []fact {
	driver := m.Driver
	if driver != "" && m.Firmware != "" {
		driver += ", its version by property " + m.Firmware
	}
	if m.Normalised {
		driver += ", normalised"
	}
	if m.Reacts {
		driver += ", reacts"
	}
	retired := make([]string, len(m.Retired))
	for i, n := range m.Retired {
		retired[i] = fmt.Sprintf("%d (%s)", n.ID, n.Name)
	}
	return []fact{{"driver", driver}, {"format", m.Format}, {"numbers not to be used again", strings.Join(retired, ", ")}}
}

// describeModel prints what the instances of a type report, know and tell of.
func (a *app) describeModel(w io.Writer, m *twin.Model) error {
	if len(m.Properties) > 0 {
		fmt.Fprintln(w)
		if err := printAll(a, w, m.Properties, propertyColumns(m.Properties)); err != nil {
			return err
		}
	}
	if len(m.Commands) > 0 {
		fmt.Fprintln(w)
		if err := printAll(a, w, m.Commands, []column[twin.CommandModel]{
			{"command", func(c twin.CommandModel) string { return c.Name }},
			{"input", func(c twin.CommandModel) string { return schemaWord(c.Input) }},
			{"output", func(c twin.CommandModel) string { return schemaWord(c.Output) }},
			{"note", func(c twin.CommandModel) string { return c.Note }}}); err != nil {
			return err
		}
	}
	if len(m.Events) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	return printAll(a, w, m.Events, []column[twin.EventModel]{
		{"event", func(e twin.EventModel) string { return e.Name }},
		{"data", func(e twin.EventModel) string { return schemaWord(e.Data) }},
		{"note", func(e twin.EventModel) string { return e.Note }}})
}
