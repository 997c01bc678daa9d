package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) modelCommand() *cobra.Command {
	models := func(ctx context.Context, c *api.Client, cursor string) (api.Page[provision.Model], error) {
		return c.ListModels(ctx, cursor)
	}
	complete := ids(a, models, func(m provision.Model) string { return m.ID })
	columns := []column[provision.Model]{
		{"id", func(m provision.Model) string { return m.ID }},
		{"version", func(m provision.Model) string { return fmt.Sprint(m.Version) }},
		{"type", func(m provision.Model) string { return string(m.Type) }},
		{"states", func(m provision.Model) string { return fmt.Sprint(len(m.States)) }},
		{"note", func(m provision.Model) string { return a.short(m.Note) }},
		{"changed", func(m provision.Model) string { return a.ago(m.Updated) }},
	}
	return noun("model", "Provisioning models: by which steps devices come in",
		list(a, "List provisioning models", "  castor model list", columns, models),
		a.modelGet(complete), a.modelPut(), a.modelCheck(), a.modelSimulate(), a.modelChoose(), a.modelVersions(complete),
		remove(a, "model", "Delete provisioning models that no type names and no open run follows", "  castor model delete mine", complete,
			func(ctx context.Context, c *api.Client, id string) error { return c.DeleteModel(ctx, id) }),
		apply(a, "model", "Make provisioning models, or new versions of them, several in one file", "  castor model apply -f mine.yaml",
			func(ctx context.Context, c *api.Client, m provision.Model) (string, string, error) {
				if m.ID == "" {
					return "", "", errors.New("id is missing")
				}
				out, err := c.PutModel(ctx, m)
				return m.ID, fmt.Sprintf("is version %d", out.Version), err
			}))
}

func (a *app) modelGet(complete cobra.CompletionFunc) *cobra.Command {
	var version int64
	c := get(a, "Show a provisioning model", "  castor model get automatic > mine.yaml", complete,
		func(ctx context.Context, c *api.Client, id string) (provision.Model, error) {
			if version > 0 {
				return c.GetModelVersion(ctx, id, version)
			}
			return c.GetModel(ctx, id)
		}, nil)
	c.Flags().Int64Var(&version, "version", 0, "as it was in this version (default the newest)")
	return c
}

// modelText reads a model's file; its name tells the form.
func modelText(cmd *cobra.Command, file string) (body []byte, contentType string, err error) {
	contentType = api.TypeYAML
	body, err = readFile(cmd, file)
	if filepath.Ext(file) == ".json" || file == "-" && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		contentType = api.TypeJSON
	}
	return body, contentType, err
}

func (a *app) modelPut() *cobra.Command {
	var id string
	c := &cobra.Command{Use: "put FILE", Short: "Make a provisioning model, or a new version of it, from YAML or JSON", Example: "  castor model put mine.yaml", Args: cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			body, contentType, err := modelText(cmd, args[0])
			if err != nil {
				return err
			}
			if id == "" {
				checked, err := c.CheckModel(ctx, contentType, body)
				if err != nil {
					return err
				}
				if !checked.OK {
					return faults(cmd, args[0], checked.Faults)
				}
				id = checked.Model.ID
			}
			m, err := c.PutModelText(ctx, id, contentType, body)
			var p *api.Problem
			if errors.As(err, &p) && len(p.Faults) > 0 {
				return faults(cmd, args[0], p.Faults)
			}
			if err != nil {
				return err
			}
			return printDone(a, cmd, m, "model %s is version %d", m.ID, m.Version)
		})}
	c.Flags().StringVar(&id, "id", "", "its name, if the file does not say one")
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

func (a *app) modelCheck() *cobra.Command {
	c := &cobra.Command{Use: "check FILE", Short: "Tell what is wrong with a provisioning model, each with its line, and keep nothing",
		Example: "  castor model check mine.yaml", Args: cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			body, contentType, err := modelText(cmd, args[0])
			if err != nil {
				return err
			}
			out, err := c.CheckModel(ctx, contentType, body)
			if err != nil {
				return err
			}
			if a.output != asTable {
				return printOne(a, cmd.OutOrStdout(), out)
			}
			if !out.OK {
				return faults(cmd, args[0], out.Faults)
			}
			done(cmd, "%s is a good model, with %d states", args[0], len(out.Model.States))
			return nil
		})}
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

// faults prints the faults of a file as editors understand them, and is the error that there are some.
func faults(cmd *cobra.Command, file string, all []provision.Fault) error {
	for _, f := range all {
		at := ""
		if f.Path != "" {
			at = f.Path + ": "
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s:%d:%d: %s%s\n", file, f.Line, f.Column, at, f.Text)
	}
	if len(all) == 1 {
		return fmt.Errorf("%s has 1 fault", file)
	}
	return fmt.Errorf("%s has %d faults", file, len(all))
}

func (a *app) modelVersions(complete cobra.CompletionFunc) *cobra.Command {
	c := &cobra.Command{Use: "versions ID", Short: "List the versions of a provisioning model, newest first", Example: "  castor model versions automatic",
		Args: cobra.ExactArgs(1), ValidArgsFunction: first(complete),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			page, err := c.ListModelVersions(ctx, args[0])
			if err != nil {
				return err
			}
			return printAll(a, cmd.OutOrStdout(), page.Items, []column[provision.Model]{
				{"version", func(m provision.Model) string { return fmt.Sprint(m.Version) }},
				{"changed", func(m provision.Model) string { return a.ago(m.Updated) }},
				{"note", func(m provision.Model) string { return a.short(m.Note) }},
			})
		})}
	a.outputFlag(c, asTable, asJSON, asYAML, asCSV)
	return c
}

func (a *app) modelSimulate() *cobra.Command {
	var events, set []string
	var kept string
	c := &cobra.Command{Use: "simulate FILE", Short: "Tell what would become of a device in a provisioning model",
		Example: `  castor model simulate mine.yaml --event approved@2h --event gateway-ready --event device-confirm
  castor model simulate --model semi-automatic --event declined:"not ours"
  castor model simulate mine.yaml --set facts.firmware=2 --set identity.maker=acme --event refuse:check-location
  castor model simulate mine.yaml --event answered:grade=a,score=7 --event timer@73h`, Args: cobra.MaximumNArgs(1),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			in := api.Simulate{Model: kept}
			switch {
			case (len(args) == 0) == (kept == ""):
				return errors.New("name a file, or a model that is kept by --model")
			case len(args) == 1:
				body, _, err := modelText(cmd, args[0])
				if err != nil {
					return err
				}
				in.Text = string(body)
			}
			var err error
			if in.Sample, err = sampleOf(set); err != nil {
				return err
			}
			for _, e := range events {
				one, err := eventOf(e)
				if err != nil {
					return err
				}
				in.Events = append(in.Events, one)
			}
			out, err := c.SimulateModel(ctx, in)
			var p *api.Problem
			if errors.As(err, &p) && len(p.Faults) > 0 && len(args) == 1 {
				return faults(cmd, args[0], p.Faults)
			}
			if err != nil {
				return err
			}
			if a.output != asTable {
				return printOne(a, cmd.OutOrStdout(), out)
			}
			return a.printSimulation(cmd.OutOrStdout(), out)
		})}
	c.Flags().StringVar(&kept, "model", "", "a model that is kept on the platform, in place of a file")
	c.Flags().StringArrayVar(&events, "event", nil, "what happens, in order: TRIGGER, refuse:ACTION or fail:ACTION, with :REASON or :NAME=VALUE,… and @AFTER")
	c.Flags().StringArrayVar(&set, "set", nil, "what is known of the device: identity.maker=acme, claim.batch=b, request.serial=P-1, facts.x=y, location.region=eu")
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

func (a *app) printSimulation(w io.Writer, s provision.Simulation) error {
	err := printAll(a, w, s.Steps, []column[provision.Step]{
		{"after", func(st provision.Step) string { return twin.Duration(st.At.Sub(s.Begun)).String() }},
		{"state", func(st provision.Step) string { return st.State }},
		{"action", func(st provision.Step) string { return string(st.Action) }},
		{"outcome", func(st provision.Step) string { return st.Outcome }},
		{"reason", func(st provision.Step) string { return st.Reason }},
	})
	fmt.Fprintf(w, "\npath: %s\n", strings.Join(s.Path, " → "))
	switch {
	case s.Outcome != "":
		fmt.Fprintf(w, "it ends %s %s\n", s.Outcome, s.Reason)
	case len(s.Awaits) > 0:
		fmt.Fprintf(w, "it waits for %v, until %s after the beginning\n", s.Awaits, twin.Duration(s.Due.Sub(s.Begun)))
	default:
		fmt.Fprintf(w, "it is in state %s\n", s.State)
	}
	for _, e := range s.Unused {
		fmt.Fprintf(w, "%s changed nothing\n", e.When)
	}
	return err
}

// eventOf reads an event: "approved@2h", "answered:grade=a", "refuse:check-claim", "declined:not ours".
func eventOf(s string) (e provision.Event, err error) {
	if i := strings.LastIndex(s, "@"); i >= 0 {
		if err := e.After.UnmarshalText([]byte(s[i+1:])); err != nil {
			return e, fmt.Errorf("event %q: %w", s, err)
		}
		s = s[:i]
	}
	name, rest, _ := strings.Cut(s, ":")
	e.When = provision.Trigger(name)
	switch {
	case rest == "":
	case e.When == provision.Refuse || e.When == provision.Fail:
		action, reason, _ := strings.Cut(rest, ":")
		e.Do, e.Reason = provision.Action(action), reason
	case e.When == provision.Answered || e.When == provision.DeviceAsked:
		e.Answer, e.Facts = map[string]any{}, map[string]string{}
		for pair := range strings.SplitSeq(rest, ",") {
			k, v, ok := strings.Cut(pair, "=")
			if !ok {
				return e, fmt.Errorf("event %q: %q must be NAME=VALUE", s, pair)
			}
			e.Answer[k], e.Facts[k] = valueOf(v), v
		}
		if e.When == provision.Answered {
			e.Facts = nil
		} else {
			e.Answer = nil
		}
	default:
		e.Reason = rest
	}
	return e, nil
}

// valueOf is a value as JSON has it, or the text.
func valueOf(s string) (v any) {
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	return v
}

// sampleOf reads what is known of a device: "identity.maker=acme".
func sampleOf(set []string) (s provision.Sample, err error) {
	doc := map[string]map[string]any{"identity": {}, "claim": {}, "request": {}, "facts": {}, "location": {}}
	for _, line := range set {
		path, v, ok := strings.Cut(line, "=")
		of, name, dotted := strings.Cut(path, ".")
		if !ok || !dotted || doc[of] == nil {
			return s, fmt.Errorf("%q must be like identity.maker=acme; there are identity, claim, request, facts and location", line)
		}
		doc[of][name] = any(v)
		if of == "claim" && name == "temporary" || of == "location" {
			doc[of][name] = valueOf(v)
		}
	}
	doc["request"]["facts"] = doc["facts"]
	whole := map[string]any{"known": map[string]any{"identity": doc["identity"], "claim": doc["claim"]}, "request": doc["request"]}
	if len(doc["location"]) > 0 {
		whole["location"] = doc["location"]
	}
	b, err := json.Marshal(whole)
	if err != nil {
		return s, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("what is known of the device: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return s, nil
}
