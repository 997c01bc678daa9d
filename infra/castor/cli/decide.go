package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

// boardCommand shows how many open runs are in which state.
func (a *app) boardCommand() *cobra.Command {
	c := &cobra.Command{Use: "board", Short: "Count open runs by state, and those that wait for people", Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  castor run board",
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, _ []string) error {
			b, err := c.RunBoard(ctx)
			if err != nil {
				return err
			}
			if b.More {
				hint(cmd, "There are more open runs than were counted.")
			}
			return printAll(a, cmd.OutOrStdout(), b.Items, []column[api.BoardState]{
				{"model", func(s api.BoardState) string { return fmt.Sprintf("%s, version %d", s.Model, s.Version) }},
				{"type", func(s api.BoardState) string { return string(s.Type) }},
				{"state", func(s api.BoardState) string { return s.State }},
				{"title", func(s api.BoardState) string { return s.Title }},
				{"runs", func(s api.BoardState) string { return fmt.Sprint(s.Count) }},
				{"wait for people", func(s api.BoardState) string { return fmt.Sprint(s.WaitingForPeople) }},
			})
		})}
	a.outputFlag(c, asTable, asJSON, asYAML, asCSV)
	return c
}

// decideCommand makes the verb by which people decide about what a run asks.
func (a *app) decideCommand(verb string, t provision.Trigger, short, example string) *cobra.Command {
	in := api.Decide{Trigger: t}
	asked := func(ctx context.Context, c *api.Client, cursor string) (api.Page[provision.Run], error) {
		return c.ListRuns(ctx, api.RunQuery{Awaits: "people", Cursor: cursor})
	}
	c := &cobra.Command{Use: verb + " RUN", Short: short, Example: example, Args: cobra.ExactArgs(1),
		ValidArgsFunction: first(ids(a, asked, func(r provision.Run) string { return r.ID })),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			// What the run asks now is decided about, and nothing that it asks a moment later.
			r, err := c.GetRun(ctx, args[0])
			if err != nil {
				return err
			}
			in := in
			if in.State = r.State; r.Asks != nil {
				in.State = r.Asks.State
			}
			if in.Serial != "" && (r.Asks == nil || r.Asks.Input != "serial") {
				return fmt.Errorf("--serial: run %s does not ask for it now, it is %s; leave it out", r.ID, whereOf(&r))
			}
			if in.MAC != "" && (r.Asks == nil || r.Asks.Input != "mac") {
				return fmt.Errorf("--mac: run %s does not ask for it now, it is %s; leave it out", r.ID, whereOf(&r))
			}
			if r, err = c.DecideRun(ctx, args[0], in); err != nil {
				return err
			}
			return printDone(a, cmd, r, "run %s %s; %s", r.ID, t, nextStep(&r))
		})}
	c.Flags().StringVar(&in.Reason, "reason", "", "why, for the run's log")
	if t != provision.Declined {
		c.Flags().StringVar(&in.Serial, "serial", "", "the device's serial, where the step asks for it")
		c.Flags().StringVar(&in.MAC, "mac", "", "the device's MAC address, where the step asks for it")
	}
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

func (a *app) decideCommands() []*cobra.Command {
	return []*cobra.Command{a.boardCommand(),
		a.decideCommand("approve", provision.Approved, "Let the device of a run in that waits for your approval", `  castor run approve run-1f0c --reason "ordered in May"`),
		a.decideCommand("decline", provision.Declined, "Refuse the device of a run that waits for your approval", `  castor run decline run-1f0c --reason "not ours"`),
		a.decideCommand("confirm", provision.Confirmed, "Confirm that you have done what a run asks", "  castor run confirm run-1f0c\n  castor run confirm run-1f0c --serial P-7"),
		a.startCommand(), a.bundleCommand()}
}

// startCommand begins a run for a device that cannot ask.
func (a *app) startCommand() *cobra.Command {
	var in api.NewRun
	var key, region, site string
	c := &cobra.Command{Use: "start TYPE", Short: "Bring in a device that cannot ask: you are led through the steps", Args: cobra.ExactArgs(1), ValidArgsFunction: first(twinIDs(a, twin.Type)),
		Long: `Bring in a device that cannot ask. Its secret is made by the platform and sealed to a key that is made here and stays in the key file; castor run bundle
opens it.`,
		Example: `  castor run start pump --owner press --serial P-7 --key p-7.key
  castor run confirm run-1f0c
  castor run bundle run-1f0c --key p-7.key

  # firmware with topics of its own, like Tasmota's: its type's driver has them
  castor run start plug --owner press --serial tasmota_A1B2C3 --username plug-7 --key plug-7.key
  castor run start zigbee --owner press --serial HUB-1 --bridge --key hub.key`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			in, made := in, false
			in.Type = twin.TypeID(args[0])
			if region != "" || site != "" {
				in.Location = &twin.Location{Region: region, Site: site}
			}
			if key != "" {
				public, isNew, err := keyFile(key)
				if err != nil {
					return err
				}
				in.PublicKey, made = public, isNew
			}
			r, err := c.StartRun(ctx, in)
			if made && refused(err) {
				err = errors.Join(err, os.Remove(key)) // nothing will be sealed to it
			}
			if err != nil {
				return err
			}
			if err := printDone(a, cmd, r, "run %s begun; %s", r.ID, nextStep(&r)); err != nil {
				return err
			}
			for _, why := range a.unreadType(ctx, c, in.Type) {
				hint(cmd, "%s", why)
			}
			return nil
		})}
	f := c.Flags()
	f.StringVar(&in.Owner, "owner", "", "group that the device will belong to")
	f.StringVar(&in.Serial, "serial", "", "the device's serial, if you know it already")
	f.StringVar(&in.MAC, "mac", "", "its MAC address")
	f.StringVar(&in.Model, "model", "", "its model, as its maker calls it")
	f.StringVar(&in.Kind, "kind", "", "what it will prove itself with: token (the default), password or api-key; a certificate needs a device that asks itself")
	f.StringVar(&in.Protocol, "protocol", "", "what it speaks: mqtt (the default), grpc or http")
	f.StringVar(&in.Username, "username", "", "what it will log in with, of kind password; its reference where left out")
	f.StringVar(&in.Name, "name", "", "what topics of its own firmware call it; its serial where left out")
	f.BoolVar(&in.Bridge, "bridge", false, "in topics of its own it speaks for devices of any name")
	f.StringVar(&in.Reason, "reason", "", "why, for the run's log")
	f.StringVar(&key, "key", "", "file of the key that its secret is sealed to; it is made if it is not there")
	f.StringVar(&region, "region", "", "region the device is in, by which its gateway is chosen")
	f.StringVar(&site, "site", "", "where it is, for people")
	a.outputFlag(c, asTable, asYAML, asJSON)
	check(c.MarkFlagRequired("owner"))
	check(c.RegisterFlagCompletionFunc("owner", groupIDs(a)))
	check(c.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]cobra.Completion{"token", "password", "api-key"}, cobra.ShellCompDirectiveNoFileComp)))
	check(c.RegisterFlagCompletionFunc("protocol", cobra.FixedCompletions([]cobra.Completion{"mqtt", "grpc", "http"}, cobra.ShellCompDirectiveNoFileComp)))
	return c
}

// keyFile is the public key of a key file, which is made if it is not there.
func keyFile(name string) (public string, made bool, err error) {
	if private, err := readKey(name); err == nil {
		public, err = seal.PublicOf(private)
		return public, false, err
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", false, err
	}
	public, private, err := seal.NewKey()
	if err != nil {
		return "", false, err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", false, err
	}
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(private) + "\n")
	return public, true, errors.Join(err, f.Sync(), f.Close())
}

// refused tells whether the platform has said no. Another error may be of an answer that was lost, to a call that was heard.
func refused(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && p.CallID != "" && p.Status >= 400 && p.Status < 500
}

func readKey(name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	private, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, fmt.Errorf("%s is no key file of castor run start", name)
	}
	return private, nil
}

// bundleCommand shows what a device needs to go operational, with its secret opened.
func (a *app) bundleCommand() *cobra.Command {
	var key string
	var wait time.Duration
	c := &cobra.Command{Use: "bundle RUN", Short: "Show what the device of a run that you began needs, with its secret", Args: cobra.ExactArgs(1),
		Long: `Show what the device of a run that you began needs, with its secret. While the platform is still at it, as just after castor run confirm, the command
waits. It does not for what somebody has to do first.`,
		Example: "  castor run bundle run-1f0c --key p-7.key > p-7.json",
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			private, err := readKey(key)
			if err != nil {
				return err
			}
			b, err := awaitBundle(ctx, c, args[0], wait)
			if err != nil {
				return err
			}
			out := struct {
				api.Bundle
				Secret *api.Secret `json:"secret,omitempty"`
			}{Bundle: b}
			if b.Sealed != "" {
				plain, err := seal.Open(private, api.SealInfo(b.Ref), b.Sealed)
				if err != nil {
					return err
				}
				out.Bundle.Sealed, out.Secret = "", new(api.Secret)
				if err := json.Unmarshal(plain, out.Secret); err != nil {
					return err
				}
			}
			text, err := json.MarshalIndent(out, "", "  ")
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
			return err
		})}
	c.Flags().StringVar(&key, "key", "", "the key file that castor run start made")
	c.Flags().DurationVar(&wait, "wait", 30*time.Second, "how long to wait for the platform to make it; 0 = not")
	check(c.MarkFlagRequired("key"))
	return c
}

// awaitBundle asks for a run's bundle until it is there, as long as nothing but the platform's own work keeps it.
func awaitBundle(ctx context.Context, c *api.Client, run string, wait time.Duration) (api.Bundle, error) {
	if wait < 0 {
		return api.Bundle{}, errors.New("--wait must be a duration like 30s, or 0 not to wait")
	}
	until := time.Now().Add(wait)
	for wait := 100 * time.Millisecond; ; wait = min(wait*3/2, time.Second) {
		b, err := c.RunBundle(ctx, run)
		left := time.Until(until)
		if !errors.Is(err, api.ErrConflict) || left <= 0 {
			return b, err
		}
		r, unread := c.GetRun(ctx, run)
		switch {
		case unread != nil:
			return b, err
		case !underWay(&r) && !r.Results.Delivered:
			return b, fmt.Errorf("run %s has no bundle: %s", r.ID, nextStep(&r))
		case !underWay(&r): // it came meanwhile, or was there and is erased
			return c.RunBundle(ctx, run)
		}
		if !pause.For(ctx, min(wait, left)) {
			return b, ctx.Err()
		}
	}
}

// underWay tells whether a run whose bundle is not there yet gets to it by the platform's own work.
func underWay(r *provision.Run) bool {
	if r.Outcome != "" || r.Withdrawing || r.Asks != nil || r.Results.Delivered {
		return false
	}
	s, _ := r.Model.State(r.State)
	return !r.Waiting || slices.Contains(s.Awaits(), provision.GatewayReady)
}

// replaceCommand lets another device take over a twin.
func (a *app) replaceCommand() *cobra.Command {
	var in api.Replacement
	c := &cobra.Command{Use: "replace TWIN", Short: "Let a new device take over a twin: history and configuration stay, the old device is refused", Args: cobra.ExactArgs(1),
		Example: `  castor twin replace pump-7 --serial P-9 --reason "struck by lightning"`, ValidArgsFunction: first(twinIDs(a, twin.Instance)),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			in := in
			in.Twin = twin.ID(args[0])
			r, err := c.ReplaceDevice(ctx, in)
			if err != nil {
				return err
			}
			return printDone(a, cmd, r, "twin %s waits for the device with serial %s; let that one in by a claim, like any other", in.Twin, in.Serial)
		})}
	f := c.Flags()
	f.StringVar(&in.Serial, "serial", "", "serial of the new device")
	f.StringVar(&in.MAC, "mac", "", "its MAC address")
	f.StringVar(&in.Model, "model", "", "its model, as its maker calls it")
	f.StringVar(&in.Maker, "maker", "", "its maker")
	f.StringVar(&in.Reason, "reason", "", "why, for the log")
	a.outputFlag(c, asTable, asYAML, asJSON)
	check(c.MarkFlagRequired("serial"))
	check(c.MarkFlagRequired("reason"))
	return c
}
