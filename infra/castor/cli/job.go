package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) jobCommand() *cobra.Command {
	jobs := func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Job], error) {
		return c.ListJobs(ctx, cursor)
	}
	complete := ids(a, jobs, func(j api.Job) string { return j.ID })
	return noun("job", "Jobs: changes of many twins, in the background",
		list(a, "List jobs, the newest first", "  castor job list\n  castor job list -o json", a.jobColumns(), jobs),
		get(a, "Show a job", "  castor job get job-1f0c", complete, func(ctx context.Context, c *api.Client, id string) (api.Job, error) {
			return c.GetJob(ctx, id)
		}, nil),
		a.createJob(), a.jobResults(complete), a.cancelJob(complete))
}

func (a *app) jobColumns() []column[api.Job] {
	return []column[api.Job]{
		{"id", func(j api.Job) string { return j.ID }},
		{"action", func(j api.Job) string {
			if j.DryRun {
				return string(j.Action) + ", dry"
			}
			return string(j.Action)
		}},
		{"by", func(j api.Job) string { return j.By }},
		{"state", func(j api.Job) string { return string(j.State) }},
		{"progress", func(j api.Job) string { return fmt.Sprintf("%.0f%%", 100*j.Progress) }},
		{"done", func(j api.Job) string { return fmt.Sprint(j.Done) }},
		{"failed", func(j api.Job) string { return fmt.Sprint(j.Failed) }},
		{"created", func(j api.Job) string { return a.ago(j.Created) }},
		{"reason", func(j api.Job) string { return j.Reason }},
	}
}

func (a *app) createJob() *cobra.Command {
	var in api.NewJob
	var patch, phase string
	var named []string
	var del, wait bool
	c := &cobra.Command{Use: "create", Short: "Change or delete many twins", Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Change or delete many twins. Say what with --set, --phase or --delete, and which with the other flags; --dry-run checks and counts only.",
		Example: `  castor job create --type pump --set '{"tags":["hall-3"]}' --wait
  castor job create --tag old --phase retired --dry-run --wait
  castor job create --twin pump-1,pump-2 --delete --data erase`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, _ []string) error {
			asked := 0
			for _, x := range []struct {
				given  bool
				action api.JobAction
			}{{patch != "", api.JobMerge}, {phase != "", api.JobPhase}, {del, api.JobDelete}} {
				if x.given {
					in.Action, asked = x.action, asked+1
				}
			}
			if asked != 1 {
				return errors.New("say what is to be done: one of --set, --phase and --delete")
			}
			if patch != "" && !json.Valid([]byte(patch)) {
				return errors.New(`--set must be a JSON object, like '{"tags":["hall-3"]}'`)
			}
			if patch != "" {
				in.Patch = json.RawMessage(patch)
			}
			in.Phase = twin.Phase(phase)
			for _, id := range named {
				in.Filter.IDs = append(in.Filter.IDs, twin.ID(id))
			}
			j, err := c.CreateJob(ctx, in)
			if err == nil && wait {
				j, err = a.followJob(ctx, c, cmd, j.ID)
			}
			if err != nil {
				return err
			}
			return printDone(a, cmd, j, "job %s is %s: %d of %d done, %d failed", j.ID, j.State, j.Done, j.Total, j.Failed)
		})}
	f, l := c.Flags(), &in.Filter
	f.StringVar(&patch, "set", "", "what to change of the definitions, as a JSON Merge Patch")
	f.StringVar(&phase, "phase", "", "phase to bring instances into: suspended, operational, retired")
	f.BoolVar(&del, "delete", false, "delete them")
	f.StringVar(&in.Data, "data", "", "with --delete, what becomes of their data: archive, erase (default as their type says)")
	f.StringVar((*string)(&l.Kind), "kind", "", "only instances, types or aggregates: instance, type, aggregate")
	f.StringVar((*string)(&l.Type), "type", "", "only instances of this type")
	f.StringVar((*string)(&l.Aggregate), "aggregate", "", "only parts of this aggregate")
	f.StringVar(&l.Owner, "owner", "", "only those of this group")
	f.StringVar((*string)(&l.Phase), "in-phase", "", "only those in this phase")
	f.StringVar(&l.Tag, "tag", "", "only those with this tag")
	f.StringVar(&l.Prefix, "prefix", "", "only those whose id begins so")
	f.StringVar(&l.Online, "online", "", "only those that are online (true) or not (false)")
	f.StringVar(&l.Alarms, "alarms", "", "only those with an alarm that is raised: open")
	f.StringVar(&l.Search, "search", "", "only those with words that begin so, in id, name, tags, site or region")
	f.StringSliceVar(&named, "twin", nil, "only these; may be repeated")
	f.StringVar(&in.ID, "id", "", "the job's id; asking again with the same one is the same job")
	f.BoolVar(&in.DryRun, "dry-run", false, "check and count only")
	f.BoolVar(&wait, "wait", false, "wait until it has ended")
	check(c.RegisterFlagCompletionFunc("type", twinIDs(a, twin.Type)))
	check(c.RegisterFlagCompletionFunc("aggregate", twinIDs(a, twin.Aggregate)))
	check(c.RegisterFlagCompletionFunc("owner", groupIDs(a)))
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

// followJob waits for a job and tells how far it is, where that does not get into a pipe.
func (a *app) followJob(ctx context.Context, c *api.Client, cmd *cobra.Command, id string) (api.Job, error) {
	last := -1.0
	return c.WaitJob(ctx, id, func(j api.Job) {
		if j.Progress != last && a.output == asTable {
			hint(cmd, "%s: %s, %.0f%%", j.ID, j.State, 100*j.Progress)
		}
		last = j.Progress
	})
}

func (a *app) jobResults(complete cobra.CompletionFunc) *cobra.Command {
	c := &cobra.Command{Use: "results ID", Short: "List the twins that a job could not change, and why", Args: cobra.ExactArgs(1),
		Example: "  castor job results job-1f0c", ValidArgsFunction: first(complete),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			items, _, err := pages(ctx, c, func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.JobResult], error) {
				return c.JobResults(ctx, args[0], cursor)
			}, 0, true)
			if err != nil {
				return err
			}
			return printAll(a, cmd.OutOrStdout(), items, []column[api.JobResult]{
				{"twin", func(r api.JobResult) string { return string(r.Twin) }},
				{"status", func(r api.JobResult) string { return fmt.Sprint(r.Status) }},
				{"at", func(r api.JobResult) string { return a.ago(r.At) }},
				{"reason", func(r api.JobResult) string { return r.Reason }},
			})
		})}
	a.outputFlag(c, asTable, asJSON, asYAML, asCSV)
	return c
}

func (a *app) cancelJob(complete cobra.CompletionFunc) *cobra.Command {
	c := &cobra.Command{Use: "cancel ID", Short: "End a job; what it has done stays done", Args: cobra.ExactArgs(1), Example: "  castor job cancel job-1f0c",
		ValidArgsFunction: first(complete),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			j, err := c.CancelJob(ctx, args[0])
			if err == nil {
				j, err = c.WaitJob(ctx, j.ID, nil)
			}
			if err != nil {
				return err
			}
			return printDone(a, cmd, j, "job %s is %s: %d of %d done, %d failed", j.ID, j.State, j.Done, j.Total, j.Failed)
		})}
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}
