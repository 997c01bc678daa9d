package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/declarative"
	"github.com/castor-iot/castor/shared/driver/layout"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/spf13/cobra"
)

func (a *app) driverCommand() *cobra.Command {
	return noun("driver", "Payload drivers: what makes data of a device's bytes, and bytes of commands",
		driverTest(), driverRun(), driverBench(), driverNew(), a.driverPublish(), a.driverList(), a.driverGet(), a.driverCanary(), a.driverPromote(), a.driverWithdraw(),
		a.driverRollback(), a.driverDelete(), a.driverParked(), a.driverRedrive(), a.driverRedrives(), a.driverKey())
}

// workers makes the pool in which the commands run drivers: on this machine, as the platform does.
func workers(limit time.Duration) (*sandbox.Pool, error) {
	return sandbox.New(sandbox.Config{Limit: limit, Log: slog.New(slog.DiscardHandler)})
}

// A tally counts the tests of one vendor, or of all.
type tally struct{ passed, failed int }

func (t tally) String() string { return fmt.Sprintf("%d passed, %d failed", t.passed, t.failed) }

// folderOf is the folder that a command is about: DIR, or here.
func folderOf(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

func driverTest() *cobra.Command {
	var form string
	var limit time.Duration
	var all bool
	c := &cobra.Command{Use: "test [DIR]", Short: "Run the tests of drivers on this machine, as the platform does at upload", Args: cobra.MaximumNArgs(1),
		Long: `Run the tests of drivers on this machine, as the platform does at upload.

DIR (default: here) holds a driver.yaml, or folders with one. With --layout it is a public collection of codecs as it is: that of The Things
Network (lorawan-devices), or the device profiles of ChirpStack (chirpstack). It says per vendor how many tests pass, why others do not, and
ends with one line for all.`,
		Example: `  castor driver test
  castor driver test --layout lorawan-devices lorawan-devices/vendor/milesight-iot
  castor driver test --layout chirpstack chirpstack-device-profiles`,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := folderOf(args)
			suites, err := layout.Read(form, dir)
			if err != nil {
				return err
			}
			if form == "castor" {
				for i := range suites {
					if s := &suites[i]; s.Broken == nil {
						s.Broken = sound(&s.Driver)
						s.Tests = s.Driver.Tests
					}
				}
			}
			pool, err := workers(limit)
			if err != nil {
				return err
			}
			defer pool.Close()
			total, err := testSuites(cmd.Context(), cmd.OutOrStdout(), pool, suites, all)
			if err == nil && total.failed > 0 {
				err = Unwell(1) // nothing comes after the line for all, which programs read
			}
			return err
		}}
	c.Flags().StringVar(&form, "layout", "castor", "what the folder is: "+strings.Join(layout.Layouts, ", "))
	c.Flags().DurationVar(&limit, "limit", 0, "how long one call may compute (default 100ms)")
	c.Flags().BoolVarP(&all, "verbose", "v", false, "name the tests that pass, too, and tell every difference")
	return c
}

// sound refuses what the platform would not take, without running it.
func sound(d *driver.Driver) error {
	err := driver.Check(d)
	if err == nil && d.Kind == driver.Declarative {
		if err = declarative.Check(d.Code); err != nil {
			err = fmt.Errorf("code: %w", err)
		}
	}
	return err
}

// maxTold is how many failures of a vendor are told, and how many differences of each, unless all are asked for.
const maxTold = 5

func testSuites(ctx context.Context, w io.Writer, pool *sandbox.Pool, suites []layout.Suite, all bool) (total tally, err error) {
	for len(suites) > 0 {
		n := slices.IndexFunc(suites, func(s layout.Suite) bool { return s.Vendor != suites[0].Vendor })
		if n < 0 {
			n = len(suites)
		}
		vendor := suites[:n]
		suites = suites[n:]
		var t tally
		var told []string
		for i := range vendor {
			said, one, err := testSuite(ctx, pool, &vendor[i], all)
			if err != nil {
				return total, err
			}
			t.passed, t.failed, told = t.passed+one.passed, t.failed+one.failed, append(told, said...)
		}
		fmt.Fprintf(w, "%-40s %s\n", plain(vendor[0].Vendor), t)
		if n := len(told); n > maxTold && !all {
			told = append(told[:maxTold:maxTold], fmt.Sprintf("  … and %d more; -v tells all", n-maxTold))
		}
		for _, s := range told {
			fmt.Fprintln(w, s)
		}
		total.passed, total.failed = total.passed+t.passed, total.failed+t.failed
	}
	fmt.Fprintln(w, total)
	return total, nil
}

func testSuite(ctx context.Context, pool *sandbox.Pool, s *layout.Suite, all bool) (told []string, t tally, err error) {
	say := func(test, what string) {
		told = append(told, fmt.Sprintf("  FAIL %s: %s: %s", plain(s.Name), test, what))
	}
	for _, err := range s.Unread {
		t.failed++
		say("cannot be read", plain(err.Error()))
	}
	broken := func(err error) {
		t.failed += max(len(s.Tests), 1)
		for line := range strings.Lines(err.Error()) {
			told = append(told, fmt.Sprintf("  FAIL %s: %s", plain(s.Name), plain(strings.TrimSuffix(line, "\n"))))
		}
	}
	if s.Broken != nil {
		broken(s.Broken)
		return told, t, nil
	}
	codec, err := pool.Open(&s.Driver)
	if err != nil {
		broken(fmt.Errorf("code: %w", err))
		return told, t, nil
	}
	calls := make([]driver.Call, len(s.Tests))
	for i := range s.Tests {
		calls[i] = s.Tests[i].Call
	}
	results, err := codec.Run(ctx, calls)
	if err != nil {
		return nil, t, err
	}
	if !slices.ContainsFunc(results, func(r driver.Result) bool { return r.Failure != driver.Invalid && !r.Failure.Grave() }) {
		if err := loads(ctx, pool, &s.Driver); err != nil {
			broken(err)
			return told, t, nil
		}
	}
	for i, r := range results {
		different := s.Tests[i].Check(r)
		if len(different) == 0 {
			t.passed++
			if all {
				told = append(told, fmt.Sprintf("  ok   %s: %s", plain(s.Name), titleOf(s, i)))
			}
			continue
		}
		t.failed++
		var lines []string
		for k, d := range different {
			if k == maxTold && !all {
				lines = append(lines, fmt.Sprintf("… and %d more", len(different)-k))
				break
			}
			lines = append(lines, plain(firstLine(d.String())))
		}
		say(titleOf(s, i), strings.Join(lines, "\n         "))
	}
	return told, t, nil
}

// titleOf is what a test is called: its name, or its place in the file.
func titleOf(s *layout.Suite, i int) string {
	if s.Tests[i].Name == "" {
		return fmt.Sprintf("tests[%d]", i)
	}
	return plain(s.Tests[i].Name)
}

// loads tells why a driver cannot be loaded at all, as the platform finds out at publishing.
func loads(ctx context.Context, pool *sandbox.Pool, d *driver.Driver) error {
	patient := *d // everything is cold
	patient.Limit = max(d.Limit, time.Second)
	results, err := pool.Codec(&patient).Run(ctx, []driver.Call{{Op: driver.Load}})
	if err != nil {
		return err
	}
	if r := results[0]; r.Failure == driver.Invalid || r.Failure.Grave() {
		return fmt.Errorf("code cannot be loaded: %s", r.Reason)
	}
	return nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
