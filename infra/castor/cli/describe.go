package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// A fact is one line of what is known of a thing.
type fact struct{ name, value string }

// printFacts prints the facts there are, one a line.
func printFacts(w io.Writer, facts []fact) error {
	out := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, f := range facts {
		if f.value != "" {
			fmt.Fprintf(out, "%s\t%s\n", f.name, plain(f.value))
		}
	}
	return out.Flush()
}

// describeTwin is a twin for people.
func (a *app) describeTwin(ctx context.Context, c *api.Client, w io.Writer, t twin.Twin) error {
	d := &t.Definition
	kind := string(t.Kind)
	if d.Type != "" {
		kind += " of type " + string(d.Type)
	}
	facts := []fact{{"id", string(t.ID)}, {"name", d.Name}, {"kind", kind}, {"owner", d.Owner}, {"phase", string(d.Phase)},
		{"aggregates", join(d.Aggregates)}, {"tags", strings.Join(d.Tags, ", ")}, {"location", d.Location.String()}}
	if p := t.Live.Presence; t.Kind == twin.Instance {
		s := presence(t)
		if !p.LastSeen.IsZero() {
			s += ", seen " + a.ago(p.LastSeen)
		}
		if p.Gateway != "" {
			s += " through " + p.Gateway
		}
		facts = append(append(facts, a.relays(ctx, c, t.ID)...), fact{"presence", s},
			fact{"messages", fmt.Sprintf("%d stored, %d of them late; %d parked", t.Live.Messages, t.Live.Late, t.Live.Parked)})
	}
	if t.Kind == twin.Type && d.Model != nil {
		by := d.Model.Provisioning
		if by == "" {
			by = provision.Automatic
		}
		if n := len(d.Model.Choices); n > 0 {
			by += ", where none of the choices below holds"
		}
		facts = append(append(facts, fact{"brought in by", by}, fact{"template", d.Model.Template}), payloadFacts(d.Model)...)
		facts = append(facts, fact{"warning", unread(ctx, c, *d)})
	}
	if err := printFacts(w, append(facts, fact{"alarms", alarms(&t)}, fact{"created", a.ago(t.Created)})); err != nil {
		return err
	}
	if d.Model != nil && len(d.Model.Choices) > 0 {
		fmt.Fprintln(w)
		if err := printAll(a, w, d.Model.Choices, []column[twin.Choice]{
			{"brought in by", func(c twin.Choice) string { return c.Model }},
			{"if", func(c twin.Choice) string { return c.If }}}); err != nil {
			return err
		}
	}
	if d.Model != nil {
		return a.describeModel(w, d.Model)
	}
	if len(t.Live.Reported) > 0 {
		fmt.Fprintln(w)
		if err := printAll(a, w, t.Live.Reported, a.readingColumns(units(ctx, c, d.Type))); err != nil {
			return err
		}
	}
	if len(t.Live.Recent) > 0 {
		fmt.Fprintln(w)
		return printAll(a, w, t.Live.Recent, []column[twin.Occurrence]{
			{"when", func(o twin.Occurrence) string { return a.ago(o.At) }},
			{"what happened", func(o twin.Occurrence) string { return o.What }}})
	}
	return nil
}

// units are those that the type declares, as far as the caller may see the type.
func units(ctx context.Context, c *api.Client, t twin.TypeID) map[string]string {
	out := map[string]string{}
	if t == "" {
		return out
	}
	x, err := c.GetTwin(ctx, t)
	if err != nil || x.Definition.Model == nil {
		return out
	}
	for _, p := range x.Definition.Model.Properties {
		out[p.Name] = p.Unit
	}
	return out
}

func (a *app) readingColumns(unit map[string]string) []column[twin.Reading] {
	return []column[twin.Reading]{
		{"property", func(r twin.Reading) string { return r.Property }},
		{"value", func(r twin.Reading) string { return quantity(r.Value, unit[r.Property]) }},
		{"measured", func(r twin.Reading) string { return a.ago(r.At) }},
		{"doubt", func(r twin.Reading) string { return string(r.Flag) }},
	}
}
