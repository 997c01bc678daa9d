package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/spf13/cobra"
)

func (a *app) gatewayCommand() *cobra.Command {
	var phase string
	gateways := func(ctx context.Context, c *api.Client, _ string) (api.Page[api.Gateway], error) {
		return c.ListGateways(ctx, phase)
	}
	ls := list(a, "List gateways", "  castor gateway list --phase operational", []column[api.Gateway]{
		{"id", func(g api.Gateway) string { return g.ID }},
		{"phase", func(g api.Gateway) string { return g.Phase }},
		{"protocol", func(g api.Gateway) string { return g.Protocol }},
		{"url", func(g api.Gateway) string { return g.URL }},
		{"region", func(g api.Gateway) string { return g.Region }},
		{"devices", gatewayLoad},
		{"connected", func(g api.Gateway) string { return fmt.Sprint(g.Sessions) }},
		{"state", gatewayState},
		{"seen", func(g api.Gateway) string { return a.ago(g.Seen) }},
	}, gateways)
	ls.Flags().StringVar(&phase, "phase", "", "only provisioning or operational ones")
	complete := ids(a, gateways, func(g api.Gateway) string { return g.ID })
	return noun("gateway", "IoT gateways: where devices come in", ls, a.describeGateway(complete), a.drainGateway(complete), a.resumeGateway(complete), a.moveDevice(complete),
		remove(a, "gateway", "Forget gateways that have stopped and have no devices", "  castor gateway delete operational-2", complete,
			func(ctx context.Context, c *api.Client, id string) error { return c.DeleteGateway(ctx, id) }))
}

// gatewayLoad is how many devices have their places at a gateway, and how many are about to leave it.
func gatewayLoad(g api.Gateway) string {
	load := fmt.Sprintf("%d of %d", g.Devices, g.Capacity)
	if g.Leaving > 0 {
		load += fmt.Sprintf(", %d leaving", g.Leaving)
	}
	return load
}

func gatewayState(g api.Gateway) string {
	switch {
	case g.Dead:
		return "dead"
	case g.Draining:
		return "draining"
	}
	return "alive"
}

func (a *app) describeGateway(complete cobra.CompletionFunc) *cobra.Command {
	c := &cobra.Command{Use: "get ID", Aliases: []string{"describe", "show"}, Short: "Show a gateway: its load, its state, and devices that have their places there, with why",
		Example: "  castor gateway get operational-1",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: complete,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			g, err := c.GetGateway(ctx, args[0])
			if err != nil || a.output != asTable {
				if err == nil {
					err = printOne(a, cmd.OutOrStdout(), g)
				}
				return err
			}
			state := gatewayState(g)
			if g.Reason != "" {
				state += " (" + g.Reason + ")"
			}
			var kinds []string
			for _, k := range g.Kinds {
				kinds = append(kinds, string(k))
			}
			out := cmd.OutOrStdout()
			err = printFacts(out, []fact{{"id", g.ID}, {"phase", g.Phase}, {"protocol", g.Protocol}, {"url", g.URL}, {"region", g.Region}, {"location", g.Location.String()},
				{"devices", fmt.Sprintf("%s, %d connected", gatewayLoad(g), g.Sessions)}, {"credentials", strings.Join(kinds, ", ")}, {"contract", g.Contract},
				{"keeper", g.Keeper}, {"state", state}, {"devices stay", g.Stuck}, {"seen", a.ago(g.Seen)}})
			if err != nil || g.Phase != "operational" {
				return err
			}
			page, err := c.ListAssignments(ctx, api.AssignmentQuery{Gateway: g.ID, Limit: 20})
			if err != nil || len(page.Items) == 0 {
				return err
			}
			fmt.Fprintln(out)
			if err := printAll(a, out, page.Items, assignmentColumns); err != nil {
				return err
			}
			if page.Next != "" {
				hint(cmd, "There are more devices than these.")
			}
			return nil
		})}
	a.outputFlag(c, asTable, asJSON, asYAML)
	return c
}

var assignmentColumns = []column[api.Assignment]{
	{"device", func(v api.Assignment) string { return string(v.Ref) }},
	{"twin", func(v api.Assignment) string { return string(v.Twin) }},
	{"state", func(v api.Assignment) string {
		switch {
		case v.Suspended:
			return "suspended"
		case v.Lost != "":
			return v.Lost
		case v.Leaving != "":
			return "moving from " + v.Leaving
		case !v.Applied:
			return "pending"
		}
		return "registered"
	}},
	{"why here", func(v api.Assignment) string { return v.Reason }},
}

func (a *app) drainGateway(complete cobra.CompletionFunc) *cobra.Command {
	var reason string
	c := &cobra.Command{Use: "drain ID", Short: "Have a gateway's devices get places elsewhere", Args: cobra.ExactArgs(1), ValidArgsFunction: complete,
		Long:    "Have a gateway's devices get places elsewhere, and none come. Each device is told at the old gateway, and let in at both until it has arrived at the new\none. The gateway may be stopped when it has no devices any more: castor gateway get ID.",
		Example: "  castor gateway drain operational-2 --reason 'new kernel'",
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			g, err := c.DrainGateway(ctx, args[0], reason)
			if err != nil {
				return err
			}
			if err := printDone(a, cmd, g, "gateway %s is being drained; %s here still, %d on their way", g.ID, count(g.Devices, "device"), g.Leaving); err != nil {
				return err
			}
			if g.Stuck != "" {
				hint(cmd, "They stay: %s. They leave as soon as a gateway can take them.", g.Stuck)
			}
			return nil
		})}
	c.Flags().StringVar(&reason, "reason", "", "why; people see it where their devices are")
	check(c.MarkFlagRequired("reason"))
	a.outputFlag(c, asTable, asJSON, asYAML)
	return c
}

func (a *app) resumeGateway(complete cobra.CompletionFunc) *cobra.Command {
	c := &cobra.Command{Use: "resume ID", Short: "End the drain of a gateway; devices that have left stay where they are", Example: "  castor gateway resume operational-2",
		Args: cobra.ExactArgs(1), ValidArgsFunction: complete,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			g, err := c.ResumeGateway(ctx, args[0])
			if err != nil {
				return err
			}
			return printDone(a, cmd, g, "gateway %s takes devices again", g.ID)
		})}
	a.outputFlag(c, asTable, asJSON, asYAML)
	return c
}

func (a *app) moveDevice(complete cobra.CompletionFunc) *cobra.Command {
	var in api.MoveDevice
	c := &cobra.Command{Use: "move DEVICE", Short: "Give a device a place at another gateway", Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		Long:    "Give a device a place at another gateway. DEVICE is its reference, as castor gateway get shows it, or the id of its twin.",
		Example: "  castor gateway move dev-4f2a --to operational-2 --reason 'nearer to hall 3'",
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			v, err := c.MoveAssignment(ctx, device.Ref(args[0]), in)
			if err != nil {
				return err
			}
			return printDone(a, cmd, v, "device %s has its place at gateway %s: %s", v.Ref, v.Gateway, v.Reason)
		})}
	c.Flags().StringVar(&in.Gateway, "to", "", "gateway to move to (default the best of the others)")
	c.Flags().StringVar(&in.Reason, "reason", "", "why; people see it where the device is")
	check(c.MarkFlagRequired("reason"))
	check(c.RegisterFlagCompletionFunc("to", complete))
	a.outputFlag(c, asTable, asJSON, asYAML)
	return c
}
