package declarative

import (
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/topic"
	"go.yaml.in/yaml/v3"
)

// A condition is what must hold for a message or a field to count; all that it has must hold.
type condition struct {
	ports   []int
	topics  []*topic.Pattern
	lengths []int

	field   string
	path    *path
	byteAt  int
	hasByte bool

	is, not map[string]bool
	exists  *bool
}

// conditions reads `when`: one condition or a list of which all must hold.
func (o *object) conditions(key string) (all []condition) {
	for _, n := range o.list(key) {
		c := o.object(n, o.field(key))
		if !o.step(n) {
			break
		}
		var when condition
		when.ports = c.integers("port", 1, 255)
		when.topics = c.topics()
		when.lengths = c.integers("length", 0, driver.MaxInput)
		when.field = c.text("field", 128)
		if s := c.text("path", 256); s != "" {
			when.path = c.aPath("path", s)
		}
		when.byteAt, when.hasByte = c.integer("byte", -driver.MaxInput, driver.MaxInput)
		when.is, when.not = c.comparisons("is"), c.comparisons("not")
		if c.has("exists") {
			e := c.flag("exists")
			when.exists = &e
		} else {
			c.take("exists")
		}
		subjects := 0
		for _, k := range []string{"field", "path", "byte"} {
			if c.has(k) {
				subjects++
			}
		}
		tests := when.is != nil || when.not != nil || when.exists != nil
		switch {
		case subjects > 1:
			c.fault(n, c.path, "must have one of field, path and byte; a list of conditions has several")
		case subjects == 1 && !tests, subjects == 0 && tests:
			c.fault(n, c.path, "must say what is compared (field, path or byte) and with what (is, not or exists)")
		}
		c.end()
		all = append(all, when)
	}
	return all
}

func (o *object) integers(key string, low, high int) (all []int) {
	for _, n := range o.list(key) {
		if !o.step(n) {
			break
		}
		i, ok := wholeOf(plainNode(n))
		if !ok || i < int64(low) || i > int64(high) {
			o.bad(key, "must be a whole number from %d to %d, or a list of them", low, high)
			continue
		}
		all = append(all, int(i))
	}
	return all
}

func (o *object) topics() (all []*topic.Pattern) {
	for _, n := range o.list("topic") {
		if !o.step(n) {
			break
		}
		if t := o.topic(n); t != nil {
			all = append(all, t)
		}
	}
	return all
}

func (o *object) topic(n *yaml.Node) *topic.Pattern {
	s, ok := scalar(n)
	if text, isText := s.(string); ok && isText {
		t, err := topic.Parse(text)
		if err == nil {
			return t
		}
		o.bad("topic", "%v", err)
		return nil
	}
	o.bad("topic", "must be a topic, or a list of them")
	return nil
}

func (o *object) aPath(key, s string) *path {
	p, err := parsePath(s)
	if err != nil {
		o.bad(key, "%v", err)
		return nil
	}
	return p
}

// fits tells whether all conditions hold where the cursor is.
func (c *cursor) fits(all []condition) bool {
	c.work += len(all)
	for i := range all {
		if !c.holds(&all[i]) {
			return false
		}
	}
	return true
}

func (c *cursor) holds(w *condition) bool {
	if w.ports != nil && !slices.Contains(w.ports, c.call.Port) || w.lengths != nil && !slices.Contains(w.lengths, len(c.call.Bytes)) {
		return false
	}
	if w.topics != nil && !c.cameBy(w.topics) {
		return false
	}
	var v any
	found := false
	switch {
	case w.field != "":
		v, found = c.get(w.field)
	case w.path != nil:
		if v, found = w.path.one(c); found {
			v, _ = valueOf(v)
		}
	case w.hasByte:
		at := w.byteAt
		if at < 0 {
			at += len(c.b)
		}
		if found = at >= 0 && at < len(c.b); found {
			v = whole(int64(c.b[at]))
		}
	default:
		return true
	}
	return w.compare(v, found)
}

// cameBy tells whether the message's topic is one of these, whose named parts become variables.
func (c *cursor) cameBy(all []*topic.Pattern) bool {
	vars := len(c.vars)
	for _, t := range all {
		if t.Match(c.call.Topic, func(name, v string) { c.set(name, v) }) {
			return true
		}
		c.vars = c.vars[:vars]
	}
	return false
}

func (w *condition) compare(v any, found bool) bool {
	key := keyOf(v)
	return (w.exists == nil || *w.exists == found) && (w.is == nil || found && w.is[key]) && (w.not == nil || !w.not[key])
}

// subject is what the condition is about, for people.
func subjects(all []condition) string {
	var about []string
	for _, w := range all {
		switch {
		case w.field != "":
			about = append(about, w.field)
		case w.path != nil:
			about = append(about, w.path.text)
		}
	}
	return strings.Join(about, ", ")
}
