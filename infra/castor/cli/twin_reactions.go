package cli

import (
	"context"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) reactionsCommand() *cobra.Command {
	var forget bool
	c := &cobra.Command{Use: "reactions TWIN", Short: "What a twin's driver has come to by reacting to what the twin says", Args: cobra.ExactArgs(1),
		Long: `What a twin's driver has come to by reacting to what the twin says: the state that its on_event keeps, how many commands it has sent, and
what went wrong last. It reacts where the twin's type says reacts: true; castor twin log TWIN --app driver has what it says.`,
		Example: `  castor twin reactions pump-7
  castor twin reactions pump-7 -o json
  castor twin reactions pump-7 --forget`, ValidArgsFunction: first(twinIDs(a, twin.Instance)),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			id := twin.ID(args[0])
			if forget {
				if err := c.ForgetReaction(ctx, id); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "the driver of %s begins without a state\n", id)
				return nil
			}
			r, err := c.GetReaction(ctx, id)
			if err != nil {
				return err
			}
			if r.Driver == "" && a.output == asTable {
				return a.unheard(ctx, c, cmd, id)
			}
			return printAll(a, cmd.OutOrStdout(), []api.Reaction{r}, []column[api.Reaction]{
				{"driver", func(r api.Reaction) string { return r.Driver + " " + r.Version }},
				{"reacted", func(r api.Reaction) string { return a.ago(r.Reacted) }},
				{"state", func(r api.Reaction) string { return payload(r.State) }},
				{"sent", func(r api.Reaction) string { return fmt.Sprint(r.Sent) }},
				{"dropped", func(r api.Reaction) string { return fmt.Sprint(r.Dropped) }},
				{"pending", func(r api.Reaction) string { return fmt.Sprint(r.Pending) }},
				{"waiting", func(r api.Reaction) string { return fmt.Sprint(r.Waiting) }},
				{"missed", func(r api.Reaction) string { return fmt.Sprint(r.Missed) }},
				{"last failure", func(r api.Reaction) string {
					if r.Failure == "" {
						return ""
					}
					return r.Failure + ", " + a.ago(r.Failed)
				}},
			})
		})}
	c.Flags().BoolVar(&forget, "forget", false, "have the driver begin without a state")
	a.outputFlag(c, asTable, asJSON, asYAML)
	return c
}

// unheard says why no driver has reacted to a twin, and what to do about it.
func (a *app) unheard(ctx context.Context, c *api.Client, cmd *cobra.Command, id twin.ID) error {
	t, err := c.GetTwin(ctx, id)
	if err != nil {
		return err
	}
	if t.Kind != twin.Instance {
		hint(cmd, "%s is no device but of kind %s: drivers react to what devices say (castor twin reactions TWIN).", id, t.Kind)
		return nil
	}
	of, err := c.GetTwin(ctx, twin.ID(t.Definition.Type))
	m := of.Definition.Model
	if err != nil { // it may be another group's
		hint(cmd, "No driver has reacted to it yet. A type lets its driver by reacts: true in its model, and the driver needs an on_event.")
		return nil
	}
	if m == nil || m.Driver == "" {
		hint(cmd, "%s is of type %s, which has no driver to react: its model must name one that has an on_event, and say reacts: true (castor type apply -f FILE).", id, of.ID)
		return nil
	}
	if !m.Reacts {
		hint(cmd, "%s is of type %s, which does not let its driver react: say reacts: true in its model (castor type apply -f FILE).", id, of.ID)
		return nil
	}
	if why := unread(ctx, c, of.Definition); why != "" {
		hint(cmd, "%s is of type %s, whose driver cannot react: %s.", id, of.ID, why)
		return nil
	}
	hint(cmd, "Driver %s has not reacted to it yet: nothing has come from the device since it may, or the driver has no on_event.", m.Driver)
	return nil
}
