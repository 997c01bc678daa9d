package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/castor-iot/castor/functions"
	"github.com/castor-iot/castor/infra/castor/doctor"
	"github.com/spf13/cobra"
)

// An Unwell is the error of a command whose result is that something is wrong: it has printed what, so that nothing is left to
// say but the exit code.
type Unwell int

func (u Unwell) Error() string { return "see above" }

// ExitCode is what the program ends with.
func (u Unwell) ExitCode() int { return int(u) }

func (a *app) doctorCommand() *cobra.Command {
	var c doctor.Config
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine a platform, and say what is wrong and what to do about it",
		Long: `Examines a platform by its public addresses: does it answer, do the clocks agree, are all functions ready and of this version,
are the gateways' ports reached and their certificates good, does the watchdog run, what waits. Signed in as a maintainer it sees
more. With --data it examines castor up's data directory too, also while castor up does not run: disk, secrets, settings. Where
CASTOR_NATS_URL, CASTOR_MONGO_URL, CASTOR_S3_ENDPOINT or CASTOR_SMTP_URL are set, as inside a function, it also writes to and reads
from the stores and greets the mail server; --secrets names the folder of secrets (default CASTOR_SECRETS). For a platform of
containers that is a machine with castor, these settings, and a way to the stores, like a tunnel: images of functions have no castor.

It changes nothing that stays, sends no mail, and takes ten seconds at most. The exit code is 0 if all is well, 1 with warnings,
2 if something is bad.`,
		Example: `  castor doctor
  castor doctor --data /var/lib/castor
  castor doctor --url https://castor.example --gateway tls://castor.example:8883 --json
  kubectl -n castor port-forward service/nats 4222:4222 &
  CASTOR_NATS_URL=nats://127.0.0.1:4222 castor doctor --secrets infra/kubernetes/mine/secrets`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.Secrets == "" {
				c.Secrets = a.env("CASTOR_SECRETS")
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			c.URL, c.HTTP, c.Now, c.Env = client.URL, client.HTTP, a.now, doctor.Inside(a.env)
			if client.Authorize != nil {
				c.API = client
			}
			all, err := a.load()
			if err != nil {
				return err
			}
			pem := ""
			if s := all.Sessions[a.url]; s != nil {
				pem = s.CA
			}
			if pem, err = a.authority(pem); err != nil {
				return err
			}
			c.CA = []byte(pem)
			for _, f := range functions.All {
				c.Functions = append(c.Functions, f.Name)
			}
			c.Complete()
			if pem == "" && len(c.CA) > 0 {
				if client.HTTP, err = a.http(string(c.CA)); err != nil {
					return err
				}
				c.HTTP = client.HTTP
			}
			r := doctor.Examine(cmd.Context(), c)
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				err = e.Encode(r)
			} else {
				err = printReport(cmd.OutOrStdout(), r)
			}
			if err != nil {
				return err
			}
			switch r.Worst() {
			case doctor.Bad:
				return Unwell(2)
			case doctor.Warning:
				return Unwell(1)
			}
			return nil
		}}
	f := cmd.Flags()
	f.StringVar(&c.Data, "data", "", "data directory of castor up")
	f.StringVar(&c.Secrets, "secrets", "", "folder of secrets, as castor init makes it (default CASTOR_SECRETS)")
	f.StringArrayVar(&c.Gateways, "gateway", nil, "what devices dial, like tls://castor.example:8883; may be given several times")
	f.BoolVar(&asJSON, "json", false, "print the findings as JSON")
	return cmd
}

// printReport prints what was found, for people, and at the end what matters.
func printReport(w io.Writer, r doctor.Report) error {
	out := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	counts := map[doctor.Level]int{}
	for _, f := range r.Findings {
		counts[f.Level]++
		fmt.Fprintf(out, "%s\t%s\t%s\n", f.Level, f.Check, plain(f.Fact))
		if f.Remedy != "" {
			fmt.Fprintf(out, "\t\t→ %s\n", plain(f.Remedy))
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d ok, %d warnings, %d bad (%s)\n", counts[doctor.OK], counts[doctor.Warning], counts[doctor.Bad], r.At.Format(time.RFC3339))
	return err
}
