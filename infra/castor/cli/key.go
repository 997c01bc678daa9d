package cli

import (
	"context"

	"github.com/castor-iot/castor/shared/api"
	"github.com/spf13/cobra"
)

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{Use: "rotate", Short: "Make a new signing key; tokens signed with those before stay good until they end", Args: cobra.NoArgs,
		Example: "  castor key rotate", ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, _ []string) error {
			keys, err := c.RotateKeys(ctx)
			if err != nil {
				return err
			}
			return printDone(a, cmd, keys, "there is a new signing key; %s published", count(len(keys.Keys), "key"))
		})}
	a.outputFlag(c, asTable, asYAML, asJSON)
	return noun("key", "Keys that tokens are signed with", c)
}
