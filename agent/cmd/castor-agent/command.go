package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/host"
)

// command is the whole command line.
func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "castor-agent",
		Short: "Bring this machine into Castor and report its metrics",
		Example: `  castor-agent run --claim claim.json        the first time
  castor-agent run                           from then on
  castor-agent status`,
		Version: version, SilenceUsage: true, SilenceErrors: true,
	}
	home, err := os.UserConfigDir()
	if err != nil {
		home = "."
	}
	dir := root.PersistentFlags().String("dir", filepath.Join(home, "castor-agent"), "directory of key, certificate and spool")
	root.AddCommand(run(dir), status(dir))
	return root
}

func run(dir *string) *cobra.Command {
	var claim, protocol, serial, model, mac, knockAt, ca, maker string
	var interval time.Duration
	var spool int64
	var verbose bool
	var commands []string
	c := &cobra.Command{
		Use:   "run",
		Short: "Provision this machine if it is not yet, then measure and report",
		Long: `Provision this machine if it is not yet, then measure and report until interrupted.

The claim file is needed the first time only. A machine that has none may knock
(--knock): it makes itself known at a provisioning gateway and comes in when the
platform's people have admitted it (castor waiting admit). What is measured while the platform
cannot be reached is kept on disk and sent later, in order.`,
		Example: `  castor-agent run --claim claim.json
  castor-agent run --claim claim.json --dir /var/lib/castor-agent --interval 1m
  castor-agent run --claim claim.json --protocol grpc
  castor-agent run --knock tls://castor.example:8884 --ca ca.pem
  castor-agent run --claim claim.json --dir ./P-7 --serial P-7 --model "Pump 3000"`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&claim, "claim", "", "claim file, or the text of its QR code; not needed once the machine is provisioned")
	f.StringVar(&protocol, "protocol", "", "what to come in by, mqtt or grpc (default what the claim names first)")
	f.StringVar(&knockAt, "knock", "", "without a claim: knock at this provisioning gateway, tls://host:port (MQTT) or grpcs://host:port (gRPC), until people admit the machine")
	f.StringVar(&ca, "ca", "", "with --knock: file with the platform's CA certificate, PEM")
	f.StringVar(&maker, "maker", "", "with --knock: who made the device")
	f.DurationVar(&interval, "interval", 5*time.Second, "time between measurements")
	f.StringVar(&serial, "serial", "", "serial of the device (default made of the machine's id)")
	f.StringVar(&model, "model", "", "model of the device (default what the firmware says)")
	f.StringVar(&mac, "mac", "", "MAC address of the device (default the first interface's)")
	f.Int64Var(&spool, "spool", 64, "most MiB that unsent messages may take on disk")
	f.StringArrayVar(&commands, "command", nil, "NAME=PROGRAM: let the platform have the program run, as command NAME; may be given several times")
	f.BoolVarP(&verbose, "verbose", "v", false, "log to standard error")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		if interval < 100*time.Millisecond {
			return errors.New("--interval must be at least 100ms")
		}
		if spool < 1 || spool > 1<<20 {
			return errors.New("--spool must be 1 to 1048576")
		}
		handlers, err := programs(commands)
		if err != nil {
			return err
		}
		knock, err := knocks(knockAt, ca, maker, claim)
		if err != nil {
			return err
		}
		ctx := c.Context()
		if serial, err = belongs(ctx, *dir, serial, claim, knock); err != nil {
			return err
		}
		if serial == "" {
			if serial, err = host.Serial(ctx); err != nil {
				return err
			}
		}
		if model == "" {
			model = host.Model()
		}
		if mac == "" {
			mac = host.MAC()
		}
		cfg := agent.Config{
			Dir: *dir, Serial: serial, Model: model, MAC: mac, Facts: host.Facts(ctx, version),
			Source: host.New().Measure, Interval: interval, SpoolBytes: spool << 20, Commands: handlers, Knock: knock,
			Progress: func(p agent.Progress) {
				if p.Phase != agent.Failed { // which is Run's error too, and that main prints
					printPhase(c.OutOrStdout(), p)
				}
			},
		}
		if claim != "" {
			cfg.Claim = agent.Speaking(protocol, agent.ClaimOf(claim))
		}
		if verbose {
			cfg.Log = slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
		}
		a, err := agent.New(cfg)
		if errors.Is(err, agent.ErrInUse) {
			return fmt.Errorf("%w: stop it, or give this device a folder of its own with --dir", err)
		}
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, a.Close()) }()
		err = a.Run(ctx)
		if errors.Is(err, agent.ErrNoClaim) {
			return fmt.Errorf("this machine is not provisioned: run castor-agent with --claim FILE, or let it knock with --knock ADDRESS --ca FILE (directory %s)", *dir)
		}
		return err
	}
	return c
}

func printPhase(w io.Writer, p agent.Progress) {
	fmt.Fprintf(w, "%s  %-9s  %s\n", p.At.Local().Format(time.TimeOnly), p.Phase, p.Detail)
}

func status(dir *string) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "status",
		Short: "Tell what the device is and how far it has come",
		Example: `  castor-agent status
  castor-agent status --dir /var/lib/castor-agent -o json`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVarP(&output, "output", "o", "", `"json" for programs`)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if output != "" && output != "json" {
			return fmt.Errorf("--output must be json, not %q", output)
		}
		st, err := agent.ReadStatus(*dir)
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("there is no device in %s: run castor-agent run --claim FILE, or name its directory with --dir", *dir)
		}
		if err != nil {
			return err
		}
		if output == "json" {
			enc := json.NewEncoder(c.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(st)
		}
		return printStatus(c.OutOrStdout(), st)
	}
	return c
}

func printStatus(out io.Writer, st agent.Status) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(w, "%s\t%v\n", name, value) }
	yes := map[bool]string{true: "yes", false: "no"}
	row("running", yes[st.Running])
	row("provisioned", yes[st.Provisioned])
	if st.Provisioned {
		row("confirmed", yes[st.Confirmed])
		row("twin", st.Twin)
		row("device", st.Ref)
		if st.Serial != "" {
			row("serial", st.Serial)
		}
		row("gateway", st.Gateway)
		row("certificate", "until "+st.Expires.Format(time.RFC3339))
	}
	if st.Phase.Phase != "" {
		row("phase", fmt.Sprintf("%s since %s", st.Phase.Phase, st.Phase.At.Format(time.RFC3339)))
		if st.Phase.Detail != "" {
			row("", st.Phase.Detail)
		}
	}
	row("unsent", fmt.Sprintf("%d messages, %d bytes", st.Spool.Pending, st.Spool.Bytes))
	return w.Flush()
}
