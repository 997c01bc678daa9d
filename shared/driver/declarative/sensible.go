package declarative

import (
	"fmt"

	"github.com/castor-iot/castor/shared/twin"
)

// sensible refuses what Check alone refuses of a field.
func (o *object) sensible(f *field, k kind) {
	if f.clock != nil {
		return
	}
	o.nameable(f.name, k)
	if !o.strict || k.down || f.rules.values != nil {
		return
	}
	for _, key := range []string{"unit", "scale", "offset", "decimals", "min", "max"} {
		switch as := f.rules.as; {
		case !o.has(key):
			continue
		case as == "text" || as == "bool":
			o.bad(key, "is of numbers, and as: %s makes none: say as: number, or leave %s out", as, key)
		case f.isText() && !f.rules.numeric():
			o.bad(key, "is of numbers, and this stays a text: add as: number, or leave %s out", key)
		default:
			continue
		}
		return
	}
}

// isText tells whether the message has a text for the field, also where digits stand in it.
func (f *field) isText() bool {
	return f.hasCell || f.shape != nil && (f.shape.kind == ascii || f.shape.kind == hexes)
}

// nameable refuses a name of a property that no type takes, and no rule could tell from what stands around it.
func (o *object) nameable(l label, k kind) {
	if !o.strict || l.text == "" || l.hidden() || k.command {
		return
	}
	for i := 0; i < len(l.parts); i += 2 {
		if part := l.parts[i]; part != "" && !twin.IsPropertyName(part) {
			o.bad("name", "%.128q must have no white space and none of \"<>=!\", else no type could have the property: write it like air.temperature", l.text)
			return
		}
	}
}

// namesakes are the properties that fields of one list give, and where.
type namesakes map[string]string

// meet refuses a field of a name that another field of the list has, if both are always read, so that the earlier value would always be
// lost. Fields under conditions, and such whose value may be missing by what the document says, are alternatives; a constant before
// them is what counts without them. What is written for a device has no earlier and later.
func (n namesakes) meet(o *object, f *field, k kind) {
	if !o.strict || k.down {
		return
	}
	for i, b := range f.bits {
		n.add(o, fmt.Sprintf("%s[%d]", o.field("bits"), i), "bits", b.field, k)
	}
	n.add(o, o.path, "name", f, k)
}

func (n namesakes) add(o *object, path, key string, f *field, k kind) {
	name := f.name.text
	if name == "" || f.name.hidden() || len(f.name.parts) > 1 || f.clock != nil || f.when != nil || f.optional || f.use == name || f.rules.absent != nil {
		return
	}
	earlier, twice := n[name]
	switch {
	case twice && (k.format == JSON || k.format == CBOR):
		o.bad(key, "%q is the name of %s, too, whose value this one would replace: give it another name, or say by when which of them counts, like when: {path: $.t2, exists: true}", name, earlier)
	case twice:
		o.bad(key, "%q is the name of %s, too, whose value this one would replace: give it another name, or say by when which of them counts, like when: {port: 2}", name, earlier)
	case f.constant == nil || f.shape != nil:
		n[name] = path
	}
}
