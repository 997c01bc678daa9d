package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

// driverParked lists what castor driver redrive would read again.
func (a *app) driverParked() *cobra.Command {
	var driver string
	var of twin.TypeID
	var limit int
	var all bool
	c := &cobra.Command{Use: "parked [DRIVER]", Short: "List messages that could not be read: of a driver, or of all devices of a type", Args: cobra.MaximumNArgs(1),
		Long: `List messages that could not be read and are kept as they came, newest first: those that a driver (acme-th1) or a version of it (acme-th1@1.2.0)
could not read, those of all devices of a --type, or of both. Only messages of twins that you may see are among them.

Of a driver alone, those come first for which it had no version. Of one twin: castor twin parked. Once the driver is mended, castor driver
redrive reads them again.`,
		Example: `  castor driver parked acme-th1
  castor driver parked acme-th1@1.2.0
  castor driver parked --type thermometer
  castor driver parked --type thermometer --limit 1000 -o json`,
		ValidArgsFunction: first(a.driverNames),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				driver = args[0]
			}
			switch {
			case driver == "" && of == "":
				return errors.New("say which are to be listed: those of a DRIVER, or of a --type; castor twin parked TWIN lists those of one twin")
			case limit < 1:
				return errors.New("--limit must be 1 or more")
			}
			items, more, err := pages(ctx, c, func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.ParkedMessage], error) {
				if of == "" {
					return c.ListParkedBy(ctx, driver, "", cursor)
				}
				return c.ListParkedOf(ctx, of, driver, cursor)
			}, limit, all)
			if err != nil {
				return err
			}
			a.longPayloads(cmd, items)
			if err := printAll(a, cmd.OutOrStdout(), items, slices.Insert(a.parkedColumns(), 1,
				column[api.ParkedMessage]{"twin", func(m api.ParkedMessage) string { return string(m.Twin) }},
				column[api.ParkedMessage]{"driver", func(m api.ParkedMessage) string { return m.Driver }})); err != nil {
				return err
			}
			switch {
			case a.output != asTable:
			case more:
				hint(cmd, "There are more; use --all, or a higher --limit.")
			case len(items) == 0:
				hint(cmd, "Nothing is parked there of twins that you may see.")
			}
			return nil
		})}
	f := c.Flags()
	f.StringVar((*string)(&of), "type", "", "of the devices of this type")
	f.BoolVar(&all, "all", false, "show all, however many there are")
	f.IntVar(&limit, "limit", 100, "how many to show")
	check(c.RegisterFlagCompletionFunc("type", twinIDs(a, twin.Type)))
	a.outputFlag(c, asTable, asJSON, asYAML, asCSV)
	return c
}
