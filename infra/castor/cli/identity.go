package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) identityCommand() *cobra.Command {
	columns := []column[device.Identity]{
		{"id", func(i device.Identity) string { return string(i.ID) }},
		{"serial", func(i device.Identity) string { return i.Serial }},
		{"mac", func(i device.Identity) string { return i.MAC }},
		{"maker", func(i device.Identity) string { return i.Maker }},
		{"model", func(i device.Identity) string { return i.Model }},
		{"type", func(i device.Identity) string { return i.Type }},
		{"created", func(i device.Identity) string { return a.ago(i.Created) }},
	}
	var prefix string
	fetchAll := func(ctx context.Context, c *api.Client, cursor string) (api.Page[device.Identity], error) {
		return c.ListIdentities(ctx, prefix, cursor)
	}
	ls := list(a, "List identities", "  castor identity list --prefix press-", columns, fetchAll)
	ls.Flags().StringVar(&prefix, "prefix", "", "only those whose id begins so")
	complete := ids(a, fetchAll, func(i device.Identity) string { return string(i.ID) })
	return noun("identity", "Identities: which devices there are, before they are here", ls,
		get(a, "Show an identity", "  castor identity get p-7", complete, func(ctx context.Context, c *api.Client, id string) (device.Identity, error) {
			return c.GetIdentity(ctx, twin.ID(id))
		}, nil),
		a.createIdentity(), a.importIdentities(), a.restoreIdentity(complete),
		remove(a, "identity", "Delete identities that no twin uses", "  castor identity delete p-7", complete,
			func(ctx context.Context, c *api.Client, id string) error { return c.DeleteIdentity(ctx, twin.ID(id)) }))
}

func (a *app) createIdentity() *cobra.Command {
	var in device.Identity
	c := &cobra.Command{Use: "create SERIAL", Short: "Make a device's identity known", Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  castor identity create P-7 --mac 02:42:ac:11:00:02 --model XR-200 --type pump",
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			in.Serial = args[0]
			i, err := c.CreateIdentity(ctx, in)
			if err != nil {
				return err
			}
			return printDone(a, cmd, i, "identity %s created", i.ID)
		})}
	f := c.Flags()
	f.StringVar((*string)(&in.ID), "id", "", "id its twin will have (default made from the serial)")
	f.StringVar(&in.MAC, "mac", "", "MAC address")
	f.StringVar(&in.Model, "model", "", "the maker's name of the model")
	f.StringVar(&in.Maker, "maker", "", "who made it")
	f.StringVar(&in.Type, "type", "", "the only type it may be provisioned as (default any)")
	f.StringVar(&in.Made, "made", "", "date of manufacture, like 2026-03-21")
	f.StringVar(&in.Notes, "notes", "", "remarks")
	check(c.RegisterFlagCompletionFunc("type", twinIDs(a, twin.Type)))
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

func (a *app) restoreIdentity(complete cobra.CompletionFunc) *cobra.Command {
	var reason string
	c := &cobra.Command{Use: "restore IDENTITY", Short: "Let a device that was decommissioned come in again", Args: cobra.ExactArgs(1), ValidArgsFunction: first(complete),
		Long:    "Let a device that was decommissioned come in again, with a claim, as a new twin. Its old credentials stay ended, and its data archived or erased.",
		Example: `  castor identity restore p-7 --reason "sold on, and back"`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			i, err := c.RestoreIdentity(ctx, twin.ID(args[0]), reason)
			if err != nil {
				return err
			}
			return printDone(a, cmd, i, "identity %s restored: its device may come in again", i.ID)
		})}
	c.Flags().StringVar(&reason, "reason", "", "why, for the audit")
	a.outputFlag(c, asTable, asYAML, asJSON)
	check(c.MarkFlagRequired("reason"))
	return c
}

func (a *app) importIdentities() *cobra.Command {
	var file, format string
	c := &cobra.Command{Use: "import -f FILE", Short: "Make many identities known, from CSV or NDJSON",
		Long:    "Make many identities known, from CSV with a header line (serial,mac,model,type,…) or NDJSON. Faulty lines are told of and left out; importing a file again changes nothing.",
		Example: "  castor identity import -f devices.csv\n  jq -c '.[]' devices.json | castor identity import -f -",
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, _ []string) error {
			b, err := readFile(cmd, file)
			if err != nil {
				return err
			}
			contentType, err := identityFormat(format, file, b)
			if err != nil {
				return err
			}
			res, err := c.ImportIdentities(ctx, contentType, b)
			if err != nil {
				return err
			}
			if err := printDone(a, cmd, res, "%d created, %d there already, %d with faults", res.Created, res.Unchanged, len(res.Faults)); err != nil {
				return err
			}
			for _, f := range res.Faults {
				hint(cmd, "line %d: %s", f.Line, plain(f.Reason))
			}
			if len(res.Faults) > 0 {
				return fmt.Errorf("lines not taken: %d; correct them and import the file again", len(res.Faults))
			}
			return nil
		})}
	c.Flags().StringVar(&format, "format", "", "csv or ndjson (default by the file's name, else by its beginning)")
	a.outputFlag(c, asTable, asYAML, asJSON)
	fileFlag(c, &file, "file, - for the standard input")
	return c
}

// identityFormat is the content type of a file of identities.
func identityFormat(format, file string, b []byte) (string, error) {
	if format == "" {
		switch filepath.Ext(file) {
		case ".csv":
			format = "csv"
		case ".ndjson", ".jsonl":
			format = "ndjson"
		default:
			format = "csv"
			if bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
				format = "ndjson"
			}
		}
	}
	switch format {
	case "csv":
		return "text/csv", nil
	case "ndjson":
		return "application/x-ndjson", nil
	}
	return "", errors.New("--format must be csv or ndjson")
}
