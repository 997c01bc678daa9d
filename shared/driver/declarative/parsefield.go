package declarative

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/castor-iot/castor/shared/driver/topic"
)

func (o *object) fieldStep(k kind) *field {
	f := &field{when: o.conditions("when"), fallback: o.value("default"), constant: o.value("value")}
	if s := o.text("name", 200); s != "" {
		l, err := newLabel(s)
		if err != nil {
			o.bad("name", "%v", err)
		}
		f.name = l
	}
	f.use = o.text("use", 64)
	switch {
	case k.format == Binary && (k.down || o.has("type")):
		f.binary(o, k)
	case f.constant != nil, f.use != "":
		if f.use != "" && !topic.IsName(f.use) {
			o.bad("use", "must be the name of a field or of a part of the topic")
		}
	case k.format == Binary:
		f.binary(o, k)
	case k.format == JSON || k.format == CBOR:
		if s := o.text("path", 256); s != "" {
			f.path = o.aPath("path", s)
		} else if !k.down {
			o.bad("path", "must tell where the value is, like $.temperature")
		}
	default:
		f.cell(o, k)
	}
	f.clock = o.clock()
	f.required, f.optional = o.flag("required"), o.flag("optional")
	f.rules = o.rules(f.shape)
	o.sensible(f, k)
	skip := f.shape != nil && f.shape.kind == skipped
	switch {
	case f.name.text == "" && f.clock == nil && !skip && len(f.bits) == 0 && (f.shape == nil || f.constant == nil):
		o.bad("name", "must name the property; a name that begins with _ is for the document alone")
	case f.clock != nil && f.rules.values != nil:
		o.bad("values", "cannot stand beside time")
	}
	o.end()
	return f
}

// value is a scalar of the document.
func (o *object) value(key string) any {
	n, ok := o.take(key)
	if !ok {
		return nil
	}
	v, ok := scalar(n)
	if !ok {
		o.bad(key, "must be a text, a number, true or false")
	}
	return v
}

func (f *field) binary(o *object, k kind) {
	f.shape = &shape{kind: unsigned, bits: 8} // so that a wrong type is one fault
	if s := o.text("type", 10); s == "" {
		o.bad("type", "must tell how the value lies in the bytes, like u16, i16, f32, bool, text, hex or skip")
	} else if sh, err := parseShape(s); err != nil {
		o.bad("type", "%v", err)
	} else {
		f.shape = &sh
	}
	endian := o.word("endian", "big", "little")
	if f.shape.little = endian == "little" || endian == "" && k.little && f.shape.bits > 8; f.shape.little && f.shape.bits%8 != 0 {
		o.bad("type", "of %d bits cannot be little endian: read whole bytes and take them apart by bits", f.shape.bits)
	}
	if at, ok := o.integer("at", -1<<18, 1<<18); ok {
		f.at = &at
		if k.loops > 0 {
			o.bad("at", "cannot stand in repeat or tlv, where fields follow each other")
		}
	}
	n, ok := o.take("length")
	switch size, isWhole := int64(0), false; {
	case !ok:
		if f.shape.bits == 0 {
			o.bad("length", "must be a number of bytes, a field that has it, or rest")
		}
	case f.shape.bits != 0:
		o.bad("length", "is told by the type")
	default:
		if size, isWhole = wholeOf(n); isWhole && size >= 0 && size <= 1<<18 {
			f.length = int(size)
		} else if f.rest = n.Value == "rest"; !f.rest {
			if f.sized = n.Value; !topic.IsName(f.sized) {
				o.bad("length", "must be a number of bytes, a field that has it, or rest")
			}
		}
	}
	for i, n := range o.list("bits") {
		b := o.object(n, fmt.Sprintf("%s[%d]", o.field("bits"), i))
		f.bits = append(f.bits, b.bitField(f.shape, k))
	}
	if len(f.bits) > 0 && f.shape.kind != unsigned {
		o.bad("bits", "needs a type u1 to u64")
	}
}

func (o *object) bitField(of *shape, k kind) *bitField {
	o.step(o.node)
	f := &bitField{field: &field{when: o.conditions("when"), fallback: o.value("default")}}
	if l, err := newLabel(o.text("name", 200)); err != nil {
		o.bad("name", "%v", err)
	} else {
		f.name = l
	}
	f.first, _ = o.integer("bit", 0, 63)
	f.shape = shape{kind: boolean, bits: 1}
	if s := o.text("type", 10); s != "" {
		sh, err := parseShape(s)
		if err != nil || sh.bits == 0 || sh.kind == floating {
			o.bad("type", "must be bool, u1 to u64, i2 to i64 or bcd4 to bcd64")
		} else {
			f.shape = sh
		}
	}
	if !o.has("bit") || f.first+f.shape.bits > of.bits {
		o.bad("bit", "must be the lowest bit of it, from 0 (the least significant), and within the %d bits", of.bits)
	}
	f.field.shape = &f.shape
	f.rules = o.rules(&f.shape)
	o.nameable(f.name, k)
	o.end()
	return f
}

func (f *field) cell(o *object, k kind) {
	f.hasCell = true
	if k.format == Text {
		if n, ok := o.take("group"); ok {
			i, isWhole := wholeOf(n)
			switch {
			case isWhole && i >= 0 && i <= 99:
				f.column = int(i)
			case topic.IsName(n.Value):
				f.heading = n.Value
			default:
				o.bad("group", "must be the number or the name of a group of the pattern")
			}
		}
		return
	}
	n, ok := o.take("column")
	i, isWhole := int64(0), false
	if ok {
		i, isWhole = wholeOf(n)
	}
	switch {
	case isWhole && i >= 1 && i <= 1000:
		f.column = int(i) - 1
	case ok && !isWhole && n.Kind == yaml.ScalarNode && k.header:
		f.heading = strings.ToLower(n.Value)
	case !k.down:
		o.bad("column", "must be a column's number from 1, or its heading where header is true")
	}
}
