package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) typeCommand() *cobra.Command {
	columns := []column[twin.Twin]{
		{"id", func(t twin.Twin) string { return string(t.ID) }},
		{"name", func(t twin.Twin) string { return t.Definition.Name }},
		{"owner", func(t twin.Twin) string { return t.Definition.Owner }},
		{"properties", func(t twin.Twin) string { return fmt.Sprint(len(model(t).Properties)) }},
		{"commands", func(t twin.Twin) string { return fmt.Sprint(len(model(t).Commands)) }},
		{"driver", func(t twin.Twin) string { return model(t).Driver }},
		{"provisioning", func(t twin.Twin) string { return model(t).Provisioning }},
		{"template", func(t twin.Twin) string { return model(t).Template }},
		{"offline after", func(t twin.Twin) string {
			if d := model(t).OfflineAfter; d > 0 {
				return d.String()
			}
			return ""
		}},
		{"changed", func(t twin.Twin) string { return a.ago(t.Definition.Updated) }},
	}
	types := func(ctx context.Context, c *api.Client, cursor string) (api.Page[twin.Twin], error) {
		return c.ListTwins(ctx, api.TwinQuery{Kind: twin.Type, Cursor: cursor})
	}
	return noun("type", "Types of devices, which own and provision their instances",
		list(a, "List types", "  castor type list", columns, types),
		get(a, "Show a type", "  castor type get pump -o yaml", twinIDs(a, twin.Type), getType, a.describeTwin),
		a.createType(),
		a.applyType(),
		a.thingModelCommand(), a.removeTwin("type", twinIDs(a, twin.Type)))
}

// applyType is apply, with a word about each type whose devices nothing reads yet.
func (a *app) applyType() *cobra.Command {
	var unread []string
	c := apply(a, "type", "Make types, or change them", `  castor type apply -f pump.yaml

  # pump.yaml
  id: pump
  definition:
    name: Pump
    model:
      offlineAfter: 2m
      properties:
        - {name: rpm, unit: "{rev}/min", min: 0, max: 9000, id: 1, writable: true}
      commands:
        - {name: stop, input: {type: object, properties: {within: {type: number}}}}

  # off.yaml: the driver reacts no more, parameter hall is taken out, all else stays
  id: pump
  definition: {model: {reacts: false, parameters: {hall: null}}}`, func(ctx context.Context, c *api.Client, v twinFile) (string, string, error) {
		if v.Kind == "" {
			v.Kind = twin.Type
		}
		if v.Kind != twin.Type {
			return string(v.ID), "", fmt.Errorf("kind %s is not for this command; use: castor twin apply", v.Kind)
		}
		if v.Definition.Model == nil {
			v.Definition.Model = &twin.Model{}
		}
		id, became, err := putTwin(ctx, c, v)
		if err == nil {
			unread = append(unread, a.unreadType(ctx, c, v.ID)...)
		}
		return id, became, err
	})
	c.Long = "Make types, or change them. " + stating("type")
	run := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		err := run(cmd, args)
		for _, why := range unread {
			hint(cmd, "%s", why)
		}
		return err
	}
	return c
}

func getType(ctx context.Context, c *api.Client, id string) (twin.Twin, error) {
	t, err := getTwin(ctx, c, id)
	return t, noType(err, id)
}

// noType has an error about a twin that is not there speak of a type, and of what lists them.
func noType(err error, id string) error {
	if !errors.Is(err, api.ErrNotFound) {
		return err
	}
	return &api.Problem{Title: "Not found", Status: http.StatusNotFound, Detail: fmt.Sprintf("there is no type %q that you may see; castor type list names them", id)}
}

func model(t twin.Twin) *twin.Model {
	if t.Definition.Model == nil {
		return &twin.Model{}
	}
	return t.Definition.Model
}

func (a *app) createType() *cobra.Command {
	var d twin.Definition
	m := &twin.Model{}
	var properties []string
	c := &cobra.Command{Use: "create ID", Short: "Make a type", Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		Example: `  castor type create pump --name Pump --property rpm --property temp=Cel --offline-after 2m
  castor type create plug --driver tasmota --property energy.power=W --property power:boolean`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			for _, p := range properties {
				property, err := propertyOf(p)
				if err != nil {
					return err
				}
				m.Properties = append(m.Properties, property)
			}
			d.Model = m
			t, err := c.CreateTwin(ctx, api.NewTwin{ID: twin.ID(args[0]), Kind: twin.Type, Definition: d})
			if err != nil {
				return err
			}
			if err := printDone(a, cmd, t, "type %s created", t.ID); err != nil {
				return err
			}
			for _, why := range a.unreadType(ctx, c, t.ID) {
				hint(cmd, "%s", why)
			}
			return nil
		})}
	f := c.Flags()
	f.StringVar(&d.Name, "name", "", "name for people")
	f.StringVar(&d.Owner, "owner", "", "group that the type belongs to")
	f.StringArrayVar(&properties, "property", nil, "property that instances report, NAME[:TYPE][=UNIT]: TYPE number (the default), boolean or string, UNIT in UCUM; may be repeated")
	f.StringVar(&m.Driver, "driver", "", "payload driver that reads what instances send; see: castor driver list")
	f.BoolVar(&m.Normalised, "normalised", false, "what the driver's normalizeUplink makes of a payload counts in its place")
	f.BoolVar(&m.Reacts, "reacts", false, "the driver may react to what instances say and send them commands, by its on_event")
	f.StringVar(&m.Format, "format", "", "how payloads are read without a driver: "+strings.Join(twin.Formats, ", "))
	f.StringVar(&m.Template, "template", "", "configuration template")
	f.StringVar(&m.Provisioning, "provisioning", "", "provisioning model (default automatic)")
	durationVar(f, &m.OfflineAfter, "offline-after", "silence after which an instance is offline, like 2m")
	f.StringVar(&m.OfflineSeverity, "offline-severity", "", "severity of the alarm of an offline instance: info, warning, critical (default no alarm)")
	check(c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(asCompletions(twin.Formats), cobra.ShellCompDirectiveNoFileComp)))
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

// propertyOf reads NAME[:TYPE][=UNIT].
func propertyOf(s string) (p twin.Property, err error) {
	p.Name, p.Unit, _ = strings.Cut(s, "=")
	if at := strings.LastIndexByte(p.Name, ':'); at >= 0 {
		p.Name, p.Type = p.Name[:at], p.Name[at+1:]
		if !slices.Contains([]string{"number", "boolean", "string"}, p.Type) {
			return p, fmt.Errorf("--property %.80q: type %.40q must be number, boolean or string; a name with a colon in it needs its type behind it", s, p.Type)
		}
	}
	if p.Name == "" {
		return p, fmt.Errorf("--property %.80q must be NAME[:TYPE][=UNIT], like rpm, temp=Cel or open:boolean", s)
	}
	return p, nil
}
