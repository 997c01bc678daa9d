package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver/layout"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func listDrivers(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Driver], error) {
	return c.ListDrivers(ctx, cursor)
}

// driverNames completes a driver's name, and then, where there is a second argument, one of its versions.
func (a *app) driverNames(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch {
	case len(args) == 0:
		return ids(a, listDrivers, func(d api.Driver) string { return d.Name })(cmd, args, begun)
	case len(args) == 1 && strings.Contains(cmd.Use, "VERSION"):
		return ids(a, func(ctx context.Context, c *api.Client, _ string) (api.Page[api.DriverVersion], error) {
			d, err := c.GetDriver(ctx, args[0])
			return api.Page[api.DriverVersion]{Items: d.Versions}, err
		}, func(v api.DriverVersion) string { return v.Version })(cmd, args, begun)
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) driverList() *cobra.Command {
	c := list(a, "List the drivers you may use", "  castor driver list\n  castor driver list -o json", []column[api.Driver]{
		{"name", func(d api.Driver) string { return d.Name }},
		{"title", func(d api.Driver) string { return a.short(d.Title) }},
		{"owner", func(d api.Driver) string { return ownerOf(d.Owner) }},
		{"used", inUse},
		{"versions", func(d api.Driver) string { return fmt.Sprint(len(d.Versions)) }},
		{"signed", func(d api.Driver) string { return yes(d.Key != "") }},
		{"changed", func(d api.Driver) string { return a.ago(d.Updated) }},
	}, listDrivers)
	return c
}

func ownerOf(group string) string {
	if group == "" {
		return "the platform"
	}
	return group
}

// inUse is which versions of a driver devices use, or would.
func inUse(d api.Driver) string {
	var used []string
	for _, v := range d.Versions {
		if v.State != api.DriverDraft && v.State != api.DriverWithdrawn {
			used = append(used, v.Version+" "+driverState(v))
		}
	}
	if len(used) == 0 {
		return "none"
	}
	return strings.Join(used, ", ")
}

// driverState is the state with what belongs to it.
func driverState(v api.DriverVersion) string {
	switch {
	case v.State == api.DriverQuarantined && v.Was == api.DriverCanary:
		return "quarantined, its trial is over"
	case v.State != api.DriverCanary:
		return string(v.State)
	}
	var who []string
	n := len(v.Canary.Twins)
	if v.Canary.Percent > 0 || n == 0 {
		who = append(who, fmt.Sprintf("%d%%", v.Canary.Percent))
	}
	if n > 0 {
		who = append(who, count(n, "twin"))
	}
	return fmt.Sprintf("%s for %s", v.State, strings.Join(who, " and "))
}

func (a *app) driverGet() *cobra.Command {
	var to string
	var force bool
	c := &cobra.Command{Use: "get NAME [VERSION]", Aliases: []string{"show"}, Short: "Show a driver and its versions, or one version; with --to, have it as a folder", Args: cobra.RangeArgs(1, 2),
		Example: `  castor driver get acme-th1
  castor driver get acme-th1 1.2.0
  castor driver get tasmota --to tasmota`, ValidArgsFunction: a.driverNames,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			d, err := c.GetDriver(ctx, args[0])
			if err != nil {
				return err
			}
			v, err := versionOf(d, args[1:])
			if err != nil {
				return err
			}
			if to != "" {
				return a.driverFolder(ctx, c, cmd, v, to, force)
			}
			out := cmd.OutOrStdout()
			switch {
			case a.output != asTable && len(args) == 2:
				return printOne(a, out, v)
			case a.output != asTable:
				return printOne(a, out, d)
			case len(args) == 2:
				return printFacts(out, a.versionFacts(v))
			}
			if err := printFacts(out, []fact{{"name", d.Name}, {"title", d.Title}, {"owner", ownerOf(d.Owner)}, {"signed by", d.Key}, {"created", a.ago(d.Created)}}); err != nil {
				return err
			}
			fmt.Fprintln(out)
			columns := []column[api.DriverVersion]{
				{"version", func(v api.DriverVersion) string { return v.Version }},
				{"state", driverState},
				{"kind", func(v api.DriverVersion) string { return string(v.Kind) }},
				{"firmware", func(v api.DriverVersion) string { return v.Firmware }},
				{"tests", func(v api.DriverVersion) string { return nonzero(v.Tests) }},
				{"failures", func(v api.DriverVersion) string { return fmt.Sprint(v.Failures) }},
				{"published", func(v api.DriverVersion) string { return a.ago(v.Published) }},
				{"by", func(v api.DriverVersion) string { return v.By }},
			}
			for _, c := range []column[api.DriverVersion]{{"reason", reasonOf}, {"last failure", lastFailure}} {
				if slices.ContainsFunc(d.Versions, func(v api.DriverVersion) bool { return c.of(v) != "" }) {
					columns = append(columns, c)
				}
			}
			return printAll(a, out, d.Versions, columns)
		})}
	c.Flags().StringVar(&to, "to", "", "write driver.yaml and the code into this folder, as castor driver publish reads them")
	c.Flags().BoolVar(&force, "force", false, "replace files that are there")
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

// versionOf is the version that is named; else the newest that devices use, or the newest.
func versionOf(d api.Driver, named []string) (v api.DriverVersion, err error) {
	for _, v := range d.Versions {
		if len(named) == 1 && v.Version == named[0] || len(named) == 0 && v.State == api.DriverActive {
			return v, nil
		}
	}
	if len(named) == 0 && len(d.Versions) > 0 {
		return d.Versions[0], nil
	}
	var there []string
	for _, v := range d.Versions {
		there = append(there, v.Version)
	}
	return v, fmt.Errorf("driver %s has no version %.40q; it has %s", d.Name, strings.Join(named, ""), strings.Join(there, ", "))
}

// lastFailure is how a version failed last that is in use all the same; "" = it did not, or it has a reason to be what it is.
func lastFailure(v api.DriverVersion) string {
	if (v.State == api.DriverActive || v.State == api.DriverCanary) && len(v.Blocked) == 0 {
		return v.Reason
	}
	return ""
}

// reasonOf is why a version is in quarantine or withdrawn, or its twins are blocked.
func reasonOf(v api.DriverVersion) string {
	if lastFailure(v) != "" {
		return ""
	}
	return v.Reason
}

func (a *app) versionFacts(v api.DriverVersion) []fact {
	facts := []fact{{"driver", v.Name}, {"version", v.Version}, {"state", driverState(v)}, {"since", a.ago(v.Changed)}, {"kind", string(v.Kind)}, {"title", v.Title}, {"maker", v.Maker},
		{"license", v.License}, {"firmware", v.Firmware}, {"port of commands", nonzero(v.Port)}, {"note", v.Note}, {"code", quantity(float64(v.Size), "By") + ", SHA-256 " + v.Digest}, {"signed", yes(v.Signed)},
		{"tests", testsPassed(v)}, {"topics", strings.Join(v.Topics, ", ")}, {"canary twins", join(v.Canary.Twins)}, {"published", a.ago(v.Published) + " by " + v.By}}
	if v.Failures > 0 {
		facts = append(facts, fact{"failures", fmt.Sprintf("%d in the last 10 minutes", v.Failures)})
	}
	switch {
	case v.State == api.DriverQuarantined && v.Was == api.DriverCanary:
		facts = append(facts, fact{"its devices", "are read as the others are"})
	case v.State == api.DriverQuarantined:
		facts = append(facts, fact{"its devices", "are not read: what they send is parked"})
	}
	return append(facts, fact{"reason", reasonOf(v)}, fact{"last failure", lastFailure(v)}, fact{"blocked twins", join(v.Blocked)})
}

// testsPassed says how many tests a version passed when it was published; "" = it has none, as the documents that come with the platform.
func testsPassed(v api.DriverVersion) string {
	if v.Tests == 0 {
		return ""
	}
	return count(v.Tests, "test") + " passed"
}

func (a *app) driverFolder(ctx context.Context, c *api.Client, cmd *cobra.Command, v api.DriverVersion, to string, force bool) error {
	d, err := c.GetDriverVersion(ctx, v.Name, v.Version)
	if err != nil {
		return err
	}
	files, err := layout.Write(to, &d, force)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w; --force replaces it", err)
	}
	if err != nil {
		return err
	}
	if a.output != asTable {
		return printOne(a, cmd.OutOrStdout(), files)
	}
	for _, f := range files {
		done(cmd, "%s", f)
	}
	return nil
}

// driverChange makes a verb that changes the state of a version.
func (a *app) driverChange(use, short, example string, args cobra.PositionalArgs,
	change func(ctx context.Context, c *api.Client, args []string) (api.DriverVersion, error)) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Example: example, Args: args, ValidArgsFunction: a.driverNames,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			v, err := change(ctx, c, args)
			if errors.Is(err, api.ErrNotFound) && len(args) > 1 {
				if d, there := c.GetDriver(ctx, args[0]); there != nil {
					err = there
				} else if _, gone := versionOf(d, args[1:2]); gone != nil {
					err = gone
				}
			}
			if err != nil {
				return err
			}
			return printDone(a, cmd, v, "driver %s %s is %s%s", v.Name, v.Version, driverState(v), a.afterwards(ctx, c, v))
		})}
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

// afterwards says what reads the devices of a version that was withdrawn.
func (a *app) afterwards(ctx context.Context, c *api.Client, v api.DriverVersion) string {
	if v.State != api.DriverWithdrawn || a.output != asTable {
		return ""
	}
	d, err := c.GetDriver(ctx, v.Name)
	if err != nil {
		return ""
	}
	has := func(s api.DriverState) bool {
		return slices.ContainsFunc(d.Versions, func(v api.DriverVersion) bool { return v.State == s })
	}
	switch {
	case has(api.DriverActive):
		return "; devices use the next older version that is for them"
	case has(api.DriverCanary):
		return "; no version is active: messages of devices that use no canary are parked until one is promoted: castor driver promote " + v.Name + " VERSION"
	}
	return "; no other is active: messages of its devices are parked until one is promoted: castor driver promote " + v.Name + " VERSION"
}

func (a *app) driverCanary() *cobra.Command {
	var twins []string
	c := a.driverChange("canary NAME VERSION [SHARE]", "Have some devices use a version: a share of them, always the same ones, or twins by name",
		"  castor driver canary acme-th1 1.3.0 5%\n  castor driver canary acme-th1 1.3.0 --twin th-1,th-2", cobra.RangeArgs(2, 3),
		func(ctx context.Context, c *api.Client, args []string) (v api.DriverVersion, err error) {
			var in api.Canary
			if len(args) == 3 {
				if in.Percent, err = percent(args[2]); err != nil {
					return v, err
				}
				if in.Percent == 0 && len(twins) == 0 {
					return v, fmt.Errorf("0%% is no device: give a share like 5%%, or --twin; to end a trial: castor driver withdraw %s %s", args[0], args[1])
				}
			} else if len(twins) == 0 {
				return v, errors.New("say which devices: a share like 5%, or --twin")
			}
			for _, id := range twins {
				in.Twins = append(in.Twins, twin.ID(id))
			}
			return c.CanaryDriver(ctx, args[0], args[1], in)
		})
	c.Flags().StringSliceVar(&twins, "twin", nil, "these, beside the share; may be repeated")
	check(c.RegisterFlagCompletionFunc("twin", twinIDs(a, twin.Instance)))
	return c
}

func (a *app) driverPromote() *cobra.Command {
	return a.driverChange("promote NAME VERSION", "Have all devices use a version whose firmware is in its range, also one that was withdrawn or in quarantine", "  castor driver promote acme-th1 1.3.0",
		cobra.ExactArgs(2), func(ctx context.Context, c *api.Client, args []string) (api.DriverVersion, error) {
			return c.PromoteDriver(ctx, args[0], args[1])
		})
}

func (a *app) driverWithdraw() *cobra.Command {
	var reason string
	c := a.driverChange("withdraw NAME VERSION", "Take a version away from its devices; they use the next older one that is for them", `  castor driver withdraw acme-th1 1.3.0 --reason "wrong sign below zero"`,
		cobra.ExactArgs(2), func(ctx context.Context, c *api.Client, args []string) (api.DriverVersion, error) {
			return c.WithdrawDriver(ctx, args[0], args[1], reason)
		})
	c.Flags().StringVar(&reason, "reason", "", "why; it is shown with the version")
	return c
}

func (a *app) driverRollback() *cobra.Command {
	var reason string
	c := a.driverChange("rollback NAME", "Withdraw the newest version that devices use", `  castor driver rollback acme-th1 --reason "wrong sign below zero"`,
		cobra.ExactArgs(1), func(ctx context.Context, c *api.Client, args []string) (api.DriverVersion, error) {
			return c.WithdrawDriver(ctx, args[0], "", reason)
		})
	c.Flags().StringVar(&reason, "reason", "", "why; it is shown with the version")
	return c
}

func (a *app) driverDelete() *cobra.Command {
	c := &cobra.Command{Use: "delete NAME VERSION", Aliases: []string{"rm"}, Short: "Delete a version that nobody uses; the last one takes the driver with it", Args: cobra.ExactArgs(2),
		Example: "  castor driver delete acme-th1 1.3.0-rc.1", ValidArgsFunction: a.driverNames,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			out := outcomes{a: a, cmd: cmd}
			err := c.DeleteDriverVersion(ctx, args[0], args[1])
			if err == nil {
				out.add("driver", args[0]+" "+args[1], "deleted")
			}
			return out.end(err)
		})}
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}
