package format

import (
	"slices"
	"strings"
)

// Properties are those of a pack's measurements. Names of SenML are unique in the world (RFC 8428, 4.5.1): where those of a pack are of more than
// one thing, as a gateway sends them, the property begins with what tells the things apart, so that values of one are not taken for values
// of another in the pack. It is judged by the pack alone, for nothing is known of the names of a device: a measurement whose pack is of one
// thing has the bare property, also where it came with others before (docs/payload-formats.md).
func Properties(pack []Measurement) []string {
	properties, things := make([]string, len(pack)), make([][]string, len(pack))
	for i := range pack {
		properties[i], things[i] = pack[i].Property(), pack[i].thing()
	}
	if len(pack) == 0 || !slices.ContainsFunc(things, func(t []string) bool { return !slices.Equal(t, things[0]) }) {
		return properties
	}
	common := things[0]
	for _, t := range things {
		n := 0
		for n < min(len(t), len(common)) && t[n] == common[n] {
			n++
		}
		common = common[:n]
	}
	for i, t := range things {
		properties[i] = strings.Join(append(slices.Clone(t[len(common):]), properties[i]), ".")
	}
	return properties
}

// thing is what the measurement's name says before its property, by its parts.
func (m *Measurement) thing() []string {
	name := m.Name
	if at := strings.LastIndexAny(m.Label, ":/"); m.Label != "" {
		name = m.Name[:len(m.Name)-len(m.Label)+at+1]
	}
	return strings.FieldsFunc(name, func(c rune) bool { return c == ':' || c == '/' })
}
