package twinprovision

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
	"go.yaml.in/yaml/v3"
)

// What is told of a model's faults: as many as fit, none of them whole that quotes much of a hostile text.
const (
	maxFaults    = 5 << 10 // bytes of all
	maxFaultPath = 80      // bytes of one
	maxFaultText = 240
)

// A text is a model as somebody wrote it: YAML or JSON, with where everything stands.
type text struct {
	model  provision.Model
	places map[string]*yaml.Node // by the path of a fault
	faults []provision.Fault
}

// readModel reads a model. What is wrong with its form is among the faults; the rest is provision.Model's to say.
func readModel(body []byte, isJSON bool) *text {
	t := &text{places: map[string]*yaml.Node{}}
	root, err := document(body, isJSON)
	if err != nil {
		f := provision.Fault{Text: err.Error()}
		if at := new(syntaxError); errors.As(err, &at) {
			f.Line, f.Column = at.line, at.column
		}
		t.faults = append(t.faults, f)
		return t
	}
	t.read(root)
	return t
}

// document is the one value of a text.
func document(body []byte, isJSON bool) (*yaml.Node, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, &syntaxError{"there is no model: the text is empty", 1, 1}
	}
	if isJSON {
		return jsonNode(body)
	}
	d := yaml.NewDecoder(bytes.NewReader(body))
	var doc, next yaml.Node
	if err := d.Decode(&doc); err != nil {
		return nil, notYAML(body, err)
	}
	if err := d.Decode(&next); err != io.EOF {
		return nil, &syntaxError{"there is something behind the first YAML document", max(next.Line, 1), max(next.Column, 1)}
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, &syntaxError{"there is no model in the YAML", 1, 1}
	}
	return doc.Content[0], nil
}

// A syntaxError tells where a text cannot be read.
type syntaxError struct {
	text         string
	line, column int
}

// Error is the text.
func (e *syntaxError) Error() string { return e.text }

func (t *text) fault(n *yaml.Node, path, format string, a ...any) {
	t.faults = append(t.faults, provision.Fault{Path: path, Line: n.Line, Column: n.Column, Text: fmt.Sprintf(format, a...)})
}

// check adds the model's own faults, each at its line, and puts all in the order of the text.
func (t *text) check(guard provision.Guard) []provision.Fault {
	if len(t.faults) > 0 && len(t.model.States) == 0 { // it could not be read so far that more can be said
		return few(t.faults)
	}
	read := t.faults // what could not be read there is told already: that it is missing is not
	for _, f := range t.model.Faults(guard) {
		if !slices.ContainsFunc(read, func(r provision.Fault) bool { return r.Path != "" && r.Path == f.Path }) {
			t.faults = append(t.faults, t.placed(f))
		}
	}
	slices.SortStableFunc(t.faults, func(a, b provision.Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return few(t.faults)
}

// few are the first faults, cut short.
func few(faults []provision.Fault) []provision.Fault {
	size := 0
	for i := range faults {
		f := &faults[i]
		f.Path, f.Text = cut(f.Path, maxFaultPath), cut(f.Text, maxFaultText)
		if size += len(f.Path) + len(f.Text) + 50; size > maxFaults && i > 0 { // 50: the names and numbers around them
			return faults[:i]
		}
	}
	return faults
}

// cut is s, or its beginning.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// placed gives a fault the place of what it is about, or of what that would be in.
func (t *text) placed(f provision.Fault) provision.Fault {
	for path := f.Path; ; {
		if n := t.places[path]; n != nil {
			f.Line, f.Column = n.Line, n.Column
			if line, column := f.Within(); line > 0 && path == f.Path {
				f.Line, f.Column = inside(n, line, column)
			}
			return f
		}
		if path == "" {
			return f
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}

// inside is the place of a part of a scalar: exact where it is written plainly.
func inside(n *yaml.Node, line, column int) (int, int) {
	switch {
	case n.Style == yaml.LiteralStyle || n.Style == yaml.FoldedStyle:
		return n.Line + line, column
	case line == 1 && n.Style == 0:
		return n.Line, n.Column + column - 1
	case line == 1:
		return n.Line, n.Column + column // behind the quote
	}
	return n.Line, n.Column
}

// duration reads one, like "5m".
func (t *text) duration(n *yaml.Node, path string) (d twin.Duration) {
	s, ok := t.scalar(n, path)
	if ok && d.UnmarshalText([]byte(s)) != nil {
		t.fault(n, path, "%.40q must be a duration like \"30s\", \"5m\" or \"1h30m\"", s)
	}
	return d
}

func (t *text) number(n *yaml.Node, path string) int64 {
	s, ok := t.scalar(n, path)
	v, err := strconv.ParseInt(s, 10, 32)
	if ok && err != nil {
		t.fault(n, path, "%.40q must be a whole number", s)
	}
	return v
}

func (t *text) string(n *yaml.Node, path string) string {
	s, _ := t.scalar(n, path)
	return s
}

func (t *text) scalar(n *yaml.Node, path string) (string, bool) {
	switch {
	case n.Kind == yaml.AliasNode:
		t.fault(n, path, "aliases (*%.40s) are not taken; write it out", n.Value)
	case n.Kind != yaml.ScalarNode:
		t.fault(n, path, "must be a text")
	case n.Tag == "!!null":
		return "", true
	default:
		return n.Value, true
	}
	return "", false
}
