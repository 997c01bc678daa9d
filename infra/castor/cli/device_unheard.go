package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

// warnUnheard tells of a device whose messages would not be read as the one of via passes them on. The device is in all the same: a driver may
// read more than what its topics say, and another version of it other topics.
func warnUnheard(ctx context.Context, c *api.Client, cmd *cobra.Command, id, via twin.ID) {
	if why := unheard(ctx, c, id, via); why != "" {
		hint(cmd, "%s", plain("Warning: "+why))
	}
}

// unheard says why a device's driver would read nothing of what the device of via says of it: it knows its messages by topics, and that one
// speaks on none of them. "" = nothing is known against it.
func unheard(ctx context.Context, c *api.Client, id, via twin.ID) string {
	t, err := c.GetTwin(ctx, id)
	if err != nil {
		return "" // it is a word beside what was asked for
	}
	of, err := c.GetTwin(ctx, t.Definition.Type)
	if err != nil || of.Definition.Model == nil || of.Definition.Model.Driver == "" {
		return ""
	}
	d, err := c.GetDriver(ctx, of.Definition.Model.Driver)
	if err != nil {
		return ""
	}
	i := slices.IndexFunc(d.Versions, func(v api.DriverVersion) bool { return v.State == api.DriverActive })
	if i < 0 || len(d.Versions[i].Topics) == 0 {
		return ""
	}
	topics := d.Versions[i].Topics
	page, err := c.ListCredentials(ctx, via)
	if err != nil || len(page.Items) == 0 || page.Items[0].State == api.CredentialEnded {
		return ""
	}
	if on := page.Items[0].Topics; on != nil && slices.ContainsFunc(on.Up, func(s string) bool { return slices.Contains(topics, s) }) {
		return ""
	}
	return fmt.Sprintf("driver %s of type %s reads messages on topics like %s, and %s speaks on none of them: what it says of %s would be parked. "+
		"Have a bridge speak for it that uses them (castor device move %[5]s --via BRIDGE), or the type name a driver that reads what %[4]s passes on (castor driver list)",
		d.Name, of.ID, topics[len(topics)-1], via, id)
}
