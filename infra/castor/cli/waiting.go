package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) waitingCommand() *cobra.Command {
	state := api.WaitingNow
	in := func(state string) fetch[api.Waiting] {
		return func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Waiting], error) {
			p, err := c.ListWaiting(ctx, api.WaitingQuery{State: state, Cursor: cursor})
			return api.Page[api.Waiting]{Items: p.Items, Next: p.Next}, err
		}
	}
	ls := list(a, "List unknown devices that have knocked, those seen last first", `  castor waiting list
  castor waiting list --state banned`, []column[api.Waiting]{
		{"id", func(w api.Waiting) string { return w.ID }},
		{"serial", func(w api.Waiting) string { return w.Serial }},
		{"model", func(w api.Waiting) string { return strings.TrimSpace(w.Maker + " " + w.Model) }},
		{"may be", guessed},
		{"gateway", func(w api.Waiting) string { return w.Gateway }},
		{"address", func(w api.Waiting) string { return w.Address }},
		{"knocks", func(w api.Waiting) string { return fmt.Sprint(w.Count) }},
		{"first", func(w api.Waiting) string { return a.ago(w.First) }},
		{"last", func(w api.Waiting) string { return a.ago(w.Last) }},
		{"state", func(w api.Waiting) string { return w.State }},
		{"by", func(w api.Waiting) string { return w.By }},
		{"reason", func(w api.Waiting) string { return a.short(w.Reason) }},
	}, func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Waiting], error) {
		return in(state)(ctx, c, cursor)
	})
	ls.Flags().StringVar(&state, "state", state, `waiting, admitted or banned; "" = all`)
	check(ls.RegisterFlagCompletionFunc("state", cobra.FixedCompletions([]cobra.Completion{api.WaitingNow, api.WaitingAdmitted, api.WaitingBanned}, cobra.ShellCompDirectiveNoFileComp)))
	id := func(w api.Waiting) string { return w.ID }
	return noun("waiting", "Unknown devices: who has knocked, and waits to be let in", ls,
		get(a, "Show what is known of an unknown device, and of which type it may be", "  castor waiting get 0f2c6a…", ids(a, in(""), id), func(ctx context.Context, c *api.Client, id string) (api.Waiting, error) {
			return c.GetWaiting(ctx, id)
		}, nil), a.admitCommand(ids(a, in(api.WaitingNow), id)),
		a.banCommand("ban", "Refuse waiting devices, by their keys", `  castor waiting ban 0f2c6a… --reason "not ours"
  castor waiting ban --all --serial 'X-*' --reason "a scan"`, true, ids(a, in(api.WaitingNow), id), (*api.Client).BanWaiting),
		a.banCommand("unban", "Have banned devices, and admitted ones that have not come, wait again", "  castor waiting unban 0f2c6a…", false,
			ids(a, in(api.WaitingBanned), id), (*api.Client).UnbanWaiting),
		a.forgetCommand(ids(a, in(""), id)))
}

func (a *app) forgetCommand(complete cobra.CompletionFunc) *cobra.Command {
	c := removeAs(a, "device", "forgotten", "Take devices from the list; those that knock again wait again", "  castor waiting forget 0f2c6a…", complete,
		func(ctx context.Context, c *api.Client, id string) error { return c.ForgetWaiting(ctx, id) })
	c.Use, c.Aliases = "forget ID…", []string{"delete", "rm"}
	return c
}

// guessed is the likeliest type, and how likely.
func guessed(w api.Waiting) string {
	if w.Type != "" {
		return string(w.Type)
	}
	if len(w.Guess) == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%.0f %%)", w.Guess[0].Type, 100*w.Guess[0].Score)
}

// filterFlags are those by which all devices are meant that are alike.
func filterFlags(a *app, c *cobra.Command, all *bool, by *api.WaitingFilter) {
	f := c.Flags()
	f.BoolVar(all, "all", false, "all that wait and that the flags below mean, in place of ids")
	f.StringVar(&by.Model, "model", "", "only those of this model")
	f.StringVar(&by.Maker, "maker", "", "only those of this maker")
	f.StringVar(&by.Gateway, "gateway", "", "only those at this gateway")
	f.StringVar((*string)(&by.Guess), "guess", "", "only those that are likeliest of this type")
	f.StringVar(&by.Serial, "serial", "", "only those whose serial matches, like 'P-*'")
	check(c.RegisterFlagCompletionFunc("guess", twinIDs(a, twin.Type)))
}

func (a *app) admitCommand(complete cobra.CompletionFunc) *cobra.Command {
	in, all, by := api.Admit{Register: true}, false, api.WaitingFilter{}
	var where *whereabouts
	c := &cobra.Command{Use: "admit [ID…]", Short: "Let waiting devices in; they come as soon as they knock again", ValidArgsFunction: complete,
		Example: `  castor waiting admit 0f2c6a… --owner press --type pump
  castor waiting admit --all --guess pump --owner press`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			location, err := where.location()
			if err != nil {
				return err
			}
			return a.decideWaiting(cmd, args, all, by, "admitted", func(ids []string, all *api.WaitingFilter) (api.Decided, error) {
				in := in
				in.IDs, in.All = ids, all
				in.Location = location
				return c.AdmitWaiting(ctx, in)
			})
		})}
	f := c.Flags()
	f.StringVar(&in.Owner, "owner", "", "group that the devices will belong to")
	f.StringVar((*string)(&in.Type), "type", "", "type that they come in as (default each device's likeliest)")
	f.BoolVar(&in.Register, "register", true, "make their identities known")
	f.StringVar(&in.Reason, "reason", "", "why")
	where = locationFlags(c)
	filterFlags(a, c, &all, &by)
	a.outputFlag(c, asTable, asYAML, asJSON)
	check(c.MarkFlagRequired("owner"))
	check(c.RegisterFlagCompletionFunc("owner", groupIDs(a)))
	check(c.RegisterFlagCompletionFunc("type", twinIDs(a, twin.Type)))
	return c
}

func (a *app) banCommand(verb, short, example string, filters bool, complete cobra.CompletionFunc,
	call func(*api.Client, context.Context, api.Ban) (api.Decided, error)) *cobra.Command {
	var reason string
	all, by := false, api.WaitingFilter{}
	use := verb + " ID…"
	if filters {
		use = verb + " [ID…]"
	}
	c := &cobra.Command{Use: use, Short: short, Example: example, ValidArgsFunction: complete,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			return a.decideWaiting(cmd, args, all, by, verb+"ned", func(ids []string, all *api.WaitingFilter) (api.Decided, error) {
				return call(c, ctx, api.Ban{IDs: ids, All: all, Reason: reason})
			})
		})}
	c.Flags().StringVar(&reason, "reason", "", "why")
	if filters {
		filterFlags(a, c, &all, &by)
	}
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

// decideWaiting decides about devices until none is left that was meant.
func (a *app) decideWaiting(cmd *cobra.Command, ids []string, all bool, by api.WaitingFilter, became string,
	decide func(ids []string, all *api.WaitingFilter) (api.Decided, error)) error {
	if (len(ids) == 0) == !all {
		return errors.New("name devices by their ids, or all that are meant by --all")
	}
	var filter *api.WaitingFilter
	if all {
		filter = &by
	}
	var out api.Decided
	for {
		some, err := decide(ids, filter)
		if err != nil {
			return err
		}
		out.Done += some.Done
		out.Faults = append(out.Faults, some.Faults...)
		// Those that could not be decided about still wait, and would be meant again.
		if !some.More || some.Done == 0 {
			out.More = some.More
			break
		}
	}
	if err := printDone(a, cmd, out, "%s %s", count(out.Done, "device"), became); err != nil {
		return err
	}
	for _, f := range out.Faults {
		hint(cmd, "%s: %s", f.ID, f.Reason)
	}
	if len(out.Faults) > 0 {
		return fmt.Errorf("%s could not be %s", count(len(out.Faults), "device"), became)
	}
	return nil
}
