package declarative

import (
	"bytes"
	"fmt"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// kind is in what a field stands.
type kind struct {
	format Format
	down   bool // of a downlink
	little bool // values are little endian unless they say otherwise
	header bool // CSV with headings
	loops  int  // groups around it that repeat
	depth  int

	command bool // of a downlink that is for a command: its names are no properties
}

// Parse reads a document, YAML or JSON. The error is Faults: all that is wrong, each at its line. What has been published once is read
// for ever, so mistakes that such documents may have are Check's alone.
func Parse(document []byte) (*Program, error) { return (&reader{}).document(document) }

// Check refuses what Parse refuses, and documents that would run but cannot mean what they say: a number that stays a text, a name that no
// type takes, two fields of one name of which the first is lost. It is for those who write a document. The error is Faults.
func Check(document []byte) error {
	_, err := (&reader{strict: true}).document(document)
	return err
}

func (r *reader) document(document []byte) (*Program, error) {
	var root yaml.Node
	switch {
	case len(document) > MaxDocument:
		return nil, Faults{{1, "document", fmt.Sprintf("has %d bytes, at most %d are read", len(document), MaxDocument)}}
	case !utf8.Valid(document):
		return nil, Faults{{1, "document", "must be text in UTF-8"}}
	}
	d := yaml.NewDecoder(bytes.NewReader(document))
	if err := d.Decode(&root); err != nil {
		return nil, Faults{{lineOf(err), "document", fmt.Sprintf("is neither YAML nor JSON: %.200s", yamlPlace.ReplaceAllString(err.Error(), ""))}}
	}
	var more yaml.Node
	if len(root.Content) == 0 || d.Decode(&more) == nil {
		return nil, Faults{{1, "document", "must be one object"}}
	}
	p := r.program(root.Content[0])
	if len(r.faults) > 0 {
		return nil, r.faults
	}
	return p, nil
}

var (
	yamlLine  = regexp.MustCompile(`line (\d+)`)
	yamlPlace = regexp.MustCompile(`^yaml: (line \d+: )?`) // which a fault says itself
)

func lineOf(err error) int {
	line := 1
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		fmt.Sscan(m[1], &line)
	}
	return line
}

func (r *reader) program(n *yaml.Node) *Program {
	o := r.object(n, "")
	if v, ok := o.integer("castor", 1, 1); !ok || v != 1 {
		o.bad("castor", "must be 1, the version of this language")
	}
	p := &Program{Title: o.text("title", 200), Version: o.text("version", 64)}
	o.text("note", 2000)
	for i, n := range o.list("uplink") {
		p.uplink = append(p.uplink, r.message(n, fmt.Sprintf("uplink[%d]", i), false))
	}
	for i, n := range o.list("downlink") {
		p.downlink = append(p.downlink, r.message(n, fmt.Sprintf("downlink[%d]", i), true))
	}
	if n, ok := o.take("normalize"); ok {
		p.normalize = r.normalization(n)
	}
	if p.uplink == nil && p.downlink == nil && p.normalize == nil {
		o.bad("uplink", "is missing: a document has uplink, downlink or normalize")
	}
	o.end()
	if len(r.faults) == 0 {
		for _, m := range p.uplink {
			m.units = m.unitsOf()
		}
	}
	return p
}

func (r *reader) message(n *yaml.Node, path string, down bool) *message {
	o := r.object(n, path)
	if !r.step(n) {
		return &message{}
	}
	m := &message{name: o.text("name", 64), names: map[string]bool{}}
	if m.name == "" {
		m.name = path
	}
	m.format = Format(o.word("format", string(Binary), string(JSON), string(CBOR), string(CSV), string(Text)))
	if m.format == "" {
		m.format = Binary
	}
	m.encoding = o.word("encoding", "hex", "base64")
	m.ports = o.integers("port", 1, 255)
	m.topics = o.topics()
	k := kind{format: m.format, down: down, little: o.word("endian", "big", "little") == "little"}
	switch m.format {
	case CSV:
		m.separator = ','
		if s := o.text("separator", 4); s == "tab" {
			m.separator = '\t'
		} else if c, size := utf8.DecodeRuneInString(s); s != "" && (size != len(s) || c == '"' || c == '\n' || c == '\r' || c == utf8.RuneError) {
			o.bad("separator", "must be one character, or tab")
		} else if s != "" {
			m.separator = c
		}
		m.header = o.flag("header")
		k.header = m.header
	case Text:
		if s := o.text("pattern", 1000); s != "" {
			m.pattern = o.expression(s)
		}
	}
	if down {
		m.downlink(o)
		k.command = m.command != ""
	} else {
		m.when = o.conditions("when")
		m.ignore = o.flag("ignore")
	}
	m.steps = o.stepsOf("fields", k)
	if down && m.payload == nil && len(m.steps) > 0 && m.format != Binary {
		o.bad("payload", "is missing: what is sent in the format %s is told by a payload", m.format)
	}
	if !down && !m.ignore && len(m.steps) == 0 {
		o.bad("fields", "is missing: tell what is in the message, or ignore: true")
	}
	o.end()
	if m.format == Text {
		m.named(o)
	}
	if down {
		m.link(o)
	} else {
		m.resolve(o)
	}
	return m
}

// expression compiles the pattern of a message. What it costs is bounded by its states, which {1000} makes many of.
func (o *object) expression(s string) *regexp.Regexp {
	re, err := regexp.Compile(s)
	if err != nil || re.NumSubexp() > 50 {
		o.bad("pattern", "must be a regular expression (RE2) of at most 50 groups: %v", err)
		return nil
	}
	if tree, err := syntax.Parse(s, syntax.Perl); err == nil {
		if program, err := syntax.Compile(tree.Simplify()); err == nil {
			o.states += len(program.Inst)
		}
	}
	if o.states > maxStates {
		o.bad("pattern", "has too many states, all patterns together at most %d: repeat less", maxStates)
	}
	return re
}

// named brings the names of an expression's groups to numbers.
func (m *message) named(o *object) {
	pattern := m.pattern
	if pattern == nil {
		pattern = regexp.MustCompile("")
	}
	for _, f := range fieldsOf(m.steps) {
		if f.hasCell && f.heading != "" {
			if f.column = pattern.SubexpIndex(f.heading); f.column < 0 {
				o.bad("pattern", "has no group %q", f.heading)
			}
			f.heading = ""
		} else if f.hasCell && f.column > pattern.NumSubexp() {
			o.bad("pattern", "has no group %d", f.column)
		}
	}
}

func (r *reader) step(n *yaml.Node) bool {
	if r.steps++; r.steps == maxSteps+1 {
		r.fault(n, "document", "has more than %d fields", maxSteps)
	}
	return r.steps <= maxSteps
}

func (o *object) stepsOf(key string, k kind) (steps []step) {
	n, ok := o.take(key)
	if !ok {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		o.bad(key, "must be a list of fields")
		return nil
	}
	if k.depth++; k.depth > maxDepth {
		o.bad(key, "is nested deeper than %d groups", maxDepth)
		return nil
	}
	named := namesakes{}
	for i, n := range n.Content {
		if !o.step(n) {
			return steps
		}
		e := o.object(n, fmt.Sprintf("%s[%d]", o.field(key), i))
		switch {
		case e.has("repeat"), e.has("each"):
			steps = append(steps, e.repeat(k))
		case e.has("switch"):
			steps = append(steps, e.choice(k))
		case e.has("tlv"):
			steps = append(steps, e.tlv(k))
		case e.has("fields"):
			steps = append(steps, &group{when: e.conditions("when"), steps: e.stepsOf("fields", k)})
			e.end()
		default:
			f := e.fieldStep(k)
			named.meet(e, f, k)
			steps = append(steps, f)
		}
	}
	return steps
}
