package cli

import (
	"context"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

// modelChoose tells by which model a device would come in.
func (a *app) modelChoose() *cobra.Command {
	c := &cobra.Command{Use: "choose TYPE [NAME=VALUE...]", Short: "Tell by which provisioning model a device of a type would come in, and why", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: first(twinIDs(a, twin.Type)),
		Long: `Tell by which provisioning model a device of a type would come in, and why. What is known of the device is given as of simulate's --set; what is not
given is not known.`,
		Example: "  castor model choose pump facts.firmware=2 identity.maker=acme claim.batch=returns",
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			in, err := sampleOf(args[1:])
			if err != nil {
				return err
			}
			in.Type = twin.TypeID(args[0])
			out, err := c.ChooseModel(ctx, in)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if a.output != asTable {
				return printOne(a, w, out)
			}
			fmt.Fprintf(w, "model %s, version %d: %s\n", out.Model, out.Version, out.Why)
			if len(out.Choices) == 0 {
				return nil
			}
			fmt.Fprintln(w)
			return printAll(a, w, out.Choices, []column[provision.Considered]{
				{"if", func(c provision.Considered) string { return c.If }},
				{"model", func(c provision.Considered) string { return c.Model }},
				{"verdict", func(c provision.Considered) string { return verdicts[c.Verdict] }},
			})
		})}
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

// verdicts are a choice's in words.
var verdicts = map[provision.Verdict]string{provision.Holds: "holds", provision.Fails: "does not hold", provision.Unjudged: "cannot be judged",
	provision.PassedBy: "not looked at: an earlier one holds"}
