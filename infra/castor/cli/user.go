package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/spf13/cobra"
)

func (a *app) userCommand() *cobra.Command {
	columns := []column[api.User]{
		{"id", func(u api.User) string { return u.ID }},
		{"name", func(u api.User) string { return u.Name }},
		{"roles", func(u api.User) string { return join(u.Roles) }},
		{"groups", func(u api.User) string { return strings.Join(u.Groups, ", ") }},
		{"email", func(u api.User) string { return u.Email }},
		{"enabled", func(u api.User) string { return yes(!u.Disabled) }},
		{"created", func(u api.User) string { return a.ago(u.Created) }},
	}
	users := func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.User], error) {
		return c.ListUsers(ctx, cursor)
	}
	complete := ids(a, users, func(u api.User) string { return u.ID })
	return noun("user", "People who use the platform",
		list(a, "List users", "  castor user list", columns, users),
		get(a, "Show a user", "  castor user get ada", complete, func(ctx context.Context, c *api.Client, id string) (api.User, error) { return c.GetUser(ctx, id) }, nil),
		a.createUser(), a.setUser(complete), a.passwordCommand(complete), a.meCommand(),
		remove(a, "user", "Delete users; their sessions end", "  castor user delete ada", complete, func(ctx context.Context, c *api.Client, id string) error { return c.DeleteUser(ctx, id) }))
}

func (a *app) createUser() *cobra.Command {
	var in api.NewUser
	var roles []string
	var fromStdin bool
	c := &cobra.Command{Use: "create ID", Short: "Make a user", Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		Example: `  castor user create ada --role owner --group press
  castor user create bob --role viewer --group press --password-stdin < password.txt`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) (err error) {
			in.ID, in.Roles = args[0], rolesOf(roles)
			if in.Password, err = newPassword(cmd, fromStdin); err != nil {
				return err
			}
			u, err := c.CreateUser(ctx, in)
			if err != nil {
				return err
			}
			return printDone(a, cmd, u, "user %s created", u.ID)
		})}
	f := c.Flags()
	f.StringVar(&in.Name, "name", "", "name for people")
	f.StringVar(&in.Email, "email", "", "e-mail address")
	f.StringSliceVar(&roles, "role", nil, "role: "+join(access.Roles)+"; may be repeated")
	f.StringSliceVar(&in.Groups, "group", nil, "group; may be repeated")
	f.BoolVar(&fromStdin, "password-stdin", false, "read the password from the standard input")
	check(c.MarkFlagRequired("role"))
	check(c.RegisterFlagCompletionFunc("role", roleNames))
	check(c.RegisterFlagCompletionFunc("group", groupIDs(a)))
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

func (a *app) setUser(complete cobra.CompletionFunc) *cobra.Command {
	var name, email string
	var roles, groups []string
	var enabled bool
	c := &cobra.Command{Use: "set ID", Short: "Change a user", Args: cobra.ExactArgs(1), ValidArgsFunction: first(complete),
		Example: `  castor user set ada --role owner,configurator
  castor user set ada --enabled=false`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			var in api.UserChange
			changed := cmd.Flags().Changed
			if changed("name") {
				in.Name = &name
			}
			if changed("email") {
				in.Email = &email
			}
			if changed("role") {
				r := rolesOf(roles)
				in.Roles = &r
			}
			if changed("group") {
				in.Groups = &groups
			}
			if changed("enabled") {
				off := !enabled
				in.Disabled = &off
			}
			if in == (api.UserChange{}) {
				return errors.New("nothing is to be changed: use --name, --email, --role, --group or --enabled")
			}
			u, err := c.UpdateUser(ctx, args[0], in)
			if err != nil {
				return err
			}
			return printDone(a, cmd, u, "user %s changed", u.ID)
		})}
	f := c.Flags()
	f.StringVar(&name, "name", "", "new name")
	f.StringVar(&email, "email", "", "new e-mail address")
	f.StringSliceVar(&roles, "role", nil, "new roles, all of them")
	f.StringSliceVar(&groups, "group", nil, "new groups, all of them")
	f.BoolVar(&enabled, "enabled", true, "whether the user may sign in")
	check(c.RegisterFlagCompletionFunc("role", roleNames))
	check(c.RegisterFlagCompletionFunc("group", groupIDs(a)))
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

var roleNames = cobra.FixedCompletions(strings.Split(join(access.Roles), ", "), cobra.ShellCompDirectiveNoFileComp)

func rolesOf(names []string) []access.Role {
	roles := make([]access.Role, len(names))
	for i, n := range names {
		roles[i] = access.Role(n)
	}
	return roles
}

func (a *app) passwordCommand(complete cobra.CompletionFunc) *cobra.Command {
	var fromStdin bool
	c := &cobra.Command{Use: "password [ID]", Short: "Set a user's password, your own by default; all sessions of the user end", Args: cobra.MaximumNArgs(1), ValidArgsFunction: first(complete),
		Example: "  castor user password\n  castor user password ada        for maintainers",
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			me, err := c.Me(ctx)
			if err != nil {
				return err
			}
			id, in := me.ID, api.PasswordChange{}
			if len(args) > 0 {
				id = args[0]
			}
			if id == me.ID && !fromStdin {
				if in.Old, err = readPassword(cmd, nil, "Present password: ", false); err != nil {
					return err
				}
			}
			if in.New, err = newPassword(cmd, fromStdin); err != nil {
				return err
			}
			if err := c.SetPassword(ctx, id, in); err != nil {
				return err
			}
			done(cmd, "password of %s set; sign in anew with: castor login %s", id, id)
			return nil
		})}
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the new password from the standard input; for maintainers")
	return c
}

// newPassword asks twice, because what is typed is not shown.
func newPassword(cmd *cobra.Command, fromStdin bool) (string, error) {
	in := bufio.NewReader(cmd.InOrStdin())
	p, err := readPassword(cmd, in, "New password: ", fromStdin)
	if err != nil || fromStdin {
		return p, err
	}
	again, err := readPassword(cmd, in, "The same again: ", false)
	if err == nil && again != p {
		err = errors.New("the two passwords are not the same")
	}
	return p, err
}

func (a *app) meCommand() *cobra.Command {
	c := &cobra.Command{Use: "me", Short: "Show who you are signed in as", Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions, Example: "  castor user me",
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, _ []string) error {
			u, err := c.Me(ctx)
			if err != nil {
				return err
			}
			return printDone(a, cmd, u, "%s at %s: %s%s", u.ID, a.url, join(u.Roles), ofGroups(u.Groups))
		})}
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

func ofGroups(groups []string) string {
	if len(groups) == 0 {
		return ""
	}
	return fmt.Sprintf("; groups %s", strings.Join(groups, ", "))
}
