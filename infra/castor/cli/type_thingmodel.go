package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) thingModelCommand() *cobra.Command {
	return noun("thing-model", "Types as Thing Models of the W3C Web of Things", a.thingModelGet(), a.thingModelPut())
}

func (a *app) thingModelGet() *cobra.Command {
	var file string
	c := &cobra.Command{Use: "get TYPE", Aliases: []string{"show"}, Short: "Write a type as a Thing Model", Args: cobra.ExactArgs(1), ValidArgsFunction: first(twinIDs(a, twin.Type)),
		Example: "  castor type thing-model get pump\n  castor type thing-model get pump --file pump.tm.jsonld",
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			text, err := c.ThingModel(ctx, twin.TypeID(args[0]))
			if err != nil {
				return noType(err, args[0])
			}
			if file == "" || file == "-" {
				_, err = cmd.OutOrStdout().Write(text)
				return err
			}
			if err := os.WriteFile(file, text, 0o644); err != nil {
				return err
			}
			done(cmd, "type %s is written to %s", args[0], file)
			return nil
		})}
	c.Flags().StringVarP(&file, "file", "f", "", "file to write (default the standard output)")
	return c
}

func (a *app) thingModelPut() *cobra.Command {
	var owner string
	c := &cobra.Command{Use: "put TYPE FILE", Short: "Make a type what a Thing Model says, or make the type", Args: cobra.ExactArgs(2), ValidArgsFunction: thingModelArgs(a),
		Long: `Make a type what a Thing Model says: its properties, actions (which become commands) and events. What the platform has no use for is
told. A Thing Model without castor:model leaves the rest of the type as it is: how its instances come in, its driver, its
properties' numbers. Where there is no such type it is made.`,
		Example: "  castor type thing-model put lamp lamp.tm.jsonld --owner press\n  castor type thing-model get pump | castor --url https://other.example type thing-model put pump -",
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			text, err := readFile(cmd, args[1])
			if err != nil {
				return err
			}
			out, err := c.PutThingModel(ctx, twin.TypeID(args[0]), 0, owner, text)
			if err != nil {
				return fmt.Errorf("%s: %w", args[1], err)
			}
			if a.output != asTable {
				return printOne(a, cmd.OutOrStdout(), out)
			}
			became := "unchanged"
			if out.Created {
				became = "created"
			} else if out.Changed {
				became = "changed"
			}
			done(cmd, "type %s %s, version %d", out.Type.ID, became, out.Type.Definition.Version)
			if len(out.Ignored) == 0 {
				return nil
			}
			fmt.Fprintln(cmd.OutOrStdout())
			return printAll(a, cmd.OutOrStdout(), out.Ignored, []column[api.IgnoredPart]{
				{"ignored", func(i api.IgnoredPart) string { return i.At }},
				{"why", func(i api.IgnoredPart) string { return i.Why }}})
		})}
	c.Flags().StringVar(&owner, "owner", "", "group that a new type belongs to")
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

// thingModelArgs completes a type, then a file.
func thingModelArgs(a *app) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return twinIDs(a, twin.Type)(cmd, args, begun)
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
}
