package cli

import (
	"context"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/spf13/cobra"
)

func groups(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Group], error) {
	return c.ListGroups(ctx, cursor)
}

func groupIDs(a *app) cobra.CompletionFunc {
	return ids(a, groups, func(g api.Group) string { return g.ID })
}

func (a *app) groupCommand() *cobra.Command {
	var name string
	create := &cobra.Command{Use: "create ID", Short: "Make a group", Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		Example: `  castor group create press --name "Press shop"`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			g, err := c.CreateGroup(ctx, api.Group{ID: args[0], Name: name})
			if err != nil {
				return err
			}
			return printDone(a, cmd, g, "group %s created", g.ID)
		})}
	create.Flags().StringVar(&name, "name", "", "name for people")
	a.outputFlag(create, asTable, asYAML, asJSON)
	return noun("group", "Groups of users, to which twins belong",
		list(a, "List groups", "  castor group list", []column[api.Group]{
			{"id", func(g api.Group) string { return g.ID }},
			{"name", func(g api.Group) string { return g.Name }},
			{"created", func(g api.Group) string { return a.ago(g.Created) }},
		}, groups), create,
		remove(a, "group", "Delete groups", "  castor group delete press", groupIDs(a), func(ctx context.Context, c *api.Client, id string) error { return c.DeleteGroup(ctx, id) }))
}

func (a *app) grantCommand() *cobra.Command {
	var subject, object string
	grants := func(ctx context.Context, c *api.Client, cursor string) (api.Page[access.Grant], error) {
		return c.ListGrants(ctx, subject, object, cursor)
	}
	ls := list(a, "List grants of what you may see", "  castor grant list --object twin:pump-7", []column[access.Grant]{
		{"id", func(g access.Grant) string { return g.ID }},
		{"subject", func(g access.Grant) string { return g.Subject }},
		{"right", func(g access.Grant) string { return string(g.Right) }},
		{"object", func(g access.Grant) string { return g.Object }},
		{"by", func(g access.Grant) string { return g.By }},
		{"created", func(g access.Grant) string { return a.ago(g.Created) }},
	}, grants)
	ls.Flags().StringVar(&subject, "subject", "", "only those made to user:ID, group:ID or service:ID")
	ls.Flags().StringVar(&object, "object", "", "only those on twin:ID or service:NAME")
	return noun("grant", "Grants: who may read or write what", ls, a.createGrant(), a.checkCommand(),
		remove(a, "grant", "Take grants back", "  castor grant delete grant-1f0c", ids(a, grants, func(g access.Grant) string { return g.ID }),
			func(ctx context.Context, c *api.Client, id string) error { return c.DeleteGrant(ctx, id) }))
}

func (a *app) createGrant() *cobra.Command {
	c := &cobra.Command{Use: "create SUBJECT OBJECT RIGHT", Short: "Let somebody read or write something, and what is below it", Args: cobra.ExactArgs(3), ValidArgsFunction: completeRight,
		Example: `  castor grant create user:ada twin:pump-7 read
  castor grant create group:press twin:pump write     a type: all its instances`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			g, err := c.CreateGrant(ctx, access.Grant{Subject: args[0], Object: args[1], Right: access.Right(args[2])})
			if err != nil {
				return err
			}
			return printDone(a, cmd, g, "grant %s created: %s may %s %s", g.ID, g.Subject, g.Right, g.Object)
		})}
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

func completeRight(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 2 {
		return []cobra.Completion{string(access.Read), string(access.Write)}, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) checkCommand() *cobra.Command {
	c := &cobra.Command{Use: "check SUBJECT OBJECT RIGHT", Short: "Tell whether somebody may do something, and why", Args: cobra.ExactArgs(3), ValidArgsFunction: completeRight,
		Example: "  castor grant check user:ada twin:pump-7 write",
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			d, err := c.Check(ctx, api.Check{Subject: args[0], Object: args[1], Right: access.Right(args[2])})
			if err != nil {
				return err
			}
			return printDone(a, cmd, d, "%s: %s", yes(d.Allowed), d.Reason)
		})}
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}
