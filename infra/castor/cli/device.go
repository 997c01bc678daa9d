package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) deviceCommand() *cobra.Command {
	return noun("device", "Devices that another device speaks for: behind a Zigbee bridge, or a LoRaWAN network server", a.addDevice(), a.listDevices(), a.moveRelayed())
}

// addDevice brings in a device that another one speaks for.
func (a *app) addDevice() *cobra.Command {
	var in api.NewRun
	var region, site string
	c := &cobra.Command{Use: "add TYPE", Short: "Bring in a device that another device speaks for", Args: cobra.ExactArgs(1), ValidArgsFunction: first(twinIDs(a, twin.Type)),
		Long: `Bring in a device that another device speaks for. Nothing is carried to it: its first message makes it operational. Its type names a provisioning
model for such devices, as castor type create --provisioning relayed does.`,
		Example: `  castor device add meter --owner press --serial 0004A30B001C0530 --via tts-1
  castor device add light --owner press --serial 0x00158d00018255df --via hub-1 --name kitchen/lamp`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			in := in
			in.Type = twin.TypeID(args[0])
			if region != "" || site != "" {
				in.Location = &twin.Location{Region: region, Site: site}
			}
			r, err := c.StartRun(ctx, in)
			if err != nil {
				return err
			}
			if r.Outcome == provision.Rejected {
				if a.output != asTable {
					err = printOne(a, cmd.OutOrStdout(), r)
				}
				return errors.Join(fmt.Errorf("device %s was refused: %s (castor run get %s)", in.Serial, r.Reason, r.ID), err)
			}
			if r.Twin != "" {
				warnUnheard(ctx, c, cmd, r.Twin, in.Via)
			}
			return printDone(a, cmd, r, "%s", a.added(&r))
		})}
	f := c.Flags()
	f.StringVar(&in.Owner, "owner", "", "group that the device will belong to, and who speaks for it does")
	f.StringVar(&in.Serial, "serial", "", "what the device is known by, like its EUI")
	f.StringVar((*string)(&in.Via), "via", "", "the twin of who speaks for it: the bridge, or the network server's integration")
	f.StringVar(&in.Name, "name", "", "what that one calls it; its serial where left out")
	f.StringVar(&in.Model, "model", "", "its model, as its maker calls it")
	f.StringVar(&in.Provisioning, "provisioning", "", "the provisioning model, for configurators; the type's where left out")
	f.StringVar(&in.Reason, "reason", "", "why, for the run's log")
	f.StringVar(&region, "region", "", "region the device is in")
	f.StringVar(&site, "site", "", "where it is, for people")
	a.outputFlag(c, asTable, asYAML, asJSON)
	for _, name := range []string{"owner", "serial", "via"} {
		check(c.MarkFlagRequired(name))
	}
	check(c.RegisterFlagCompletionFunc("owner", groupIDs(a)))
	check(c.RegisterFlagCompletionFunc("via", twinIDs(a, twin.Instance)))
	return c
}

// added says how far a device is that was brought in just now: only once it has its twin and is admitted it needs nothing but to be heard.
func (a *app) added(r *provision.Run) string {
	s, _ := r.Model.State(r.State)
	switch {
	case r.Outcome == provision.Completed:
		return fmt.Sprintf("device %s is twin %s, and operational", r.Request.Serial, r.Twin)
	case r.Waiting && r.Asks == nil && slices.Contains(s.Awaits(), provision.DeviceSeen):
		return fmt.Sprintf("device %s is twin %s; with its first message it is operational (castor run get %s)", r.Request.Serial, r.Twin, r.ID)
	}
	out := fmt.Sprintf("device %s is not in yet: it is %s", r.Request.Serial, whereOf(r))
	for _, f := range a.nextOf(r) {
		if f.value != "" {
			out += "; " + f.name + ": " + f.value
		}
	}
	return out + fmt.Sprintf(" (castor run get %s)", r.ID)
}

// listDevices lists the devices that one speaks for.
func (a *app) listDevices() *cobra.Command {
	var via string
	c := list(a, "List the devices that another device speaks for", "  castor device list --via tts-1", []column[api.CredentialFact]{
		{"twin", func(v api.CredentialFact) string { return string(v.Twin) }},
		{"name", func(v api.CredentialFact) string { return v.Name }},
		{"first heard", func(v api.CredentialFact) string {
			if v.Confirmed.IsZero() {
				return "not yet"
			}
			return a.ago(v.Confirmed)
		}},
		{"added or moved", func(v api.CredentialFact) string { return a.ago(v.Issued) }},
		{"device", func(v api.CredentialFact) string { return string(v.Ref) }},
	}, func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.CredentialFact], error) {
		return c.ListRelayed(ctx, twin.ID(via), cursor)
	})
	c.Flags().StringVar(&via, "via", "", "the twin of who speaks for them")
	check(c.MarkFlagRequired("via"))
	check(c.RegisterFlagCompletionFunc("via", twinIDs(a, twin.Instance)))
	return c
}
