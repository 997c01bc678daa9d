package wot

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/castor-iot/castor/shared/twin"
)

// Export writes a type as a Thing Model. Its version is that of the type's definition.
func Export(t twin.Twin) ([]byte, error) {
	d, m := &t.Definition, twin.Model{}
	if d.Model != nil {
		m = *d.Model
	}
	title := d.Name
	if title == "" {
		title = string(t.ID)
	}
	out := object{{"@context", contextOf(&m)}, {"@type", "tm:ThingModel"}, {"title", title}, {"version", object{{"model", strconv.FormatInt(d.Version, 10)}}}}
	if len(m.Properties) > 0 {
		all := object{}
		for i := range m.Properties {
			p := &m.Properties[i]
			all.put(p.Name, property(p))
		}
		out.put("properties", all)
	}
	if len(m.Commands) > 0 {
		all := object{}
		for _, c := range m.Commands {
			o := described(c.Semantic, c.Note)
			o.schema("input", c.Input)
			o.schema("output", c.Output)
			all.put(c.Name, o)
		}
		out.put("actions", all)
	}
	if len(m.Events) > 0 {
		all := object{}
		for _, e := range m.Events {
			o := described(e.Semantic, e.Note)
			o.schema("data", e.Data)
			all.put(e.Name, o)
		}
		out.put("events", all)
	}
	m.Properties, m.Commands, m.Events = nil, nil, nil
	out.put("castor:model", m)
	text, err := encode(out)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Indent(&b, append(text, '\n'), "", "  ")
	return b.Bytes(), err
}

// contextOf names the vocabularies that the model's terms are of.
func contextOf(m *twin.Model) []any {
	used := map[string]bool{"castor": true}
	use := func(term string) {
		prefix, _, _ := strings.Cut(term, ":")
		used[prefix] = true
	}
	for _, p := range m.Properties {
		use(p.Semantic)
	}
	for _, c := range m.Commands {
		use(c.Semantic)
	}
	for _, e := range m.Events {
		use(e.Semantic)
	}
	prefixes := object{}
	for _, prefix := range slices.Sorted(maps.Keys(vocabularies)) {
		if used[prefix] {
			prefixes.put(prefix, vocabularies[prefix])
		}
	}
	return []any{context11, prefixes}
}

func property(p *twin.Property) object {
	o := described(p.Semantic, p.Note)
	kind := p.Type
	if kind == "" {
		kind = "number"
	}
	o.put("type", kind)
	if p.Unit != "" {
		o.put("unit", p.Unit)
	}
	if p.Min != nil {
		o.put("minimum", *p.Min)
	}
	if p.Max != nil {
		o.put("maximum", *p.Max)
	}
	if len(p.Enum) > 0 {
		o.put("enum", p.Enum)
	}
	o.put("readOnly", !p.Writable)
	if p.ID != 0 {
		o.put("castor:id", p.ID)
	}
	return o
}

func described(semantic, note string) object {
	o := object{}
	if semantic != "" {
		o.put("@type", semantic)
	}
	if note != "" {
		o.put("description", note)
	}
	return o
}

func (o *object) schema(name string, s json.RawMessage) {
	if len(s) > 0 {
		o.put(name, s)
	}
}
