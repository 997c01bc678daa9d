package declarative

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Fault is one thing that is wrong with a document.
type Fault struct {
	Line   int    // where it is, from 1
	Field  string // "uplink[0].fields[2].scale"
	Reason string // what is wrong, and what would be right
}

func (f Fault) Error() string { return fmt.Sprintf("line %d: %s %s", f.Line, f.Field, f.Reason) }

// Faults are all faults of a document that were found, 20 at most.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Bounds of a document.
const (
	MaxDocument = 256 << 10 // bytes
	maxDepth    = 8         // groups within groups
	maxSteps    = 2_000     // fields, groups, cases and bits in all, an alias counted wherever it stands
	maxStates   = 2_000     // of all expressions
	maxFaults   = 20
)

// A reader reads nodes of a document and collects faults; it goes on after each, so that people see all of them at once.
type reader struct {
	strict bool // as Check has it
	faults Faults
	steps  int // that were read
	parts  int // of templates
	states int // of expressions
}

func (r *reader) fault(n *yaml.Node, field, format string, args ...any) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, Fault{n.Line, field, fmt.Sprintf(format, args...)})
	}
}

// An object is a mapping of the document whose keys are taken one by one; what was not taken in the end is unknown.
type object struct {
	*reader
	node  *yaml.Node
	path  string
	keys  []*yaml.Node
	of    map[string]*yaml.Node
	asked []string
}

func (r *reader) object(n *yaml.Node, path string) *object {
	o := &object{reader: r, node: n, path: path, of: map[string]*yaml.Node{}}
	if n = plainNode(n); n.Kind != yaml.MappingNode {
		r.fault(n, path, "must be an object with keys and values")
		return o
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := plainNode(n.Content[i])
		if _, twice := o.of[k.Value]; twice {
			r.fault(k, o.field(k.Value), "is given twice; keep one")
		}
		o.keys = append(o.keys, k)
		o.of[k.Value] = plainNode(n.Content[i+1])
	}
	return o
}

// plainNode follows aliases.
func plainNode(n *yaml.Node) *yaml.Node {
	for i := 0; n.Kind == yaml.AliasNode && i < 100; i++ {
		n = n.Alias
	}
	return n
}

func (o *object) field(key string) string {
	if o.path == "" {
		return fmt.Sprintf("%.80s", key)
	}
	return fmt.Sprintf("%s.%.80s", o.path, key)
}

func (o *object) bad(key, format string, args ...any) {
	n := o.of[key]
	if n == nil {
		n = o.node
	}
	o.fault(n, o.field(key), format, args...)
}

func (o *object) has(key string) bool { _, ok := o.of[key]; return ok }

func (o *object) take(key string) (*yaml.Node, bool) {
	o.asked = append(o.asked, key)
	n, ok := o.of[key]
	return n, ok
}

// elsewhere says where keys belong that people look for in another place, or forget what they go with.
var elsewhere = map[string]string{
	"path": ", it goes with format: json or cbor at the message", "each": ", it goes with format: json or cbor at the message",
	"column": ", it goes with format: csv at the message", "header": ", it stands at a message of format: csv", "separator": ", it stands at a message of format: csv",
	"group": ", it goes with format: text and a pattern at the message", "pattern": ", it stands at a message of format: text, and fields name its groups by group",
	"type": ", it is how a value lies in bytes, which a message of another format has none of; as: number makes a number of a text",
	"bits": ", it goes with bytes", "tlv": ", it goes with bytes", "port": ", it stands at the message, or in when", "topic": ", it stands at the message, or in when",
	"format": ", it stands at the message", "fPort": ", it is called port",
}

// end tells of keys that nobody took.
func (o *object) end() {
	for _, k := range o.keys {
		if !slices.Contains(o.asked, k.Value) {
			known := slices.Compact(slices.Sorted(slices.Values(o.asked)))
			o.fault(k, o.field(k.Value), "is not known here%s; there are %s", elsewhere[k.Value], strings.Join(known, ", "))
		}
	}
}

// text is a scalar of 1 to most bytes, "" if it is not there.
func (o *object) text(key string, most int) string {
	n, ok := o.take(key)
	if !ok {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.Value == "" || len(n.Value) > most || n.Tag == "!!null" {
		o.bad(key, "must be a text of 1 to %d bytes", most)
		return ""
	}
	return n.Value
}

// word is a text that is one of several.
func (o *object) word(key string, words ...string) string {
	s := o.text(key, 100)
	if s != "" && !slices.Contains(words, s) {
		o.bad(key, "must be %s", strings.Join(words, " or "))
		return ""
	}
	return s
}

func (o *object) flag(key string) bool {
	switch s := o.word(key, "true", "false"); s {
	case "true":
		return true
	}
	return false
}

// integer is a whole number from low to high; ok is false if it is not there.
func (o *object) integer(key string, low, high int) (int, bool) {
	n, ok := o.take(key)
	if !ok {
		return 0, false
	}
	i, ok := wholeOf(n)
	if !ok || i < int64(low) || i > int64(high) {
		o.bad(key, "must be a whole number from %d to %d", low, high)
		return low, false
	}
	return int(i), true
}

func wholeOf(n *yaml.Node) (int64, bool) {
	if n.Kind != yaml.ScalarNode {
		return 0, false
	}
	i, err := strconv.ParseInt(n.Value, 0, 64)
	return i, err == nil && (n.Tag == "!!int" || n.Style == 0)
}

// fraction is a decimal number or a fraction like 1/3.
func (o *object) fraction(key string) *big.Rat {
	n, ok := o.take(key)
	if !ok {
		return nil
	}
	if i, is := wholeOf(n); is {
		return new(big.Rat).SetInt64(i)
	}
	over, under, isFraction := strings.Cut(n.Value, "/")
	a, ok := decimal(over)
	b := whole(1)
	if isFraction && ok {
		b, ok = decimal(under)
	}
	if n.Kind != yaml.ScalarNode || !ok || b.rat().Sign() == 0 {
		o.bad(key, "must be a number like 0.1 or a fraction like 1/3")
		return nil
	}
	r := new(big.Rat).Quo(a.rat(), b.rat())
	if r.Num().BitLen() > 256 || r.Denom().BitLen() > 256 {
		o.bad(key, "has more digits than anybody measures")
		return nil
	}
	return r
}

// list is the elements of a list, or the one thing that stands in its place.
func (o *object) list(key string) []*yaml.Node {
	n, ok := o.take(key)
	if !ok {
		return nil
	}
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

// scalar is a value as it stands in the document: text, number or truth.
func scalar(n *yaml.Node) (any, bool) {
	if n = plainNode(n); n.Kind != yaml.ScalarNode || len(n.Value) > 16_384 {
		return nil, false
	}
	switch n.Tag {
	case "!!int":
		i, err := strconv.ParseInt(n.Value, 0, 64)
		return whole(i), err == nil
	case "!!float":
		return decimal(n.Value)
	case "!!bool":
		return n.Value == "true" || n.Value == "True" || n.Value == "TRUE", true
	case "!!null":
		return nil, false
	}
	return n.Value, true
}

// keys are scalars by which values are compared.
func (o *object) comparisons(key string) map[string]bool {
	if !o.has(key) {
		o.take(key)
		return nil
	}
	set := map[string]bool{}
	for _, n := range o.list(key) {
		v, ok := scalar(n)
		if !ok {
			o.bad(key, "must be a text, a number, true or false, or a list of them")
			return nil
		}
		set[keyOf(v)] = true
	}
	return set
}
