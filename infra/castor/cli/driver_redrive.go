package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) driverRedrive() *cobra.Command {
	var in api.NewRedrive
	var cancel, detach bool
	c := &cobra.Command{Use: "redrive [ID]", Short: "Read parked messages again, once a driver was mended; what can be read becomes history", Args: cobra.MaximumNArgs(1),
		Long: `Read parked messages again: of all types that use a driver, of a type, or of a twin. What can be read becomes history as if it had been at once,
the rest stays parked with the reason.

The platform does it in the background; this command shows how far it is. Ctrl-C ends the command only. With the ID of a redrive it goes on
showing that one, and --cancel ends it.`,
		Example: `  castor driver redrive --driver acme-th1
  castor driver redrive --twin th-7
  castor driver redrive redrive-1f0c --cancel`,
		ValidArgsFunction: first(ids(a, redrives, func(r api.Redrive) string { return r.ID })),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			var r api.Redrive
			given := 0
			for _, s := range []string{in.Driver, string(in.Type), string(in.Twin)} {
				if s != "" {
					given++
				}
			}
			var err error
			switch {
			case len(args)+given != 1:
				return errors.New("say what is to be read again: one of --driver, --type and --twin, or the ID of a redrive that is under way")
			case cancel && len(args) == 0:
				return errors.New("--cancel needs the ID of the redrive")
			case cancel:
				r, err = c.CancelRedrive(ctx, args[0])
			case len(args) == 1:
				r, err = c.GetRedrive(ctx, args[0])
			default:
				r, err = c.Redrive(ctx, in)
			}
			if err == nil && !detach {
				r, err = a.followRedrive(ctx, c, cmd, r)
			}
			if err != nil {
				return err
			}
			if r.State == api.JobFailed {
				return fmt.Errorf("redrive %s failed: %s; %s", r.ID, r.Reason, redriven(r))
			}
			if err := printDone(a, cmd, r, "redrive %s is %s: %s", r.ID, r.State, redriven(r)); err != nil {
				return err
			}
			switch {
			case !r.State.Ended() || a.output != asTable:
			case r.Left > 0:
				hint(cmd, "The last that stays parked: %s", plain(r.Reason))
			case r.Stored+r.Gone == 0:
				hint(cmd, "Nothing is parked of twins that you may change.")
			}
			return nil
		})}
	f := c.Flags()
	f.StringVar(&in.Driver, "driver", "", "of the twins of all types that use this driver")
	f.StringVar((*string)(&in.Type), "type", "", "of the twins of this type")
	f.StringVar((*string)(&in.Twin), "twin", "", "of this twin")
	f.BoolVar(&cancel, "cancel", false, "end the redrive; what it has stored stays stored")
	f.BoolVar(&detach, "detach", false, "do not wait for its end")
	check(c.RegisterFlagCompletionFunc("driver", a.driverNames))
	check(c.RegisterFlagCompletionFunc("type", twinIDs(a, twin.Type)))
	check(c.RegisterFlagCompletionFunc("twin", twinIDs(a, twin.Instance)))
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

func (a *app) driverRedrives() *cobra.Command {
	c := list(a, "List redrives, the newest first", "  castor driver redrives", []column[api.Redrive]{
		{"id", func(r api.Redrive) string { return r.ID }},
		{"of", func(r api.Redrive) string {
			switch {
			case r.Driver != "":
				return "driver " + r.Driver
			case r.Type != "":
				return "type " + string(r.Type)
			}
			return "twin " + string(r.Twin)
		}},
		{"state", func(r api.Redrive) string { return string(r.State) }},
		{"stored", func(r api.Redrive) string { return fmt.Sprint(r.Stored) }},
		{"left", func(r api.Redrive) string { return fmt.Sprint(r.Left) }},
		{"gone", func(r api.Redrive) string { return fmt.Sprint(r.Gone) }},
		{"by", func(r api.Redrive) string { return r.By }},
		{"created", func(r api.Redrive) string { return a.ago(r.Created) }},
		{"reason", func(r api.Redrive) string { return r.Reason }},
	}, redrives)
	c.Use, c.Aliases = "redrives", nil
	return c
}

func redrives(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Redrive], error) {
	return c.ListRedrives(ctx, cursor)
}

// followRedrive waits for a redrive and tells how far it is, where that does not get into a pipe.
func (a *app) followRedrive(ctx context.Context, c *api.Client, cmd *cobra.Command, r api.Redrive) (api.Redrive, error) {
	last := r
	out, err := c.WaitRedrive(ctx, r.ID, func(r api.Redrive) {
		if a.output == asTable && !r.State.Ended() && (r.State != last.State || r.Stored != last.Stored || r.Left != last.Left || r.Gone != last.Gone) {
			hint(cmd, "%s: %s, %s", r.ID, r.State, redriven(r))
		}
		last = r
	})
	if err != nil && ctx.Err() != nil {
		return out, fmt.Errorf("interrupted; redrive %s goes on in the platform. Follow it: castor driver redrive %s; end it: castor driver redrive %s --cancel", r.ID, r.ID, r.ID)
	}
	return out, err
}

func redriven(r api.Redrive) string {
	s := count(r.Stored, "message") + " stored"
	if r.Left > 0 {
		s += fmt.Sprintf(", %d stay parked", r.Left)
	}
	if r.Gone > 0 {
		s += fmt.Sprintf(", %d were gone meanwhile", r.Gone)
	}
	return s
}
