package declarative

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/castor-iot/castor/shared/driver/unit"
	"github.com/castor-iot/castor/shared/telemetry"
	"go.yaml.in/yaml/v3"
)

// rules are what is done to a value between the message and the property.
type rules struct {
	as       string // "number", "text", "bool"; "" = as it comes
	scaled   bool
	line     line // scale, offset and units in one
	decimals int  // digits after the point; -1 = all
	unit     string

	values    map[string]any // what stands for what; nil = nothing is replaced
	words     []string       // the keys of values in the document's order, for the way back
	otherwise any            // for what values does not know; nil = it is left out with a warning

	absent    map[string]bool // what means "no value"
	low, high *float64
	keep      bool // outside the limits it is kept with a warning, else left out with one
}

func (o *object) rules(sh *shape) *rules {
	r := &rules{decimals: -1, as: o.word("as", "number", "text", "bool")}
	scale, offset := o.fraction("scale"), o.fraction("offset")
	r.unit = o.text("unit", 32)
	from := o.text("from", 32)
	if from != "" && r.unit == "" {
		o.bad("from", "needs unit too: the one to convert to")
	}
	a, b := big.NewRat(1, 1), new(big.Rat)
	if scale != nil {
		a = scale
		if a.Sign() == 0 {
			o.bad("scale", "must not be 0")
			a = big.NewRat(1, 1)
		}
	}
	if offset != nil {
		b = offset
	}
	if from != "" && r.unit != "" {
		ua, ub, err := unit.Convert(from, r.unit)
		if err != nil {
			o.bad("from", "cannot be converted: %v", err)
		} else {
			a = new(big.Rat).Mul(a, ua)
			b = new(big.Rat).Add(new(big.Rat).Mul(b, ua), ub)
		}
	}
	r.scaled = scale != nil || offset != nil || from != ""
	r.line = newLine(a, b)
	if n, ok := o.integer("decimals", 0, 12); ok {
		r.decimals = n
	}
	r.limits(o)
	r.absent = o.comparisons("absent")
	if sh != nil && sh.kind == signed { // 0xFFFF is how documents of devices write the -1 of 16 bits
		for key := range r.absent {
			if x, ok := decimal(key); ok && x.isWhole() && x.n > 0 && x.n>>(sh.bits-1) == 1 {
				r.absent[whole(x.n-1<<sh.bits).text()] = true
			}
		}
	}
	if n, ok := o.take("values"); ok {
		r.enumerate(o, n)
	}
	if n, ok := o.take("else"); ok {
		if r.otherwise, ok = scalar(n); !ok || r.values == nil {
			o.bad("else", "must be a text, a number, true or false, and stand beside values")
		}
	}
	if r.values != nil && (r.scaled || r.low != nil || r.high != nil || r.decimals >= 0) {
		o.bad("values", "replaces the value: it cannot stand beside scale, offset, from, decimals, min or max")
	}
	return r
}

// numeric tells whether a text, too, becomes a number by the rules.
func (r *rules) numeric() bool { return r.as == "number" || r.scaled || r.low != nil || r.high != nil }

func (r *rules) limits(o *object) {
	if x := o.fraction("min"); x != nil {
		f, _ := x.Float64()
		r.low = &f
	}
	if x := o.fraction("max"); x != nil {
		f, _ := x.Float64()
		r.high = &f
	}
	r.keep = o.word("outside", "drop", "keep") == "keep"
	if r.low != nil && r.high != nil && *r.low > *r.high {
		o.bad("min", "must not be above max")
	}
}

func (r *rules) enumerate(o *object, n *yaml.Node) {
	values := o.object(n, o.field("values"))
	r.values = map[string]any{}
	for _, k := range values.keys {
		key, ok := scalar(k)
		v, ok2 := scalar(values.of[k.Value])
		if !ok || !ok2 {
			o.fault(k, values.field(k.Value), "must be a text, a number, true or false")
			continue
		}
		if _, twice := r.values[keyOf(key)]; !twice {
			r.words = append(r.words, keyOf(key))
		}
		r.values[keyOf(key)] = v
	}
	if len(r.values) == 0 || len(r.values) > 1000 {
		o.bad("values", "must have 1 to 1000 entries")
	}
}

// apply makes of what a message has what the property gets. warning says why there is none, or what is doubtful.
func (r *rules) apply(v any) (out any, ok bool, warning string) {
	if r.absent != nil && r.absent[keyOf(v)] {
		return nil, false, ""
	}
	if r.values != nil {
		out, ok = r.values[keyOf(v)]
		if b, isBool := v.(bool); isBool && !ok { // a bit is 0 or 1 as well
			key := "0"
			if b {
				key = "1"
			}
			out, ok = r.values[key]
		}
		if ok {
			return out, true, ""
		}
		if r.otherwise != nil {
			return r.otherwise, true, ""
		}
		return nil, false, fmt.Sprintf("%s is not among its values", short(v))
	}
	switch r.as {
	case "bool":
		b, ok := asBool(v)
		if !ok {
			return nil, false, fmt.Sprintf("%s is neither true nor false", short(v))
		}
		return b, true, ""
	case "text":
		if _, isNumber := v.(number); isNumber {
			v = keyOf(v)
		}
		if b, isBool := v.(bool); isBool {
			v = keyOf(b)
		}
	}
	switch x := v.(type) {
	case nil:
		return nil, false, ""
	case string:
		if !r.numeric() {
			if len(x) > telemetry.MaxText {
				return nil, false, fmt.Sprintf("has %d bytes of text, at most %d are kept", len(x), telemetry.MaxText)
			}
			return strings.ToValidUTF8(x, "\uFFFD"), true, ""
		}
	case bool, map[string]any, []any:
		if r.as != "number" && !r.scaled {
			return v, true, ""
		}
	}
	x, ok := asNumber(v)
	if !ok {
		return nil, false, fmt.Sprintf("%s is no number", short(v))
	}
	return r.number(x)
}

func (r *rules) number(x number) (out any, ok bool, warning string) {
	if r.scaled {
		x = r.line.of(x)
	}
	if r.decimals >= 0 {
		x = x.rounded(r.decimals)
	}
	f := x.float()
	if math.IsInf(f, 0) {
		return nil, false, "is larger than any number that is kept"
	}
	if r.low != nil && f < *r.low || r.high != nil && f > *r.high {
		return x, r.keep, fmt.Sprintf("%s is outside %s", x.text(), r.bounds())
	}
	return x, true, ""
}

func (r *rules) bounds() string {
	switch {
	case r.low == nil:
		return "the limit, at most " + keyOf(*r.high)
	case r.high == nil:
		return "the limit, at least " + keyOf(*r.low)
	}
	return keyOf(*r.low) + " to " + keyOf(*r.high)
}

// back is apply in reverse: what stands in a message for a property's value.
func (r *rules) back(v any) (any, error) {
	if r.values != nil {
		for _, word := range r.words {
			if keyOf(r.values[word]) == keyOf(v) {
				if x, ok := decimal(word); ok {
					return x, nil
				}
				return word, nil
			}
		}
		var known []string
		for _, word := range r.words {
			known = append(known, keyOf(r.values[word]))
		}
		return nil, fmt.Errorf("must be one of %s", strings.Join(known, ", "))
	}
	if r.as == "bool" {
		b, ok := asBool(v)
		if !ok {
			return nil, fmt.Errorf("must be true or false")
		}
		return b, nil
	}
	x, isNumber := v.(number)
	if !isNumber {
		if r.scaled || r.low != nil || r.high != nil || r.as == "number" {
			return nil, fmt.Errorf("must be a number%s", r.inUnit())
		}
		return v, nil
	}
	if f := x.float(); r.low != nil && f < *r.low || r.high != nil && f > *r.high {
		return nil, fmt.Errorf("is %s, must be %s%s", x.text(), r.bounds(), r.inUnit())
	}
	if r.scaled {
		return r.line.back(x), nil
	}
	return x, nil
}

func (r *rules) inUnit() string {
	if r.unit == "" {
		return ""
	}
	return " in " + r.unit
}

// short is a value for a sentence.
func short(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%.40q", v)
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case nil:
		return "null"
	}
	return keyOf(v)
}
