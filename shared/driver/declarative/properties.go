package declarative

import (
	"maps"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/twin"
)

// Properties are what uplinks of the document report, as a type's model has properties: a proposal for whoever writes the model.
// Those whose names depend on a message, and what lies within objects and lists that are taken as they are, cannot be told. The limits are
// not the document's: min and max there say what the sensor can measure.
func (p *Program) Properties() (all []twin.Property) {
	seen := map[string]int{}
	for _, m := range p.uplink {
		for _, f := range m.told() {
			found := twin.Property{Name: f.name.text, Type: f.kind(), Unit: f.rules.unit}
			if i, twice := seen[found.Name]; !twice {
				seen[found.Name] = len(all)
				all = append(all, found)
			} else if all[i].Unit == "" && all[i].Type == found.Type {
				all[i].Unit = found.Unit
			}
		}
	}
	slices.SortFunc(all, func(a, b twin.Property) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// told are the fields whose values are properties with the field's own name.
func (m *message) told() (all []*field) {
	within := map[*field]bool{} // lists, whose elements are named by their place
	for _, r := range repeatsOf(m.steps) {
		for _, f := range fieldsOf(r.steps) {
			within[f] = within[f] || r.list != ""
		}
	}
	for _, f := range fieldsOf(m.steps) {
		if f.name.text == "" || f.name.hidden() || len(f.name.parts) > 1 || f.clock != nil || within[f] || f.shape != nil && f.shape.kind == skipped {
			continue
		}
		all = append(all, f)
	}
	return all
}

// unitsOf are the units that a message tells, nil if none. A property that it gives in two units has none.
func (m *message) unitsOf() (units map[string]string) {
	for _, f := range m.told() {
		u := f.rules.unit
		if has, twice := units[f.name.text]; twice && has != u {
			u = ""
		}
		if units == nil {
			units = map[string]string{}
		}
		units[f.name.text] = u
	}
	maps.DeleteFunc(units, func(_, u string) bool { return u == "" })
	if len(units) == 0 {
		return nil
	}
	return units
}

// kind is the type of the values that a field gives.
func (f *field) kind() string {
	sample := f.constant
	for _, word := range f.rules.words {
		sample = f.rules.values[word]
	}
	as := f.rules.as
	switch sample.(type) {
	case bool:
		as = "bool"
	case string:
		as = "text"
	case number:
		as = "number"
	}
	switch {
	case as == "bool", as == "" && f.shape != nil && f.shape.kind == boolean:
		return "boolean"
	case as == "text", as == "" && f.isText() && !f.rules.numeric():
		return "string"
	}
	return "number"
}
