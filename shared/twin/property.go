package twin

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Bounds on properties.
const (
	maxID       = 1<<31 - 1
	maxEnum     = 200
	maxWord     = 256 // bytes of a text among the values that there are
	maxSemantic = 256
	maxRetired  = 10_000
)

// semanticPattern is an IRI (RFC 3987) or a compact one, as far as that can be told by its letters.
var semanticPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9+._-]*:[^\s\p{C}<>"{}|\\^` + "`" + `]+$`)

func (m *Model) validateProperties() error {
	if len(m.Properties) > MaxProperties {
		return bad("model.properties", "has %d entries, at most %d are taken", len(m.Properties), MaxProperties)
	}
	seen, numbers := make(map[string]bool, len(m.Properties)), make(map[int64]string, len(m.Properties))
	for i := range m.Properties {
		p := &m.Properties[i]
		if err := p.validate(); err != nil {
			return err
		}
		if seen[p.Name] {
			return bad("model.properties", "has %q twice", p.Name)
		}
		seen[p.Name] = true
		if other, ok := numbers[p.ID]; ok && p.ID != 0 {
			return bad(p.field("id"), "%d is the number of %.128q already; choose another one", p.ID, other)
		}
		numbers[p.ID] = p.Name
	}
	return m.validateRetired(seen, numbers)
}

func (m *Model) validateRetired(seen map[string]bool, numbers map[int64]string) error {
	if len(m.Retired) > maxRetired {
		return bad("model.retired", "has %d entries, at most %d are kept: make a new type", len(m.Retired), maxRetired)
	}
	for _, n := range m.Retired {
		switch other, taken := numbers[n.ID]; {
		case n.ID < 1 || n.ID > maxID:
			return bad("model.retired", "%d must be a number from 1 to %d", n.ID, maxID)
		case seen[n.Name]:
			return bad("model.retired", "says that %.128q had the number %d; leave one of the two out, or give the property that number", n.Name, n.ID)
		case taken:
			return bad("model.properties", "%.128q cannot have the number %d, which is %.128q's for ever; choose a new number", other, n.ID, n.Name)
		}
		if err := propertyName("model.retired: name", n.Name); err != nil {
			return err
		}
		seen[n.Name], numbers[n.ID] = true, n.Name
	}
	return nil
}

func (p *Property) field(f string) string {
	return fmt.Sprintf("model.properties %.128q: %s", p.Name, f)
}

func (p *Property) validate() error {
	if p.Name == "" {
		return bad("model.properties", "each must have a name")
	}
	if err := propertyName("model.properties: name", p.Name); err != nil {
		return err
	}
	if err := text(p.field("unit"), p.Unit, 32); err != nil {
		return err
	}
	if strings.ContainsFunc(p.Unit, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return bad(p.field("unit"), "%.40q must be a UCUM code like Cel, %% or m/s", p.Unit)
	}
	switch p.Type {
	case "", "number":
	case "boolean", "string":
		if p.Min != nil || p.Max != nil {
			return bad(p.field("min and max"), "go with numbers only")
		}
	default:
		return bad(p.field("type"), "%.40q must be number, boolean or string", p.Type)
	}
	if p.Min != nil && p.Max != nil && !(*p.Min <= *p.Max) {
		return bad(p.field("min"), "%g must not be above max, %g", *p.Min, *p.Max)
	}
	if p.ID < 0 || p.ID > maxID {
		return bad(p.field("id"), "%d must be 1 to %d, or 0 for none", p.ID, maxID)
	}
	if err := p.validateEnum(); err != nil {
		return err
	}
	if err := semantic(p.field("semantic"), p.Semantic); err != nil {
		return err
	}
	return text(p.field("note"), p.Note, maxNote)
}

func (p *Property) validateEnum() error {
	if len(p.Enum) > maxEnum {
		return bad(p.field("enum"), "has %d values, at most %d are taken", len(p.Enum), maxEnum)
	}
	for i, v := range p.Enum {
		ok := false
		switch v := v.(type) {
		case float64:
			ok = (p.Type == "" || p.Type == "number") && !math.IsNaN(v) && !math.IsInf(v, 0)
			if ok && (p.Min != nil && v < *p.Min || p.Max != nil && v > *p.Max) {
				return bad(p.field("enum"), "%g is not from min to max; leave it out, or widen them", v)
			}
		case bool:
			ok = p.Type == "boolean"
		case string:
			if ok = p.Type == "string"; ok {
				if err := text(p.field("enum"), v, maxWord); err != nil {
					return err
				}
			}
		}
		if !ok {
			return bad(p.field("enum"), "%.80v must be a %s, as the property is", v, p.kind())
		}
		if slices.Contains(p.Enum[:i], v) {
			return bad(p.field("enum"), "has %.80v twice", v)
		}
	}
	return nil
}

// kind is the property's type, said.
func (p *Property) kind() string {
	if p.Type == "" {
		return "number"
	}
	return p.Type
}

// propertyName checks a name by which rules can tell what they mean.
func propertyName(field, name string) error {
	if err := text(field, name, maxName); err != nil {
		return err
	}
	if !IsPropertyName(name) {
		return bad(field, "%.128q must have no white space and none of \"<>=!\", else no rule could name it: write it like cpu.percent", name)
	}
	return nil
}

// IsPropertyName tells whether rules can name a property so: without white space, control characters, and what compares.
func IsPropertyName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("<>=!", r)
	})
}

func semantic(field, s string) error {
	if len(s) > maxSemantic {
		return bad(field, "has %d bytes, at most %d are taken", len(s), maxSemantic)
	}
	if s != "" && !semanticPattern.MatchString(s) {
		return bad(field, "%.80q must be an IRI (https://saref.etsi.org/core/Temperature) or a compact one (saref:Temperature)", s)
	}
	return nil
}
