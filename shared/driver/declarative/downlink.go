package declarative

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/driver"
)

// downlink reads what only messages for devices have.
func (m *message) downlink(o *object) {
	if m.command = o.text("command", 64); m.command != "" && !o.has("name") {
		m.name = m.command
	}
	m.only = o.conditions("when")
	for _, w := range m.only {
		if w.field == "" {
			o.bad("when", "of a downlink must be about a field")
		}
	}
	if len(m.ports) > 1 || len(m.topics) > 1 {
		o.bad("port", "and topic of a downlink must be one: where it is sent")
	}
	if n, ok := o.take("payload"); ok {
		if m.format == Binary {
			o.bad("payload", "is for json, cbor and text; bytes have fields")
		}
		m.payload = o.template(n, o.field("payload"), 0)
	}
	if m.format == CSV || m.pattern != nil {
		o.bad("format", "of a downlink must be binary, json, cbor or text without a pattern")
	}
}

// link connects what is counted with what counts it, and notes all names that the message takes.
func (m *message) link(o *object) {
	if m.payload != nil {
		for _, s := range m.steps {
			if _, plain := s.(*field); !plain {
				o.bad("fields", "beside a payload must be fields that say what its names are, not groups of them")
			}
		}
	}
	fields := map[string]*field{}
	for _, f := range fieldsOf(m.steps) {
		if len(f.name.parts) > 1 || f.use != "" {
			o.bad("fields", "of a downlink cannot have {names} in their names, and no use")
		}
		if f.at != nil && *f.at < 0 {
			o.bad("fields", "of a downlink must be at bytes from the begin")
		}
		fields[f.name.text] = f
	}
	for _, f := range fieldsOf(m.steps) {
		if counted := fields[f.sized]; f.sized != "" {
			if counted == nil || f.shape.kind == hexes {
				o.bad("fields", "has a length in %q, which must be a field of the message and measure a text", f.sized)
				continue
			}
			counted.measures = f.name.text
		}
	}
	for _, rep := range repeatsOf(m.steps) {
		if rep.records || rep.list == "" {
			o.bad("fields", "of a downlink that repeat must have a name: the list that is written")
		}
		if rep.field != "" {
			if fields[rep.field] == nil {
				o.bad("fields", "has %q as a number of times, which is no field of the message", rep.field)
				continue
			}
			fields[rep.field].counts = rep.list
		}
	}
	for _, name := range names(m.steps) {
		m.names[name] = true
	}
	for _, t := range m.topics {
		for _, name := range t.Names() {
			m.names[name] = true
		}
	}
	templateNames(m.payload, m.names)
}

// encode writes data by the first message that takes it.
func encode(messages []*message, call *driver.Call) driver.Result {
	data, ok := call.Data.(map[string]any)
	if !ok {
		return failed(fmt.Errorf("data is %s, and must be an object", short(call.Data)))
	}
	command, _ := data["command"].(string)
	var first error
	for _, m := range messages {
		input := data
		if m.command != "" {
			if m.command != command {
				continue
			}
			input = inputOf(data)
		} else if command != "" && !m.names["command"] {
			continue
		}
		r, err := m.encode(call, input)
		if err == nil {
			return r
		}
		if !errors.Is(err, errMissing) && !errors.Is(err, errUnfit) {
			return failed(err)
		}
		if first == nil || errors.Is(first, errUnfit) {
			first = err
		}
	}
	if first == nil {
		first = fmt.Errorf("the document has no downlink for %s%s", askedFor(command, data), commandsOf(messages))
	}
	return failed(first)
}

// takes names what the message takes, for people.
func (m *message) takes() string {
	names := slices.DeleteFunc(sorted(m.names), func(name string) bool { return name == "device" })
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

var errUnfit = errors.New("does not fit")

func askedFor(command string, data map[string]any) string {
	if command != "" {
		return fmt.Sprintf("the command %.64q", command)
	}
	return fmt.Sprintf("%.200s", strings.Join(sorted(data), ", "))
}

const maxCommands = 10 // named to who asked for another

// commandsOf names the commands that there are messages for: "; it has open, close".
func commandsOf(messages []*message) string {
	var all []string
	for _, m := range messages {
		if m.command != "" && !slices.Contains(all, m.command) {
			all = append(all, m.command)
		}
	}
	if len(all) == 0 {
		return ""
	}
	if more := len(all) - maxCommands; more > 0 {
		all = append(all[:maxCommands], fmt.Sprintf("and %d more", more))
	}
	return "; it has " + strings.Join(all, ", ")
}

// inputOf is what a command was given: {"command": …, "input": {…}} or its values beside the command. An input that is no object
// has the name value.
func inputOf(data map[string]any) map[string]any {
	switch in := data["input"].(type) {
	case map[string]any:
		return in
	case nil:
		input := make(map[string]any, len(data))
		for k, v := range data {
			if k != "command" && k != "input" {
				input[k] = v
			}
		}
		return input
	default:
		return map[string]any{"value": in}
	}
}

func (m *message) encode(call *driver.Call, data map[string]any) (r driver.Result, err error) {
	w := &writer{call: call, data: data}
	if !w.fits(m.only) {
		return r, fmt.Errorf("%s %w: %s", m.name, errUnfit, subjects(m.only))
	}
	if !m.names["_data"] {
		for _, k := range sorted(data) {
			if !m.names[k] {
				return r, fmt.Errorf("%.80s %w: %s takes %s", k, errUnfit, m.name, m.takes())
			}
		}
	}
	if m.payload == nil {
		if err = w.steps(m.steps); err != nil {
			return r, err
		}
		r.Bytes = w.b
	} else if r.Bytes, err = m.render(w); err != nil {
		return r, err
	}
	if len(m.ports) > 0 {
		r.Port = m.ports[0]
	}
	if len(m.topics) > 0 {
		r.Topic, err = m.topics[0].Fill(func(name string) (string, bool) {
			if v, ok := call.Variables[name]; ok && name == "device" {
				return v, true // whoever sends a command to one device does not choose another
			}
			if v, ok := w.get(name); ok {
				return keyOf(v), true
			}
			v, ok := call.Variables[name]
			return v, ok
		})
	}
	if r.Bytes == nil {
		r.Bytes = []byte{}
	}
	return r, err
}
