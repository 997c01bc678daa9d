package declarative

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/castor-iot/castor/shared/driver/topic"
)

func (o *object) repeat(k kind) *repeat {
	r := &repeat{when: o.conditions("when"), list: o.text("name", 128), records: o.flag("records")}
	o.nameable(label{text: r.list, parts: []string{r.list}}, k)
	if o.has("each") {
		if k.format != JSON && k.format != CBOR {
			o.bad("each", "is for json and cbor; bytes have repeat")
		}
		r.each = o.aPath("each", o.text("each", 256))
	} else {
		if k.format != Binary {
			o.bad("repeat", "is for bytes; json and cbor have each")
		}
		n, _ := o.take("repeat")
		switch i, isWhole := wholeOf(n); {
		case isWhole && i >= 1 && i <= 10_000:
			r.count = int(i)
		case n.Value == "rest":
			r.count = -1
		case topic.IsName(n.Value):
			r.field = n.Value
		default:
			o.bad("repeat", "must be a number of times, a field that has it, or rest")
		}
	}
	if n, ok := o.take("step"); ok {
		i, isWhole := wholeOf(n)
		r.spacing, r.back = strings.CutPrefix(n.Value, "-")
		switch {
		case !r.records:
			o.bad("step", "is the seconds from one record to the next: it needs records: true")
		case isWhole && i >= -1e8 && i <= 1e8:
			every := int(i)
			r.every, r.spacing = &every, ""
		case !topic.IsName(r.spacing):
			o.bad("step", "must be a number of seconds, or a field that has it, with - before it for the past")
		}
		if r.spacing == "" {
			r.back = false
		} else if !r.back {
			r.spacing = n.Value
		}
	}
	if r.records && r.list != "" {
		o.bad("records", "cannot stand beside name: the values are records of their own or a list")
	}
	k.loops++
	if r.steps = o.stepsOf("fields", k); len(r.steps) == 0 {
		o.bad("fields", "is missing: what is repeated")
	}
	o.end()
	return r
}

func (o *object) choice(k kind) *choice {
	s := &choice{when: o.conditions("when"), on: o.words("switch")}
	s.parse(o, k)
	o.end()
	return s
}

// words are 1 to 4 names of fields.
func (o *object) words(key string) (names []string) {
	for _, n := range o.list(key) {
		if n = plainNode(n); !topic.IsName(n.Value) {
			o.bad(key, "must be the name of a field, or a list of them")
		}
		names = append(names, n.Value)
	}
	if len(names) < 1 || len(names) > 4 {
		o.bad(key, "must have 1 to 4 names of fields")
		return []string{"_"}
	}
	return names
}

func (s *choice) parse(o *object, k kind) {
	s.cases = map[string][]step{}
	if n, ok := o.take("cases"); !ok {
		o.bad("cases", "is missing: what there is for each value")
	} else {
		cases := o.object(n, o.field("cases"))
		for _, key := range cases.keys {
			if !o.reader.step(key) {
				return
			}
			name, ok := s.key(key)
			if _, twice := s.cases[name]; !ok || twice {
				o.fault(key, cases.field(key.Value), "must be %d values with a blank between, each case once", len(s.on))
				continue
			}
			s.keys = append(s.keys, name)
			s.cases[name] = cases.stepsOf(key.Value, k)
		}
	}
	if n := o.of["else"]; n != nil && n.Kind == yaml.SequenceNode {
		s.other, s.total = o.stepsOf("else", k), true
	}
}

// key is a case as keysOf has it: numbers in decimal digits.
func (s *choice) key(n *yaml.Node) (string, bool) {
	if len(s.on) == 1 {
		v, ok := scalar(n)
		return keyOf(v), ok
	}
	parts := strings.Fields(n.Value)
	for i, p := range parts {
		if x, ok := wholeOf(&yaml.Node{Kind: yaml.ScalarNode, Value: p, Tag: "!!int"}); ok {
			parts[i] = whole(x).text()
		}
	}
	return strings.Join(parts, " "), len(parts) == len(s.on)
}

func (o *object) tlv(k kind) *tlv {
	if k.format != Binary {
		o.bad("tlv", "is for bytes")
	}
	t := &tlv{records: o.flag("records"), length: o.text("length", 64)}
	t.when = o.conditions("when")
	t.on = o.words("tlv")
	k.loops++
	if t.header = o.stepsOf("header", k); len(t.header) == 0 {
		o.bad("header", "is missing: the fields that each element begins with")
	}
	t.parse(o, k)
	if !t.total {
		switch o.word("else", "skip", "fail") {
		case "fail":
			t.fail = true
		}
	}
	o.end()
	return t
}

// A normalization gives decoded values their common names and units.
type normalization struct {
	renames []*rename
	drop    bool              // what is not named is left out
	units   map[string]string // of the names that it gives, where it tells them
}

type rename struct {
	from *path
	name label
	*rules
}

func (r *reader) normalization(n *yaml.Node) *normalization {
	o := r.object(n, "normalize")
	nz := &normalization{drop: o.word("others", "keep", "drop") == "drop"}
	for i, n := range o.list("fields") {
		if !r.step(n) {
			break
		}
		e := r.object(n, fmt.Sprintf("normalize.fields[%d]", i))
		f := &rename{}
		if s := e.text("path", 256); s != "" {
			f.from = e.aPath("path", s)
		}
		if f.from == nil {
			e.bad("path", "must tell which value, like temp_f or $.air.temperature")
		}
		l, err := newLabel(e.text("name", 200))
		if err != nil {
			e.bad("name", "%v", err)
		}
		f.name, f.rules = l, e.rules(nil)
		e.nameable(l, kind{})
		if len(l.parts) <= 1 && f.unit != "" {
			if nz.units == nil {
				nz.units = map[string]string{}
			}
			nz.units[l.text] = f.unit
		}
		e.end()
		nz.renames = append(nz.renames, f)
	}
	o.end()
	return nz
}
