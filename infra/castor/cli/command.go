package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) commandCommand() *cobra.Command {
	var q api.CommandQuery
	columns := []column[api.Command]{
		{"id", func(x api.Command) string { return x.ID }},
		{"twin", func(x api.Command) string { return string(x.Twin) }},
		{"command", func(x api.Command) string { return x.Name }},
		{"state", stateOf},
		{"asked", func(x api.Command) string { return a.ago(x.Created) }},
		{"by", func(x api.Command) string { return x.By }},
		{"ended", func(x api.Command) string { return a.ago(x.Ended) }},
		{"reason", func(x api.Command) string { return x.Reason }},
	}
	ls := list(a, "List the commands of a twin, newest first", `  castor command list --twin pump-7
  castor command list --twin pump-7 --state open
  castor command list                              of all twins, for maintainers`, columns,
		func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Command], error) {
			q := q
			q.Cursor = cursor
			return c.ListCommands(ctx, q)
		})
	ls.Flags().StringVar((*string)(&q.Twin), "twin", "", "the twin; only maintainers may leave it out")
	ls.Flags().StringVar(&q.State, "state", "", `open, queued, delivering, sent, succeeded, failed, timedOut, unknown, cancelled; "" = all`)
	check(ls.RegisterFlagCompletionFunc("twin", twinIDs(a, twin.Instance)))
	check(ls.RegisterFlagCompletionFunc("state", cobra.FixedCompletions([]cobra.Completion{"open", "queued", "delivering", "sent", "succeeded", "failed",
		"timedOut", "unknown", "cancelled"}, cobra.ShellCompDirectiveNoFileComp)))
	complete := ids(a, func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Command], error) {
		return c.ListCommands(ctx, api.CommandQuery{Cursor: cursor})
	}, func(x api.Command) string { return x.ID })
	return noun("command", "Commands: what devices are told to do, and what became of it", a.sendCommand(), ls,
		get(a, "Show a command and what became of it", "  castor command get cmd-5c1f6a3e90b2d748", complete,
			func(ctx context.Context, c *api.Client, id string) (api.Command, error) { return c.GetCommand(ctx, id) }, a.describeCommand),
		a.cancelCommand(complete))
}

// stateOf is the state for people.
func stateOf(x api.Command) string {
	if x.Late {
		return string(x.State) + ", late"
	}
	return string(x.State)
}

// errNotDone is what sending ends with if the device did not do it.
var errNotDone = errors.New("the device has not done it")

func (a *app) sendCommand() *cobra.Command {
	var in api.NewCommand
	var input string
	var wait bool
	c := &cobra.Command{
		Use: "send TWIN NAME", Short: "Tell a device to do something", Args: cobra.ExactArgs(2), ValidArgsFunction: first(twinIDs(a, twin.Instance)),
		Example: `  castor command send host-1 ping --wait
  castor command send pump-7 open --input '{"percent": 40}' --timeout 1h
  castor command send pump-7 open --input @valve.json --repeatable
  castor command send pump-7 calibrate --key calibration-2026-03 --wait -o json`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) (err error) {
			in.Twin, in.Name = twin.ID(args[0]), args[1]
			if in.Input, err = inputOf(cmd, input); err != nil {
				return err
			}
			x, err := c.SendCommand(ctx, in)
			if err != nil {
				return err
			}
			if !wait {
				return printDone(a, cmd, x, "command %s is %s; see: castor command get %s", x.ID, x.State, x.ID)
			}
			if x, err = a.await(ctx, c, x); err != nil {
				return err
			}
			if a.output == asTable {
				err = a.describeCommand(ctx, c, cmd.OutOrStdout(), x)
			} else {
				err = printOne(a, cmd.OutOrStdout(), x)
			}
			if err == nil && x.State != api.CommandSucceeded {
				err = fmt.Errorf("%w: command %s %s", errNotDone, x.ID, stateOf(x))
				if x.Reason != "" {
					err = fmt.Errorf("%w: %s", err, x.Reason)
				}
			}
			return err
		}),
	}
	f := c.Flags()
	f.StringVar(&input, "input", "", "JSON for the device, @FILE to read it from a file, @- from the standard input")
	durationVar(f, &in.Timeout, "timeout", "how long the device may take to be there and to answer, 1s to 30d (default 1m)")
	f.BoolVar(&in.Repeatable, "repeatable", false, "deliver it again where it is not known whether it arrived")
	f.StringVar(&in.Key, "key", "", "a name of yours: sending again with the same key sends nothing new")
	f.BoolVar(&wait, "wait", false, "wait until it is over; fails if the device has not done it")
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

// inputOf reads what --input names.
func inputOf(cmd *cobra.Command, s string) (json.RawMessage, error) {
	b := []byte(s)
	if len(s) > 1 && s[0] == '@' {
		var err error
		if b, err = readFile(cmd, s[1:]); err != nil {
			return nil, err
		}
	}
	if len(b) == 0 {
		return nil, nil
	}
	if !json.Valid(b) {
		return nil, fmt.Errorf("--input %.60q must be JSON: %s", s, likeJSON)
	}
	return b, nil
}

// await asks until the command is over, more and more seldom.
func (a *app) await(ctx context.Context, c *api.Client, x api.Command) (api.Command, error) {
	for wait := 100 * time.Millisecond; !x.State.Ended(); wait = min(wait*3/2, 5*time.Second) {
		if !pause.For(ctx, wait) {
			return x, ctx.Err()
		}
		var err error
		if x, err = c.GetCommand(ctx, x.ID); err != nil {
			return x, err
		}
	}
	return x, nil
}

func (a *app) cancelCommand(complete cobra.CompletionFunc) *cobra.Command {
	c := &cobra.Command{Use: "cancel ID…", Short: "End commands; one that the device may have already ends as unknown", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete,
		Example: `  castor command cancel cmd-5c1f6a3e90b2d748`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			out := outcomes{a: a, cmd: cmd}
			for _, id := range args {
				x, err := c.CancelCommand(ctx, id)
				if err != nil {
					return out.end(err)
				}
				out.add("command", x.ID, string(x.State))
			}
			return out.end(nil)
		})}
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

// describeCommand is a command for people.
func (a *app) describeCommand(_ context.Context, _ *api.Client, w io.Writer, x api.Command) error {
	repeatable := "no"
	if x.Repeatable {
		repeatable = "yes"
	}
	return printFacts(w, []fact{{"id", x.ID}, {"twin", string(x.Twin)}, {"command", x.Name}, {"input", string(x.Input)}, {"key", x.Key}, {"state", stateOf(x)},
		{"reason", x.Reason}, {"output", string(x.Output)}, {"asked", a.ago(x.Created) + " by " + x.By}, {"timeout", x.Timeout.String()}, {"repeatable", repeatable},
		{"attempts", fmt.Sprint(x.Attempts)}, {"sent", a.ago(x.Sent)}, {"answered", a.ago(x.Answered)}, {"ended", a.ago(x.Ended)}})
}
