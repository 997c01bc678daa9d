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
secret for every function, connector and gateway, the gateways' certificate, and the passwords of MongoDB, NATS and the
object store. Each is a file that its owner alone can read. What is there stays and is checked, so the command can be repeated:
after a new function or gateway, or when it was interrupted. Keep the folder safe, and keep a backup: what was sealed and signed
with it is lost without it.

Put into the folder before what you have already, by the same names: castor-mongo-url, castor-s3-access and castor-s3-secret,
castor-gateway-cert and castor-gateway-key. The mail server's password goes into castor-smtp afterwards.

castor up needs none of this: it makes its own.`,
		Example: `  castor init secrets --host pump.example.com --host 10.0.0.5
  castor init secrets --host pump.example.com --gateway operational-1 --gateway operational-http-1 --gateway provisioning-1
  castor init secrets --renew                               a new certificate for the gateways, for the same hosts
  castor init --list --stack stack.yml                      which process needs which secret
  castor init --list function                               the names of all that functions need`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			if list {
				return listSecrets(out, stack, plan.Gateways, strings.Join(args, " "))
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
	f.StringArrayVar(&plan.Hosts, "host", nil, "name or address by which devices reach the gateways; may be given several times")
	f.StringArrayVar(&plan.Gateways, "gateway", []string{"operational-1", "provisioning-1", "operational-grpc-1", "provisioning-grpc-1", "operational-http-1", "provisioning-http-1"},
		"id of a gateway, which begins with provisioning if it is one for new devices, and has grpc or http in it if it does not speak MQTT; may be given several times")
	f.StringVar(&plan.Mongo, "mongo", "mongo:27017", "host and port of MongoDB, for castor-mongo-url")
	f.BoolVar(&plan.Renew, "renew", false, "make a new certificate for the gateways, by the same CA")
	f.BoolVar(&list, "list", false, "print which process needs which secret, and make nothing; with the beginning of a process' name, the secrets' names alone")
	f.StringVar(&stack, "stack", "stack.yml", "stack file that names the functions' secrets, for --list")
	return cmd
}

// showSecrets prints what is there now and what to do with it; never a secret.
func showSecrets(out io.Writer, dir secrets.Dir, r secrets.Result) {
	if len(r.Made) == 0 {
		fmt.Fprintf(out, "All %d secrets in %s are there and fit together; nothing was made.\n", len(r.Kept), dir)
	} else {
		fmt.Fprintf(out, "Made in %s:\n", dir)
		for _, name := range r.Made {
			fmt.Fprintf(out, "  %s\n", name)
		}
		fmt.Fprintf(out, "Kept as they are: %d\n", len(r.Kept))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(out, "Note: %s\n", note)
	}
	if slices.Contains(r.Made, platform.SecretAdmin) {
		fmt.Fprintf(out, "\nThe first administrator is user admin; the password is in %s.\nTake that file away when you have signed in and changed it.\n", dir.Path(platform.SecretAdmin))
	}
	switch {
	case slices.Contains(r.Made, platform.SecretParts):
		fmt.Fprintf(out, next, dir, dir.Path(platform.SecretSMTP))
	case len(r.Made) > 0:
		fmt.Fprintln(out, "\nGive what was made to the processes that need it, and start them again: castor init --list says which.")
	}
}

const next = `
Next:
  keep a backup of %[1]s: what was sealed and signed with it is lost without it
  put the password of your mail server into %[2]s, if alarms go by e-mail
  give each process its own, and no others; castor init --list says which:
    OpenFaaS    for s in $(castor init --list function); do faas-cli secret create $s --from-file=%[1]s/$s; done
    Kubernetes  for s in $(castor init --list function); do kubectl -n openfaas-fn create secret generic $s --from-file=%[1]s/$s; done
    processes   CASTOR_SECRETS names the folder in which a process finds its own
`

// A need is one process and the secrets that it is given.
type need struct {
	process string
	secrets []string
}

// needs lists what each process needs and no more.
func needs(stack serve.Stack, gateways []string) []need {
	var list []need
	for _, name := range slices.Sorted(maps.Keys(stack.Functions)) {
		list = append(list, need{"function " + name, stack.Functions[name].Secrets})
	}
	list = append(list, need{"castor-connector events", []string{platform.PartSecret("events", ""), secrets.NATSToken, secrets.BasicUser, secrets.BasicPassword}})
	list = append(list, need{"castor-connector stream", []string{platform.PartSecret("stream", ""), secrets.NATSToken}})
	for _, g := range gateways {
		names := []string{platform.PartSecret("connector", g), secrets.NATSToken, secrets.GatewayCert, secrets.GatewayKey}
		if !strings.HasPrefix(g, "provisioning") { // there devices have neither certificate nor secret yet that it could be asked about
			names = append(names, platform.SecretCACert, platform.SecretVerify)
		}
		list = append(list, need{"castor-connector " + protocolOf(g) + " " + g, names})
	}
	list = append(list, need{"castor serve", []string{secrets.BasicUser, secrets.BasicPassword, secrets.NATSToken}})
	for _, s := range secrets.Stores() {
		list = append(list, need{s.Store, s.Secrets})
	}
	return list
}

// protocolOf is what a gateway speaks, by its id.
func protocolOf(gateway string) string {
	for _, p := range []string{"grpc", "http"} {
		if slices.Contains(strings.Split(gateway, "-"), p) {
			return p
		}
	}
	return "mqtt"
}

// listSecrets prints the needs; of those that begin with process, if it is not "", the secrets' names alone.
func listSecrets(out io.Writer, path string, gateways []string, process string) error {
	stack, err := serve.ReadStack(path, os.Getenv)
	if os.IsNotExist(err) {
		return fmt.Errorf("%w: name the platform's stack file by --stack", err)
	}
	if err != nil {
		return err
	}
	list := needs(stack, gateways)
	if process == "" {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, n := range list {
			fmt.Fprintf(w, "%s\t%s\n", n.process, strings.Join(n.secrets, " "))
		}
		return w.Flush()
	}
	var names []string
	for _, n := range list {
		if n.process == process || strings.HasPrefix(n.process, process+" ") {
			names = append(names, n.secrets...)
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("no process is called %q: castor init --list names them", process)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		fmt.Fprintln(out, name)
	}
	return nil
}
