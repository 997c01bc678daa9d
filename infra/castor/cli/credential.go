package cli

import (
	"context"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) credentialCommand() *cobra.Command {
	return noun("credential", "Credentials: what devices prove themselves by", a.listCredentials(), a.revokeCredential(), credentialKey(), credentialOpen())
}

func (a *app) listCredentials() *cobra.Command {
	c := &cobra.Command{Use: "list TWIN", Aliases: []string{"ls"}, Short: "List what a twin's device proves itself by, and the last that have ended; never a secret",
		Example: "  castor credential list pump-7", Args: cobra.ExactArgs(1), ValidArgsFunction: first(twinIDs(a, twin.Instance)),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			page, err := c.ListCredentials(ctx, twin.ID(args[0]))
			if err != nil {
				return err
			}
			return printAll(a, cmd.OutOrStdout(), page.Items, []column[api.CredentialFact]{
				{"device", func(v api.CredentialFact) string { return string(v.Ref) }},
				{"kind", func(v api.CredentialFact) string { return string(v.Kind) }},
				{"state", func(v api.CredentialFact) string { return v.State }},
				{"issued", func(v api.CredentialFact) string { return a.ago(v.Issued) }},
				{"expires", func(v api.CredentialFact) string { return a.ago(v.Expires) }},
				{"ended", func(v api.CredentialFact) string { return a.ago(v.Ended) }},
				{"by", func(v api.CredentialFact) string { return v.By }},
				{"reason", func(v api.CredentialFact) string { return v.Reason }},
			})
		})}
	a.outputFlag(c, asTable, asWide, asJSON, asYAML, asCSV)
	return c
}

func (a *app) revokeCredential() *cobra.Command {
	var reason string
	c := &cobra.Command{Use: "revoke TWIN", Short: "End what a twin's device proves itself by: it is cut off at once", Args: cobra.ExactArgs(1), ValidArgsFunction: first(twinIDs(a, twin.Instance)),
		Long: "End what a twin's device proves itself by: it is cut off at once, and refused until it is provisioned anew. After castor run reset RUN it may be,\n" +
			"with a claim. To keep a device out for a while only, suspend its twin: castor twin suspend. Devices renew their credentials by themselves, before they expire.",
		Example: `  castor credential revoke pump-7 --reason "its key was copied"`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			page, err := c.ListCredentials(ctx, twin.ID(args[0]))
			if err != nil {
				return err
			}
			out, seen := outcomes{a: a, cmd: cmd}, map[device.Ref]bool{}
			for _, v := range page.Items {
				if v.State == api.CredentialEnded || seen[v.Ref] {
					continue
				}
				seen[v.Ref] = true // while one is renewed there are two, which end together
				if err := c.RevokeCredential(ctx, v.Ref, reason); err != nil {
					return out.end(err)
				}
				out.add("credential", string(v.Ref), "revoked")
			}
			if len(seen) == 0 {
				return out.end(fmt.Errorf("the device of twin %s has no credential that is good", args[0]))
			}
			return out.end(nil)
		})}
	c.Flags().StringVar(&reason, "reason", "", "why, for the audit")
	check(c.MarkFlagRequired("reason"))
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}
