package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
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
			before, err := c.GetModel(ctx, id)
			if err != nil && !errors.Is(err, api.ErrNotFound) {
				return err
			}
			m, err := c.PutModelText(ctx, id, contentType, body)
			var p *api.Problem
			if errors.As(err, &p) && len(p.Faults) > 0 {
				return faults(cmd, args[0], p.Faults)
			}
			if err != nil {
				return err
			}
			if m.Version == before.Version {
				return printDone(a, cmd, m, "model %s is unchanged, version %d", m.ID, m.Version)
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
