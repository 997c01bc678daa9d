package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/spf13/cobra"
)

func (a *app) accountCommand() *cobra.Command {
	columns := []column[api.Account]{
		{"id", func(v api.Account) string { return v.ID }},
		{"name", func(v api.Account) string { return v.Name }},
		{"roles", func(v api.Account) string { return join(v.Roles) }},
		{"groups", func(v api.Account) string { return strings.Join(v.Groups, ", ") }},
		{"created", func(v api.Account) string { return a.ago(v.Created) }},
	}
	accounts := func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Account], error) {
		return c.ListAccounts(ctx, cursor)
	}
	complete := ids(a, accounts, func(v api.Account) string { return v.ID })
	return noun("account", "Service accounts: applications and gateways of others",
		list(a, "List service accounts", "  castor account list", columns, accounts),
		get(a, "Show a service account, without its secret", "  castor account get erp", complete, func(ctx context.Context, c *api.Client, id string) (api.Account, error) {
			return c.GetAccount(ctx, id)
		}, nil),
		a.createAccount(),
		remove(a, "account", "Delete service accounts: their tokens end, and their ids stay taken", "  castor account delete erp", complete,
			func(ctx context.Context, c *api.Client, id string) error { return c.DeleteAccount(ctx, id) }))
}

func (a *app) createAccount() *cobra.Command {
	var in api.Account
	var roles []string
	var file string
	c := &cobra.Command{Use: "create ID", Short: "Make a service account; its secret is shown this once", Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Make a service account; its secret is shown this once. There is no new secret for an account: to change it, make another account and delete this one.\n" +
			"An account needs a role only for what people with that role may do; grants are made to service:ID.",
		Example: `  castor account create erp --role viewer --group press --file erp.secret
  castor account create acme-gateway --name "Keeps gateway acme"
  castor grant create service:erp twin:pump-7 read`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			in.ID, in.Roles = args[0], rolesOf(roles)
			if file != "" { // before the account is made, because its secret is nowhere else
				f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
				if err != nil {
					return fmt.Errorf("--file: %w", err)
				}
				if err := f.Close(); err != nil {
					return err
				}
			}
			v, err := c.CreateAccount(ctx, in)
			if err != nil {
				if file != "" {
					_ = os.Remove(file) // it is empty
				}
				return err
			}
			if file == "" {
				return printDone(a, cmd, v, "account %s created; its secret, shown this once: %s", v.ID, v.Secret)
			}
			if err := os.WriteFile(file, []byte(v.Secret+"\n"), 0o600); err != nil {
				fmt.Fprintln(cmd.OutOrStdout(), v.Secret)
				return fmt.Errorf("the account was made, and its secret is shown above, but not written: %w", err)
			}
			v.Secret = ""
			return printDone(a, cmd, v, "account %s created; its secret is in file %s", v.ID, file)
		})}
	f := c.Flags()
	f.StringVar(&in.Name, "name", "", "name for people")
	f.StringSliceVar(&roles, "role", nil, "role: "+join(access.Roles)+"; may be repeated (default none)")
	f.StringSliceVar(&in.Groups, "group", nil, "group; may be repeated")
	f.StringVarP(&file, "file", "f", "", "new file for the secret (default the standard output)")
	check(c.RegisterFlagCompletionFunc("role", roleNames))
	check(c.RegisterFlagCompletionFunc("group", groupIDs(a)))
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}
