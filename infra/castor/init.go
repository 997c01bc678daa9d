package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/castor-iot/castor/functions"
	"github.com/castor-iot/castor/infra/castor/secrets"
	"github.com/castor-iot/castor/infra/castor/serve"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/spf13/cobra"
)

func initCommand() *cobra.Command {
	plan := secrets.Plan{}
	var list bool
	var stack string
	cmd := &cobra.Command{
		Use:   "init DIR --host HOST",
		Short: "Make the secrets of a platform that runs as many processes",
		Long: `Makes a folder with all secrets of a platform that is deployed as many processes: its keys, its certificate authority, a
secret for every function, connector and MQTT gateway, the gateways' certificate, and the passwords of MongoDB, NATS and the
object store. Each is a file that its owner alone can read. What is there stays and is checked, so the command can be repeated:
after a new function or gateway, or when it was interrupted. Keep the folder safe, and keep a backup: what was sealed and signed
with it is lost without it.

Put into the folder before what you have already, by the same names: castor-mongo-url, castor-s3-access and castor-s3-secret,
castor-gateway-cert and castor-gateway-key. The mail server's password goes into castor-smtp afterwards.

castor up needs none of this: it makes its own.`,
		Example: `  castor init secrets --host pump.example.com --host 10.0.0.5
  castor init secrets --host pump.example.com --gateway operational-1 --gateway operational-2 --gateway provisioning-1
  castor init secrets --renew                               a new certificate for the gateways, for the same hosts
  castor init --list --stack stack.yml                      which process needs which secret`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			if list {
				return listSecrets(out, stack, plan.Gateways)
			}
			if len(args) == 0 {
				return errors.New("name the folder for the secrets: castor init DIR --host HOST")
			}
			plan.Now = time.Now()
			for _, f := range functions.All {
				plan.Functions = append(plan.Functions, f.Name)
			}
			dir := secrets.Dir(filepath.Clean(args[0]))
			r, err := dir.Make(plan)
			if err != nil {
				if len(r.Made) > 0 {
					return fmt.Errorf("%w (%d secrets were made before that; run it again to complete them)", err, len(r.Made))
				}
				return err
			}
			showSecrets(out, dir, r)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&plan.Hosts, "host", nil, "name or address by which devices reach the MQTT gateways; may be given several times")
	f.StringArrayVar(&plan.Gateways, "gateway", []string{"operational-1", "provisioning-1"}, "id of an MQTT gateway; may be given several times")
	f.StringVar(&plan.Mongo, "mongo", "mongo:27017", "host and port of MongoDB, for castor-mongo-url")
	f.BoolVar(&plan.Renew, "renew", false, "make a new certificate for the MQTT gateways, by the same CA")
	f.BoolVar(&list, "list", false, "print which process needs which secret, and make nothing")
	f.StringVar(&stack, "stack", "stack.yml", "stack file that names the functions' secrets, for --list")
	return cmd
}

// showSecrets prints what is there now and what to do with it; never a secret.
func showSecrets(out io.Writer, dir secrets.Dir, r secrets.Result) {
	switch {
	case len(r.Made) == 0:
		fmt.Fprintf(out, "All %d secrets in %s are there and fit together; nothing was made.\n", len(r.Kept), dir)
	default:
		fmt.Fprintf(out, "Made in %s:\n", dir)
		for _, name := range r.Made {
			fmt.Fprintf(out, "  %s\n", name)
		}
		if len(r.Kept) > 0 {
			fmt.Fprintf(out, "Kept as they are: %d\n", len(r.Kept))
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintf(out, "Note: %s\n", note)
	}
	if dir.Has(platform.SecretAdmin) {
		fmt.Fprintf(out, "\nThe first administrator is user admin; the password is in %s.\nTake that file away when you have signed in and changed it.\n", dir.Path(platform.SecretAdmin))
	}
	fmt.Fprintf(out, `
Next:
  keep a backup of %[1]s: what was sealed and signed with it is lost without it
  put the password of your mail server into %[2]s, if alarms go by e-mail
  see which process needs which: castor init --list

  OpenFaaS:    for f in %[1]s/*; do faas-cli secret create "$(basename "$f")" --from-file="$f"; done
  Kubernetes:  for f in %[1]s/*; do kubectl -n openfaas-fn create secret generic "$(basename "$f")" --from-file="$f"; done
               (leave out what functions do not need: castor init --list says it)
  compose:     CASTOR_SECRETS names the folder in which a process finds its own
`, dir, dir.Path(platform.SecretSMTP))
}

// listSecrets prints what each process needs and no more.
func listSecrets(out io.Writer, path string, gateways []string) error {
	stack, err := serve.ReadStack(path, os.Getenv)
	if os.IsNotExist(err) {
		return fmt.Errorf("%w: name the platform's stack file by --stack", err)
	}
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(process string, names ...string) { fmt.Fprintf(w, "%s\t%s\n", process, strings.Join(names, " ")) }
	for _, name := range slices.Sorted(maps.Keys(stack.Functions)) {
		line("function "+name, stack.Functions[name].Secrets...)
	}
	line("castor-connector events", platform.PartSecret("events", ""), secrets.NATSToken, secrets.BasicUser, secrets.BasicPassword)
	for _, g := range gateways {
		line("castor-connector mqtt, "+g, platform.PartSecret("connector", g), secrets.NATSToken, platform.SecretCACert, secrets.GatewayCert, secrets.GatewayKey)
	}
	line("castor gateway", secrets.BasicUser, secrets.BasicPassword, secrets.NATSToken)
	for _, s := range secrets.Stores() {
		line(s.Store, s.Secrets...)
	}
	return w.Flush()
}
