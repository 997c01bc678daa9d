package twin

import (
	"cmp"
	"slices"
)

// A Number is what stands for a property in the compact form.
type Number struct {
	ID   int64  `json:"id" bson:"id"`
	Name string `json:"name" bson:"name"` // the property's
}

// Follow makes m the successor of was. Devices in the field go on sending the numbers that they were built with, so a number means one
// property for ever: those of properties that are gone are remembered in Retired, and count again when the property comes back.
// Follow returns ErrInvalid if a number would mean another property, or a property get another number.
func (m *Model) Follow(was *Model) error {
	had := make(map[string]int64, len(was.Properties)+len(was.Retired))
	for _, n := range slices.Concat(was.numbers(), was.Retired, m.Retired) {
		if old, ok := had[n.Name]; ok && old != n.ID {
			return bad("model.retired", "says that %.128q had the number %d, but it has %d", n.Name, n.ID, old)
		}
		had[n.Name] = n.ID
	}
	owner := make(map[int64]string, len(had))
	for name, id := range had {
		owner[id] = name
	}
	for i := range m.Properties {
		p := &m.Properties[i]
		if id, ok := had[p.Name]; ok && id != p.ID {
			return bad(p.field("id"), "must stay %d, because devices may send that number for ever; or give the property another name", id)
		}
		if name, ok := owner[p.ID]; ok && p.ID != 0 && name != p.Name {
			return bad(p.field("id"), "%d meant %.128q before, and devices may still send it; choose a new number", p.ID, name)
		}
		delete(had, p.Name)
	}
	m.Retired = nil
	for name, id := range had {
		m.Retired = append(m.Retired, Number{id, name})
	}
	slices.SortFunc(m.Retired, func(a, b Number) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

// numbers are those that the model's properties have.
func (m *Model) numbers() (all []Number) {
	for _, p := range m.Properties {
		if p.ID != 0 {
			all = append(all, Number{p.ID, p.Name})
		}
	}
	return all
}
