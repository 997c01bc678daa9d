package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) claimCommand() *cobra.Command {
	var q api.ClaimQuery
	columns := []column[device.Claim]{
		{"id", func(c device.Claim) string { return c.ID }},
		{"type", func(c device.Claim) string { return string(c.Type) }},
		{"owner", func(c device.Claim) string { return c.Owner }},
		{"serials", claimSerials},
		{"batch", func(c device.Claim) string { return c.Batch }},
		{"used", func(c device.Claim) string { return fmt.Sprintf("%d of %d", c.Used, c.MaxUses) }},
		{"expires", func(c device.Claim) string { return a.ago(c.Expires) }},
		{"state", func(c device.Claim) string {
			return c.State
		}},
		{"by", func(c device.Claim) string { return c.By }},
	}
	claims := func(ctx context.Context, c *api.Client, cursor string) (api.Page[device.Claim], error) {
		q.Cursor = cursor
		return c.ListClaims(ctx, q)
	}
	all := list(a, "List claims", "  castor claim list --owner press --state open", columns, claims)
	all.Flags().StringVar(&q.Owner, "owner", "", "only those of this group")
	all.Flags().StringVar((*string)(&q.Type), "type", "", "only those for this type")
	all.Flags().StringVar(&q.Batch, "batch", "", "only those of this batch")
	all.Flags().StringVar(&q.State, "state", "", "only those that are open, used, expired or revoked")
	complete := ids(a, claims, func(c device.Claim) string { return c.ID })
	return noun("claim", "Claims: what lets devices ask to be provisioned",
		all,
		get(a, "Show a claim, without its token", "  castor claim get claim-1f0c", complete, func(ctx context.Context, c *api.Client, id string) (device.Claim, error) {
			return c.GetClaim(ctx, id)
		}, nil),
		a.createClaim(),
		a.revokeClaims(complete))
}

// claimSerials is which devices a claim is for.
func claimSerials(c device.Claim) string {
	switch {
	case c.Listed > 0 && c.Serials != "":
		return fmt.Sprintf("%s, %d by name", c.Serials, c.Listed)
	case c.Listed > 0:
		return fmt.Sprintf("%d by name", c.Listed)
	case c.Serials == "":
		return "any"
	}
	return c.Serials
}

func (a *app) revokeClaims(complete cobra.CompletionFunc) *cobra.Command {
	q := api.ClaimQuery{State: device.ClaimOpen, Limit: 1000}
	c := &cobra.Command{Use: "revoke [ID…]", Aliases: []string{"delete", "rm"}, Short: "Revoke claims; devices that are connected with them are cut off", ValidArgsFunction: complete,
		Example: "  castor claim revoke claim-1f0c\n  castor claim revoke --batch lot-7 --owner press",
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			if (len(args) > 0) == (q.Batch != "") {
				return errors.New("name claims by their ids, or all open ones of a batch by --batch")
			}
			if q.Batch != "" {
				open, _, err := pages(ctx, c, func(ctx context.Context, c *api.Client, cursor string) (api.Page[device.Claim], error) {
					q.Cursor = cursor
					return c.ListClaims(ctx, q)
				}, 0, true)
				if err != nil {
					return err
				}
				for _, claim := range open {
					args = append(args, claim.ID)
				}
				if len(args) == 0 {
					return fmt.Errorf("no claim of batch %s is open", q.Batch)
				}
			}
			out := outcomes{a: a, cmd: cmd}
			for _, id := range args {
				if err := c.RevokeClaim(ctx, id); err != nil {
					return out.end(err)
				}
				out.add("claim", id, "revoked")
			}
			return out.end(nil)
		})}
	c.Flags().StringVar(&q.Batch, "batch", "", "all open claims of this batch, in place of ids")
	c.Flags().StringVar(&q.Owner, "owner", "", "of the batch, only those of this group")
	check(c.RegisterFlagCompletionFunc("owner", groupIDs(a)))
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

func (a *app) createClaim() *cobra.Command {
	var in api.NewClaim
	var out, identities, qrFile string
	var where *whereabouts
	var protocol string
	var qr bool
	c := &cobra.Command{Use: "create TYPE", Short: "Make a claim for devices of a type", Args: cobra.ExactArgs(1), ValidArgsFunction: first(twinIDs(a, twin.Type)),
		Long: "Make a claim for devices of a type. The claim file holds the token, which is shown this once; give it to the device: castor-agent run --claim FILE.",
		Example: `  castor claim create pump --owner press --file claim.json
  castor claim create pump --owner press --serials 'P-*' --uses 100 --expires 30d --file claim.json
  castor claim create pump --owner press --identities serials.txt --batch lot-7 --file claim.json
  castor claim create pump --owner press --at 48.137,11.575 --region eu-west --file claim.json
  castor claim create pump --owner press --protocol http --file claim.json
  castor claim create pump --owner press --temporary --qr`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			in.Type = twin.TypeID(args[0])
			if protocol != "" && !slices.Contains([]string{"mqtt", "grpc", "http"}, protocol) {
				return errors.New("--protocol must be mqtt, grpc or http")
			}
			if cmd.Flags().Changed("uses") && in.MaxUses < 1 {
				return errors.New("--uses must be 1 or more: so many devices the claim brings in")
			}
			if identities != "" {
				var err error
				if in.Identities, err = readSerials(identities); err != nil {
					return err
				}
			}
			var err error
			if in.Location, err = where.location(); err != nil {
				return err
			}
			claim, err := c.CreateClaim(ctx, in)
			if err != nil {
				return err
			}
			if err := speak(&claim, protocol); err != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), err) // the claim is made, and its token nowhere else
			}
			if qr || qrFile != "" {
				if err := showQR(cmd.OutOrStdout(), &claim, qr, qrFile); err != nil {
					out = "" // the token is nowhere else
					fmt.Fprintln(cmd.ErrOrStderr(), "the QR code was not made:", err)
				} else if out == "" {
					return printDone(a, cmd, claim.Claim, "claim %s created; its QR code is good for %s until %s", claim.Claim.ID, count(claim.Claim.MaxUses, "device"),
						claim.Claim.Expires.Local().Format("2006-01-02 15:04"))
				}
			}
			if out == "" && a.output == asYAML {
				return printOne(a, cmd.OutOrStdout(), claim)
			}
			b, err := json.MarshalIndent(claim, "", "  ")
			if err != nil {
				return err
			}
			if out == "" {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", b)
				return err
			}
			// The token is nowhere else: a file that cannot be written must not cost it.
			if err := os.WriteFile(out, append(b, '\n'), 0o600); err != nil {
				fmt.Fprintf(cmd.OutOrStdout(), "%s\n", b)
				return fmt.Errorf("the claim was made, and is shown above, but not written: %w", err)
			}
			return printDone(a, cmd, claim.Claim, "claim %s created, in file %s; it is good for %s until %s", claim.Claim.ID, out, count(claim.Claim.MaxUses, "device"),
				claim.Claim.Expires.Local().Format("2006-01-02 15:04"))
		})}
	f := c.Flags()
	f.StringVar(&in.Owner, "owner", "", "group that the devices will belong to")
	f.StringVar(&in.Serials, "serials", "", "pattern that serials must match, like 'P-*' (default any)")
	durationVar(f, &in.Expires, "expires", "how long it is good, like 12h or 7d (default 24h)")
	f.Int64Var(&in.MaxUses, "uses", 0, "how many devices it may bring in (default 1, or as many as there are identities)")
	f.StringVar(&identities, "identities", "", "file with the serials of the devices it is for, one a line (default all that match)")
	f.StringVar(&protocol, "protocol", "", "what the devices speak, so that the claim names that gateway: mqtt, grpc or http (default mqtt, where there is one)")
	f.StringVar(&in.Gateway, "gateway", "", "provisioning gateway that the claim names (default the nearest by location and region that is alive and has room)")
	f.StringVar(&in.Batch, "batch", "", "label that the claims of one lot of devices share")
	f.BoolVar(&in.Temporary, "temporary", false, "for an installer: it ends within 24 hours")
	f.StringVar(&in.Note, "note", "", "remark for people")
	f.BoolVar(&qr, "qr", false, "show the claim as a QR code in the terminal; castor-agent run --claim takes its text")
	f.StringVar(&qrFile, "qr-file", "", "write the claim's QR code to this PNG file")
	where = locationFlags(c)
	f.StringVarP(&out, "file", "f", "", "file to write the claim to (default the standard output)")
	a.outputFlag(c, asTable, asYAML, asJSON)
	check(c.MarkFlagRequired("owner"))
	check(c.RegisterFlagCompletionFunc("owner", groupIDs(a)))
	return c
}

// speak has a claim name the provisioning gateway of a protocol; "" leaves it as it is.
func speak(claim *api.ClaimFile, protocol string) error {
	if protocol == "" {
		return nil
	}
	url := claim.Gateways[protocol]
	if url == "" {
		return fmt.Errorf("the platform has no provisioning gateway for %q; it has them for: %s. The claim names %s", protocol, strings.Join(slices.Sorted(maps.Keys(claim.Gateways)), ", "), claim.Gateway)
	}
	if claim.Gateway != url {
		claim.Gateway, claim.Reason = url, ""
	}
	return nil
}
