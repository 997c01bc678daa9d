package cli

import (
	"context"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

// moveCommand makes the verb that keeps devices out, or lets them in again.
func (a *app) moveCommand(verb, became, short string, move func(*api.Client, context.Context, twin.ID, string) (twin.Twin, error)) *cobra.Command {
	var reason string
	c := &cobra.Command{Use: verb + " TWIN…", Short: short, Args: cobra.MinimumNArgs(1), ValidArgsFunction: twinIDs(a, twin.Instance),
		Example: "  castor twin " + verb + ` pump-7 --reason "it leaks"`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			out := outcomes{a: a, cmd: cmd}
			for _, id := range args {
				if _, err := move(c, ctx, twin.ID(id), reason); err != nil {
					return out.end(err)
				}
				out.add("twin", id, became)
			}
			return out.end(nil)
		})}
	c.Flags().StringVar(&reason, "reason", "", "why, for the audit")
	a.outputFlag(c, asTable, asYAML, asJSON)
	check(c.MarkFlagRequired("reason"))
	return c
}

func (a *app) decommissionCommand() *cobra.Command {
	var in api.NewDecommission
	var proof, sure bool
	c := &cobra.Command{Use: "decommission TWIN", Short: "Take a device's access away everywhere, then archive or erase its data; the proof of it is kept",
		Args: cobra.ExactArgs(1), ValidArgsFunction: first(twinIDs(a, twin.Instance)),
		Long: "Take a device's access away everywhere, then archive or erase its data, and delete its twin. What ended when is kept: --proof shows it, " +
			"also when nothing else is left.\n\nA bridge, or a network server's integration, speaks for other devices that nobody could reach without it: " +
			"--with-devices has them go first, each with a proof of its own. To keep them, have another speak for them before: castor device move.",
		Example: `  castor twin decommission pump-7 --reason scrapped
  castor twin decommission pump-7 --reason "sold" --data erase
  castor twin decommission hub-1 --reason "hall 3 is closed" --with-devices
  castor twin decommission pump-7 --proof -o yaml`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			id := twin.ID(args[0])
			if proof {
				v, err := c.GetDecommission(ctx, id)
				if err != nil {
					return err
				}
				return printDone(a, cmd, v, "twin %s: %s", id, decommissioned(&v))
			}
			if in.WithDevices {
				n, err := devicesOf(ctx, c, id)
				if err == nil {
					err = ask(cmd, sure, "nothing was decommissioned", "Decommission %s and %s that it speaks for?", id, n)
				}
				if err != nil {
					return err
				}
			}
			v, err := c.Decommission(ctx, id, in)
			if err != nil {
				return err
			}
			return printDone(a, cmd, v, "twin %s: %s", id, decommissioned(&v))
		})}
	f := c.Flags()
	f.StringVar(&in.Reason, "reason", "", "why, for the proof")
	f.StringVar(&in.Data, "data", "", "what becomes of its data: archive or erase (default as its type says)")
	f.BoolVar(&in.WithDevices, "with-devices", false, "the devices that it speaks for go along; castor device list --via shows them")
	f.BoolVarP(&sure, "yes", "y", false, "do not ask about them (where there is no terminal nobody is asked)")
	f.BoolVar(&proof, "proof", false, "show what was proven, and do nothing")
	a.outputFlag(c, asTable, asYAML, asJSON)
	c.MarkFlagsOneRequired("reason", "proof")
	c.MarkFlagsMutuallyExclusive("data", "proof")
	c.MarkFlagsMutuallyExclusive("with-devices", "proof")
	return c
}

// decommissioned says in words how far it is.
func decommissioned(v *api.Decommission) string {
	if v.State != api.DecommissionDone {
		return "being decommissioned; waits for " + v.Waits
	}
	data := "its data were erased"
	if v.Archive != "" {
		data = fmt.Sprintf("its data are in archive %s (sha256 %s)", v.Archive, v.SHA256)
	}
	along := ""
	if v.With != "" {
		along = " with " + string(v.With)
	}
	if v.Devices > 0 {
		along = fmt.Sprintf(" with %s that it spoke for", count(int64(v.Devices), "device"))
	}
	return fmt.Sprintf("decommissioned%s on %s by %s; %s ended, %s", along, v.Removed.Local().Format("2006-01-02 15:04"), v.By, count(int64(len(v.Credentials)), "credential"), data)
}
