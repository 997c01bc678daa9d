package twinprovision

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
	"go.yaml.in/yaml/v3"
)

// fields are what a mapping may hold, each with how it is read.
type fields map[string]func(n *yaml.Node, path string)

// read reads the model.
func (t *text) read(root *yaml.Node) {
	m := &t.model
	t.mapping(root, "", fields{
		"id":      func(n *yaml.Node, path string) { m.ID = t.string(n, path) },
		"version": func(n *yaml.Node, path string) { t.number(n, path) }, // the platform's to say
		"updated": func(n *yaml.Node, path string) { t.string(n, path) },
		"type":    func(n *yaml.Node, path string) { m.Type = twin.TypeID(t.string(n, path)) },
		"note":    func(n *yaml.Node, path string) { m.Note = t.string(n, path) },
		"start":   func(n *yaml.Node, path string) { m.Start = t.string(n, path) },
		"states": func(n *yaml.Node, path string) {
			t.sequence(n, path, func(n *yaml.Node, path string) { m.States = append(m.States, t.state(n, path)) })
		},
	})
}

func (t *text) state(n *yaml.Node, path string) (s provision.State) {
	t.mapping(n, path, fields{
		"name":    func(n *yaml.Node, path string) { s.Name = t.string(n, path) },
		"title":   func(n *yaml.Node, path string) { s.Title = t.string(n, path) },
		"do":      func(n *yaml.Node, path string) { s.Do = provision.Action(t.string(n, path)) },
		"with":    func(n *yaml.Node, path string) { s.With = t.with(n, path) },
		"await":   func(n *yaml.Node, path string) { s.Await = provision.Trigger(t.string(n, path)) },
		"then":    func(n *yaml.Node, path string) { s.Then = t.string(n, path) },
		"else":    func(n *yaml.Node, path string) { s.Else = t.string(n, path) },
		"limit":   func(n *yaml.Node, path string) { s.Limit = t.duration(n, path) },
		"retries": func(n *yaml.Node, path string) { s.Retries = int(t.number(n, path)) },
		"backoff": func(n *yaml.Node, path string) { s.Backoff = t.duration(n, path) },
		"remind":  func(n *yaml.Node, path string) { s.Remind = t.duration(n, path) },
		"end":     func(n *yaml.Node, path string) { s.End = provision.Outcome(t.string(n, path)) },
		"on": func(n *yaml.Node, path string) {
			t.sequence(n, path, func(n *yaml.Node, path string) { s.On = append(s.On, t.transition(n, path)) })
		},
		"undo": func(n *yaml.Node, path string) {
			s.Undo = new(provision.Deed)
			t.mapping(n, path, fields{
				"do":   func(n *yaml.Node, path string) { s.Undo.Do = provision.Action(t.string(n, path)) },
				"with": func(n *yaml.Node, path string) { s.Undo.With = t.with(n, path) },
			})
		},
	})
	return s
}

func (t *text) transition(n *yaml.Node, path string) (w provision.Transition) {
	t.mapping(n, path, fields{
		"when": func(n *yaml.Node, path string) { w.When = provision.Trigger(t.string(n, path)) },
		"if":   func(n *yaml.Node, path string) { w.If = t.string(n, path) },
		"then": func(n *yaml.Node, path string) { w.Then = t.string(n, path) },
	})
	return w
}

// with reads an action's parameters.
func (t *text) with(n *yaml.Node, path string) map[string]string {
	out := map[string]string{}
	t.pairs(n, path, func(name string, _, value *yaml.Node) {
		at := path + "." + name
		t.places[at] = value
		out[name] = t.string(value, at)
	})
	return out
}

// mapping reads the fields of a mapping; others are faults.
func (t *text) mapping(n *yaml.Node, path string, known fields) {
	t.places[path] = n
	t.pairs(n, path, func(name string, key, value *yaml.Node) {
		at := name
		if path != "" {
			at = path + "." + name
		}
		read, ok := known[name]
		if !ok {
			t.fault(key, at, "there is no field %.40q here; there are %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
			return
		}
		t.places[at] = value
		read(value, at)
	})
}

// pairs goes over a mapping, each name once.
func (t *text) pairs(n *yaml.Node, path string, do func(name string, key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		t.fault(n, path, "must have fields, like \"name: value\"")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name, ok := t.scalar(key, path)
		switch {
		case !ok:
		case seen[name]:
			t.fault(key, path+"."+name, "%.40q is given twice", name)
		default:
			seen[name] = true
			do(name, key, value)
		}
	}
}

// sequence goes over a list.
func (t *text) sequence(n *yaml.Node, path string, do func(n *yaml.Node, path string)) {
	if n.Kind != yaml.SequenceNode {
		t.fault(n, path, "must be a list")
		return
	}
	for i, item := range n.Content {
		do(item, fmt.Sprintf("%s[%d]", path, i))
	}
}
