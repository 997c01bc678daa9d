package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) twinColumns() []column[twin.Twin] {
	return []column[twin.Twin]{
		{"id", func(t twin.Twin) string { return string(t.ID) }},
		{"name", func(t twin.Twin) string { return t.Definition.Name }},
		{"kind", func(t twin.Twin) string { return string(t.Kind) }},
		{"type", func(t twin.Twin) string { return string(t.Definition.Type) }},
		{"owner", func(t twin.Twin) string { return t.Definition.Owner }},
		{"phase", func(t twin.Twin) string {
			if d := &t.Definition; d.Suspended && d.Phase != twin.Suspended {
				return string(d.Phase) + ", suspended"
			}
			return string(t.Definition.Phase)
		}},
		{"presence", presence},
		{"seen", func(t twin.Twin) string { return a.ago(t.Live.Presence.LastSeen) }},
		{"alarms", func(t twin.Twin) string { return alarms(&t) }},
	}
}

func presence(t twin.Twin) string {
	switch p := t.Live.Presence; {
	case t.Kind != twin.Instance:
		return ""
	case p.Offline:
		return "offline"
	case p.Connected:
		return "online"
	case p.LastSeen.IsZero():
		return "never seen"
	}
	return "disconnected"
}

// alarms names the rules whose alarms are raised.
func alarms(t *twin.Twin) string {
	var names []string
	for _, s := range t.Live.Rules {
		if s.Active {
			names = append(names, s.Rule)
		}
	}
	return strings.Join(names, ", ")
}

func twinIDs(a *app, kind twin.Kind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return ids(a, func(ctx context.Context, c *api.Client, cursor string) (api.Page[twin.Twin], error) {
			return c.ListTwins(ctx, api.TwinQuery{Kind: kind, Prefix: begun, Cursor: cursor})
		}, func(t twin.Twin) string { return string(t.ID) })(cmd, args, begun)
	}
}

func (a *app) twinCommand() *cobra.Command {
	var q api.TwinQuery
	var ls *cobra.Command
	ls = list(a, "List twins", `  castor twin list
  castor twin list --type pump --online false
  castor twin list --all -o json`, a.twinColumns(), func(ctx context.Context, c *api.Client, cursor string) (api.Page[twin.Twin], error) {
		q := q
		q.Cursor = cursor
		p, err := c.ListTwins(ctx, q)
		if err == nil && cursor == "" && len(p.Items) == 0 && q.Type != "" {
			if _, err := c.GetTwin(ctx, q.Type); errors.Is(err, api.ErrNotFound) {
				hint(ls, "There is no type %s that you may see; see: castor type list", q.Type)
			}
		}
		return p, err
	})
	f := ls.Flags()
	f.StringVar((*string)(&q.Kind), "kind", "", "only instances, types or aggregates: instance, type, aggregate")
	f.StringVar((*string)(&q.Type), "type", "", "only instances of this type")
	f.StringVar((*string)(&q.Aggregate), "aggregate", "", "only parts of this aggregate")
	f.StringVar(&q.Owner, "owner", "", "only those of this group")
	f.StringVar((*string)(&q.Phase), "phase", "", "only those in this phase: onboarding, provisioning, operational, suspended, retired")
	f.StringVar(&q.Tag, "tag", "", "only those with this tag")
	f.StringVar(&q.Prefix, "prefix", "", "only those whose id begins so")
	f.StringVar(&q.Online, "online", "", "only those that are online (true) or not (false)")
	f.StringVar(&q.Alarms, "alarms", "", "only those with an alarm that is raised: open")
	f.StringVarP(&q.Search, "search", "q", "", "only those with words that begin so, in id, name, tags, site or region")
	f.StringVar(&q.Sort, "sort", "", "id, name, lastSeen or created, with - before it for the other way round")
	check(ls.RegisterFlagCompletionFunc("type", twinIDs(a, twin.Type)))
	check(ls.RegisterFlagCompletionFunc("aggregate", twinIDs(a, twin.Aggregate)))
	return noun("twin", "Twins: what devices are, say and do", ls,
		get(a, "Show a twin", `  castor twin get pump-7
  castor twin get pump-7 -o json`, twinIDs(a, ""), getTwin, a.describeTwin),
		a.applyTwin(),
		a.removeTwin("twin", twinIDs(a, "")), a.replaceCommand(),
		a.moveCommand("suspend", "suspended", "Keep devices out; their places and credentials stay", (*api.Client).SuspendTwin),
		a.moveCommand("resume", "resumed", "Let suspended devices in again", (*api.Client).ResumeTwin),
		a.decommissionCommand(), a.findCommand(), a.countCommand(), a.logCommand(), a.parkedCommand(), a.adoptCommand(), a.reactionsCommand())
}

func getTwin(ctx context.Context, c *api.Client, id string) (twin.Twin, error) {
	return c.GetTwin(ctx, twin.ID(id))
}

// removeTwin deletes twins or types. A type has no data of its own, so nothing is to be said of it.
func (a *app) removeTwin(what string, complete cobra.CompletionFunc) *cobra.Command {
	var sure bool
	var data string
	short, example := "Delete types that have no instances any more, for ever", "  castor type delete pump"
	if what != "type" {
		short = "Delete twins; what they reported is archived or erased"
		example = "  castor twin delete pump-7\n  castor twin delete pump-7 --data erase      nothing is kept"
	}
	c := remove(a, what, short, example, complete,
		func(ctx context.Context, c *api.Client, id string) error {
			return c.DeleteTwinAs(ctx, twin.ID(id), data)
		})
	c.Flags().BoolVarP(&sure, "yes", "y", false, "do not ask (where there is no terminal nobody is asked)")
	if what != "type" {
		c.Long = `Delete twins, for ever. What becomes of an instance's history and document is said by --data: archive puts them into the object
store, where castor archive list finds them; erase keeps nothing. Without --data it is what the type's model says by onDelete,
else archive. An aggregate must have no parts any more, a type no instances.`
		c.Flags().StringVar(&data, "data", "", "what becomes of its data: archive or erase (default what the type says, else archive)")
		check(c.RegisterFlagCompletionFunc("data", cobra.FixedCompletions([]cobra.Completion{twin.Archive, twin.Erase}, cobra.ShellCompDirectiveNoFileComp)))
	}
	was := c.PreRunE
	c.PreRunE = func(cmd *cobra.Command, args []string) error {
		if err := was(cmd, args); err != nil {
			return err
		}
		if data != "" && data != twin.Archive && data != twin.Erase {
			return fmt.Errorf("--data: %q must be archive or erase", data)
		}
		return ask(cmd, sure, "nothing was deleted", "Delete %s%s?", strings.Join(args, ", "), fate(what, data))
	}
	return c
}

// ask asks a person whether to go on; the error, no, is that they do not want to. Scripts are not asked, nor who is sure.
func ask(cmd *cobra.Command, sure bool, no, question string, args ...any) error {
	in, ok := cmd.InOrStdin().(*os.File)
	if sure || !ok || !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), question+" [y/N] ", args...)
	var answer string
	_, err := fmt.Fscanln(in, &answer)
	if answer = strings.ToLower(answer); err != nil || answer != "y" && answer != "yes" {
		return errors.New(no)
	}
	return nil
}

// fate says what becomes of the data of a twin that is deleted.
func fate(what, data string) string {
	switch {
	case what == "type":
		return " for ever"
	case data == twin.Archive:
		return " and archive its data"
	case data == twin.Erase:
		return " and erase all its data, for ever"
	}
	return " and archive its data, or erase it if its type says so"
}

// findCommand lists twins by what they can do.
func (a *app) findCommand() *cobra.Command {
	var q api.ServiceQuery
	c := list(a, "Find twins by what their types say they can do", `  castor twin find --capability property:rpm
  castor twin find --interface castor:pump`, []column[api.Advertisement]{
		{"id", func(x api.Advertisement) string { return x.ID }},
		{"name", func(x api.Advertisement) string { return a.short(x.Name) }},
		{"capabilities", func(x api.Advertisement) string { return a.short(strings.Join(x.Capabilities, ", ")) }},
		{"interfaces", func(x api.Advertisement) string { return a.short(strings.Join(x.Interfaces, ", ")) }},
	}, func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Advertisement], error) {
		q := q
		q.Cursor = cursor
		return c.FindTwins(ctx, q)
	})
	c.Use, c.Aliases = "find", nil
	c.Flags().StringVar(&q.Capability, "capability", "", "only those that can do this, like property:rpm")
	c.Flags().StringVar(&q.Interface, "interface", "", "only those that are spoken to so, like castor:pump")
	return c
}

// countCommand shows how many twins there are.
func (a *app) countCommand() *cobra.Command {
	c := &cobra.Command{Use: "count", Short: "Count the twins you may see", Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  castor twin count",
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, _ []string) error {
			n, err := c.CountTwins(ctx, api.TwinQuery{})
			if err != nil {
				return err
			}
			return printDone(a, cmd, n, "%s (%d online), %s, %s", count(n.Instances, "instance"), n.Online, count(n.Types, "type"), count(n.Aggregates, "aggregate"))
		})}
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}
