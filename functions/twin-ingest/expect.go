package twiningest

import (
	"slices"

	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// expected is what a type's model says of a property's values, made once for all messages.
type expected struct {
	kind     string // number, boolean or string
	min, max *float64
	enum     []any
}

func expect(p *twin.Property) expected {
	e := expected{kind: p.Type, min: p.Min, max: p.Max}
	if e.kind == "" {
		e.kind = "number"
	}
	for _, v := range p.Enum {
		e.enum = append(e.enum, plainNumber(v))
	}
	return e
}

// plainNumber is a number as samples have it: stores give whole ones back as integers.
func plainNumber(v any) any {
	switch v := v.(type) {
	case int32:
		return float64(v)
	case int64:
		return float64(v)
	case int:
		return float64(v)
	}
	return v
}

// flag says what is doubtful about a value.
func (e *expected) flag(value any) twin.Flag {
	kind := ""
	switch value.(type) {
	case nil:
		return "" // the property is removed
	case float64:
		kind = "number"
	case bool:
		kind = "boolean"
	case string:
		kind = "string"
	}
	if kind != e.kind || len(e.enum) > 0 && !slices.Contains(e.enum, value) {
		return twin.Unexpected
	}
	if v, ok := value.(float64); ok && (e.min != nil && v < *e.min || e.max != nil && v > *e.max) {
		return twin.OutOfRange
	}
	return ""
}

// A model says what a type expects of its instances' values, by property; an empty one expects nothing.
type model map[string]*expected

// flag says what is doubtful about a value of a property: that it is none of the type's, where the type says which there are, or
// what is wrong with it.
func (m model) flag(property string, value any) twin.Flag {
	if len(m) == 0 || value == nil {
		return ""
	}
	e := m[property]
	if e == nil {
		return twin.Unknown
	}
	return e.flag(value)
}

// flagOf says what is doubtful about a message: its time, or else a value of it. That there are properties which the type does not
// name makes no message doubtful: each reading tells that of itself.
func flagOf(m *telemetry.Message, of model) twin.Flag {
	if f := clockFlag(m); f != "" {
		return f
	}
	if m.Kind != telemetry.Telemetry && m.Kind != telemetry.State {
		return ""
	}
	for i := range m.Samples {
		if f := of.flag(m.Samples[i].Property, m.Samples[i].Value); f != "" && f != twin.Unknown {
			return f
		}
	}
	return ""
}
