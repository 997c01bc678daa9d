package cli

import (
	"context"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

// moveRelayed has another device speak for one, or the same by another name.
func (a *app) moveRelayed() *cobra.Command {
	var in api.MoveRelayed
	c := &cobra.Command{Use: "move TWIN", Short: "Have another device speak for one, or the same by another name", Args: cobra.ExactArgs(1), ValidArgsFunction: first(twinIDs(a, twin.Instance)),
		Long: `Have another device speak for one that was paired with another bridge, or the same by another name, after it was renamed there. Its twin, its
history and its commands stay. What the one before says of it counts no more. castor twin log TWIN --app platform tells who moved it, when, and from where;
so does castor credential list TWIN.`,
		Example: `  castor device move lamp-3 --via hub-2
  castor device move lamp-3 --name kitchen/lamp
  castor device move lamp-3 --via hub-2 --name kitchen/lamp`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			v, err := c.MoveRelayed(ctx, twin.ID(args[0]), in)
			if err != nil {
				return err
			}
			warnUnheard(ctx, c, cmd, v.Twin, v.ViaTwin)
			return printDone(a, cmd, v, "twin %s is %q at %s from now on", v.Twin, v.Name, v.ViaTwin)
		})}
	f := c.Flags()
	f.StringVar((*string)(&in.Via), "via", "", "the twin of who speaks for it from now on; as it is where left out")
	f.StringVar(&in.Name, "name", "", "what that one calls it; as it is where left out")
	a.outputFlag(c, asTable, asYAML, asJSON)
	c.MarkFlagsOneRequired("via", "name")
	check(c.RegisterFlagCompletionFunc("via", twinIDs(a, twin.Instance)))
	return c
}

// maxCounted is up to how many devices are counted for a question or a description.
const maxCounted = 1000

// devicesOf says how many devices a twin's device speaks for, of which the caller may know.
func devicesOf(ctx context.Context, c *api.Client, id twin.ID) (string, error) {
	n, cursor := 0, ""
	for {
		page, err := c.ListRelayed(ctx, id, cursor)
		if err != nil {
			return "", err
		}
		n += len(page.Items)
		if cursor = page.Next; cursor == "" {
			return count(int64(n), "device"), nil
		}
		if n >= maxCounted {
			return fmt.Sprintf("more than %d devices", maxCounted), nil
		}
	}
}

// relays says for whom a twin's device speaks, or who speaks for it, as far as the caller may know.
func (a *app) relays(ctx context.Context, c *api.Client, id twin.ID) []fact {
	var out []fact
	if facts, err := c.ListCredentials(ctx, id); err == nil && len(facts.Items) > 0 {
		if v := facts.Items[0]; v.Kind == device.Relayed && v.State != api.CredentialEnded {
			out = append(out, fact{"spoken for by", fmt.Sprintf("%s, which calls it %q, for %s (castor credential list %s)", v.ViaTwin, v.Name, span(max(0, a.now().Sub(v.Issued))), id)})
		}
	}
	if n, err := devicesOf(ctx, c, id); err == nil && n != count(0, "device") {
		out = append(out, fact{"speaks for", fmt.Sprintf("%s (castor device list --via %s)", n, id)})
	}
	return out
}
