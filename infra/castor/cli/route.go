package cli

import (
	"context"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) routeCommand() *cobra.Command {
	columns := []column[api.Route]{
		{"id", func(r api.Route) string { return r.ID }},
		{"name", func(r api.Route) string { return r.Name }},
		{"owner", func(r api.Route) string { return r.Owner }},
		{"to", func(r api.Route) string { return strings.Join(append(r.Email, r.Webhook), " ") }},
		{"of twin", func(r api.Route) string { return string(r.Twin) }},
		{"from severity", func(r api.Route) string { return string(r.Severity) }},
		{"end too", func(r api.Route) string { return yes(r.Cleared) }},
		{"by", func(r api.Route) string { return r.By }},
	}
	routes := func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Route], error) {
		return c.ListRoutes(ctx, cursor)
	}
	return noun("route", "Routes: who is told of which alarms",
		list(a, "List routes", "  castor route list", columns, routes),
		a.createRoute(),
		remove(a, "route", "Delete routes; what they have not told yet they never will", "  castor route delete route-1f0c",
			ids(a, routes, func(r api.Route) string { return r.ID }), func(ctx context.Context, c *api.Client, id string) error { return c.DeleteRoute(ctx, id) }))
}

func (a *app) createRoute() *cobra.Command {
	var in api.Route
	c := &cobra.Command{Use: "create", Short: "Make a route by e-mail or webhook", Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Make a route by e-mail or webhook. Webhooks are signed: X-Castor-Signature is t=UNIX,v1= and the hexadecimal HMAC-SHA256 of UNIX, a dot and the body.\nThe secret is shown this once.",
		Example: `  castor route create --owner press --email ada@example.com --cleared
  castor route create --webhook https://example.com/hook --severity critical`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, _ []string) error {
			r, err := c.CreateRoute(ctx, in)
			if err != nil {
				return err
			}
			if err := printDone(a, cmd, r, "route %s created", r.ID); err != nil {
				return err
			}
			if r.Secret != "" && a.output == asTable {
				done(cmd, "secret, shown this once: %s", r.Secret)
			}
			return nil
		})}
	f := c.Flags()
	f.StringSliceVar(&in.Email, "email", nil, "address to write to; may be repeated")
	f.StringVar(&in.Webhook, "webhook", "", "URL to call")
	f.StringVar(&in.Owner, "owner", "", "group whose twins' alarms it is for (default everybody's; for maintainers)")
	f.StringVar((*string)(&in.Twin), "twin", "", "only of this twin, or of what is below this type or aggregate")
	f.StringVar((*string)(&in.Severity), "severity", "", "least severity: info, warning, critical (default info)")
	f.BoolVar(&in.Cleared, "cleared", false, "tell of the end too")
	f.StringVar(&in.Name, "name", "", "name for people")
	check(c.RegisterFlagCompletionFunc("severity", severities))
	check(c.RegisterFlagCompletionFunc("owner", groupIDs(a)))
	check(c.RegisterFlagCompletionFunc("twin", func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return twinIDs(a, twin.Kind(""))(cmd, args, begun)
	}))
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}
