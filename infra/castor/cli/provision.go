package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) runCommand() *cobra.Command {
	var q api.RunQuery
	var since string
	runs := func(ctx context.Context, c *api.Client, cursor string) (api.Page[provision.Run], error) {
		q := q
		q.Cursor = cursor
		var err error
		if q.Since, err = a.when("--since", since); err != nil {
			return api.Page[provision.Run]{}, err
		}
		page, err := c.ListRuns(ctx, q)
		if err == nil && (a.output == asTable || a.output == asWide) {
			withModels(ctx, c, page.Items)
		}
		return page, err
	}
	ls := list(a, "List provisioning runs, newest first", `  castor run list --twin pump-7
  castor run list --outcome rejected --since 1d`, []column[provision.Run]{
		{"id", func(r provision.Run) string { return r.ID }},
		{"twin", func(r provision.Run) string { return string(r.Twin) }},
		{"serial", func(r provision.Run) string { return r.Request.Serial }},
		{"type", func(r provision.Run) string { return string(r.Type) }},
		{"model", func(r provision.Run) string { return r.Model.ID }},
		{"state", func(r provision.Run) string { return titleOfRun(&r) }},
		{"reason", func(r provision.Run) string { return a.short(r.Reason) }},
		{"begun", func(r provision.Run) string { return a.ago(r.Created) }},
	}, runs)
	ls.Flags().StringVar((*string)(&q.Twin), "twin", "", "only those of this twin")
	ls.Flags().StringVar((*string)(&q.Type), "type", "", "only those of this type")
	ls.Flags().StringVar(&q.Model, "model", "", "only those by this provisioning model")
	ls.Flags().StringVar(&q.State, "state", "", "only those that are in this state now")
	ls.Flags().StringVar((*string)(&q.Outcome), "outcome", "", "only those that have ended so: completed or rejected")
	ls.Flags().StringVar(&since, "since", "", "only those begun since: so long ago (90m, 7d), a date or an RFC 3339 time")
	ls.Flags().StringVar(&q.Open, "open", "", "only those that have not ended (true), or have (false)")
	check(ls.RegisterFlagCompletionFunc("type", twinIDs(a, twin.Type)))
	check(ls.RegisterFlagCompletionFunc("twin", twinIDs(a, twin.Instance)))
	check(ls.RegisterFlagCompletionFunc("outcome", cobra.FixedCompletions([]cobra.Completion{string(provision.Completed), string(provision.Rejected)}, cobra.ShellCompDirectiveNoFileComp)))
	ls.Flags().StringVar(&q.Awaits, "awaits", "", "only those that wait for people: people")
	return noun("run", "Provisioning runs: how devices came in, step by step", append([]*cobra.Command{ls,
		get(a, "Show a run with its log", "  castor run get run-1f0c", ids(a, runs, func(r provision.Run) string { return r.ID }),
			func(ctx context.Context, c *api.Client, id string) (provision.Run, error) { return c.GetRun(ctx, id) }, a.describeRun),
		a.rejectionsCommand(), a.resetCommand(ids(a, runs, func(r provision.Run) string { return r.ID }))}, a.decideCommands()...)...)
}

func (a *app) rejectionsCommand() *cobra.Command {
	c := list(a, "List requests that were refused before they became a run: the newest hour first, newest first on a page", "  castor run rejections", []column[api.Rejection]{
		{"at", func(r api.Rejection) string { return a.ago(r.At) }},
		{"claim", func(r api.Rejection) string { return r.Request.Claim }},
		{"type", func(r api.Rejection) string { return string(r.Request.Type) }},
		{"serial", func(r api.Rejection) string { return r.Request.Serial }},
		{"reason", func(r api.Rejection) string { return r.Reason }},
	}, func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Rejection], error) {
		return c.ListRejections(ctx, cursor)
	})
	c.Use, c.Aliases = "rejections", nil
	return c
}

func (a *app) resetCommand(complete cobra.CompletionFunc) *cobra.Command {
	var why string
	c := &cobra.Command{Use: "reset RUN [REASON]", Short: "Let the device of a run come in anew, also with another key; its twin and history stay",
		Example: `  castor run reset run-1f0c "new main board"`, Args: cobra.RangeArgs(1, 2), ValidArgsFunction: first(complete),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			why := why
			if len(args) > 1 {
				why = args[1]
			}
			r, err := c.ResetRun(ctx, args[0], why)
			if err != nil {
				return err
			}
			if r.Outcome == "" {
				return printDone(a, cmd, r, "run %s is being undone; then the device may ask again", r.ID)
			}
			return printDone(a, cmd, r, "run %s is undone: what it gave the device counts no more, and the device may ask anew, also with another key", r.ID)
		})}
	c.Flags().StringVar(&why, "reason", "", "why, for the run's log")
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

// describeRun is a run for people.
func (a *app) describeRun(_ context.Context, _ *api.Client, w io.Writer, r provision.Run) error {
	facts := []fact{{"id", r.ID}, {"twin", string(r.Twin)}, {"type", string(r.Type)}, {"owner", r.Owner}}
	facts = append(append(facts, deviceOf(&r)...), []fact{
		{"model", fmt.Sprintf("%s, version %d", r.Model.ID, r.Model.Version)}, {"state", titleOfRun(&r)}, {"reason", r.Reason}, {"gateway", r.Results.Gateway}}...)
	if err := printFacts(w, append(facts, a.nextOf(&r)...)); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return printAll(a, w, r.Steps, []column[provision.Step]{
		{"at", func(s provision.Step) string { return stamp(s.At) }},
		{"state", func(s provision.Step) string { return s.State }},
		{"action", func(s provision.Step) string { return string(s.Action) }},
		{"actor", func(s provision.Step) string { return s.Actor }},
		{"outcome", func(s provision.Step) string { return s.Outcome }},
		{"reason", func(s provision.Step) string { return s.Reason }},
	})
}

func (a *app) templateCommand() *cobra.Command {
	templates := func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Template], error) {
		return c.ListTemplates(ctx, cursor)
	}
	complete := ids(a, templates, func(t api.Template) string { return t.Name })
	return noun("template", "Configuration templates, filled in for each twin",
		list(a, "List templates", "  castor template list", []column[api.Template]{
			{"name", func(t api.Template) string { return t.Name }},
			{"version", func(t api.Template) string { return fmt.Sprint(t.Version) }},
			{"format", func(t api.Template) string { return t.Format }},
			{"note", func(t api.Template) string { return a.short(t.Note) }},
			{"changed", func(t api.Template) string { return a.ago(t.Updated) }},
		}, templates),
		get(a, "Show a template", "  castor template get pump-config", complete, func(ctx context.Context, c *api.Client, name string) (api.Template, error) {
			return c.GetTemplate(ctx, name)
		}, nil),
		apply(a, "template", "Make templates, or new versions of them", `  castor template apply -f pump-config.yaml

  # pump-config.yaml
  name: pump-config
  format: json
  content: |
    {"id": "{{.Twin.id}}", "interval": "{{.Parameters.interval}}"}
  parameters: {interval: 10s}`, func(ctx context.Context, c *api.Client, t api.Template) (string, string, error) {
			if t.Name == "" {
				return "", "", errors.New("name is missing")
			}
			out, err := c.PutTemplate(ctx, t)
			return t.Name, fmt.Sprintf("is version %d", out.Version), err
		}), a.renderCommand(complete))
}

func (a *app) renderCommand(complete cobra.CompletionFunc) *cobra.Command {
	var parameters map[string]string
	c := &cobra.Command{Use: "render NAME TWIN", Short: "Show a template filled in for a twin", Args: cobra.ExactArgs(2),
		Example: "  castor template render pump-config pump-7 --parameter interval=5s",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return twinIDs(a, twin.Instance)(cmd, args, begun)
			}
			return first(complete)(cmd, args, begun)
		},
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			conf, err := c.RenderTemplate(ctx, args[0], api.Render{Twin: twin.ID(args[1]), Parameters: parameters})
			if err != nil {
				return err
			}
			return printDone(a, cmd, conf, "%s", conf.Content)
		})}
	a.outputFlag(c, asTable, asYAML, asJSON)
	c.Flags().StringToStringVar(&parameters, "parameter", nil, "value for the template, NAME=VALUE; may be repeated")
	return c
}
