package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// An outcome is what became of one thing that a command changed.
type outcome struct {
	Kind    string `json:"kind"` // twin, rule …
	ID      string `json:"id"`
	Outcome string `json:"outcome"` // created, changed, deleted …
}

// outcomes prints what became of things: for people each at once, for programs one list at the end.
type outcomes struct {
	a   *app
	cmd *cobra.Command
	all []outcome
}

func (o *outcomes) add(kind, id, became string) {
	if o.a.output == asTable {
		done(o.cmd, "%s %s %s", kind, id, became)
	}
	o.all = append(o.all, outcome{kind, id, became})
}

// end prints what is to be printed, also where err ended the command half-way; it returns err.
func (o *outcomes) end(err error) error {
	if o.a.output == asTable || err != nil && len(o.all) == 0 {
		return err
	}
	return errors.Join(err, printAll(o.a, o.cmd.OutOrStdout(), o.all, nil))
}

// count is a number of things in words: "1 device", "2 devices".
func count[N ~int | ~int64](n N, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// fileFlag lets a command take a file by -f or as its only argument.
func fileFlag(c *cobra.Command, file *string, usage string) {
	c.Flags().StringVarP(file, "file", "f", "", usage)
	c.Args = cobra.MaximumNArgs(1)
	was := c.PreRunE
	c.PreRunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 1 && *file != "":
			return errors.New("name the file once: with -f or without")
		case len(args) == 1:
			*file = args[0]
		case *file == "":
			return fmt.Errorf("the file is missing: %s FILE, - for the standard input", cmd.CommandPath())
		}
		if was != nil {
			return was(cmd, args)
		}
		return nil
	}
}
