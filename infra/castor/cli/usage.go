package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Usage has a command and all below it end what they say of a mistake in typing (arguments, flags, names of commands) with
// how it is typed right.
func Usage(c *cobra.Command) {
	c.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if given := cmd.Flags().Args(); cmd.HasSubCommands() && len(given) > 0 { // the flag is of a verb there is not
			return unknown(cmd, given[0])
		}
		return usage(cmd, err)
	})
	if !c.HasParent() && !c.Runnable() {
		c.Args, c.RunE = cobra.NoArgs, help
	}
	if args := c.Args; args != nil {
		c.Args = func(cmd *cobra.Command, given []string) error {
			err := args(cmd, given)
			switch {
			case err == nil:
				return nil
			case cmd.HasSubCommands():
				return unknown(cmd, given[0])
			case args(cmd, nil) == nil && strings.HasPrefix(err.Error(), "unknown command"): // cobra.NoArgs
				err = fmt.Errorf("%q is too much: %s takes no arguments%s", given[0], cmd.CommandPath(), named(cmd, given[0]))
			}
			return usage(cmd, err)
		}
	}
	was := c.PreRunE
	c.PreRunE = func(cmd *cobra.Command, given []string) error {
		if err := cmd.ValidateRequiredFlags(); err != nil {
			return usage(cmd, err)
		}
		if was != nil {
			return was(cmd, given)
		}
		return nil
	}
	for _, sub := range c.Commands() {
		Usage(sub)
	}
}

// named tells by which flag a command takes the twin that was given as an argument; "" = by none.
func named(cmd *cobra.Command, given string) string {
	for _, flag := range []string{"twin", "via"} {
		if cmd.Flags().Lookup(flag) != nil {
			return fmt.Sprintf("; name the twin by --%s %s", flag, given)
		}
	}
	return ""
}

func help(c *cobra.Command, _ []string) error { return c.Help() }

// usage is err with how the command is typed right.
func usage(cmd *cobra.Command, err error) error {
	return fmt.Errorf("%w; usage: %s; see: %s --help", err, cmd.UseLine(), cmd.CommandPath())
}

// unknown tells that a command has no such verb, and which are like it.
func unknown(cmd *cobra.Command, verb string) error {
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	meant := ""
	if like := cmd.SuggestionsFor(verb); len(like) > 0 {
		meant = fmt.Sprintf("; did you mean: %s %s", cmd.CommandPath(), strings.Join(like, ", "))
	}
	return fmt.Errorf("%s has no command %q%s; see: %s --help", cmd.CommandPath(), verb, meant, cmd.CommandPath())
}
