package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/castor-iot/castor/infra/castor/join"
	"github.com/castor-iot/castor/infra/castor/secrets"
	"github.com/castor-iot/castor/infra/castor/up"
	"github.com/spf13/cobra"
)

func joinCommand() *cobra.Command {
	plan := join.Plan{}
	var data, out string
	var renew bool
	c := &cobra.Command{Use: "join ID", Short: "Make the folder by which one more gateway joins this machine's castor up", Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		Long: `Make the folder by which one more gateway joins the platform that castor up runs on this machine, as a process of its own: on
this machine, or on another one that the folder is moved to. In it are the settings of castor-connector and the secrets that
this gateway needs: its own, and no key of the platform's but the one by which devices' secrets are verified. On the bus it
may read its own bucket and take its own devices' messages, and nothing else. It is for this phase only, and over once the
gateway is deleted.

castor up must be reached by it: start it with --nats 127.0.0.1:4222, or an address of a network that you trust, because
the bus is not encrypted.`,
		Example: `  castor gateway join operational-2 --as mqtt --dial tls://plant.example:8983 --out ./operational-2
  castor gateway join provisioning-2 --as mqtt --phase provisioning --dial tls://plant.example:8984 --out ./provisioning-2
  castor gateway join hall-3 --as mosquitto --dial tls://hall3.example:8883 --region eu-west --out ./hall-3
  castor gateway join acme --as foreign --dial tls://acme.example:8883 --contract https://acme.example/castor --relay https://relay.example:8889 --account acme-gateway --out ./acme
  castor gateway join operational-2 --as mqtt --dial tls://plant.example:8983 --out ./operational-2 --renew`,
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := up.ReadAddresses(data)
			if err != nil && (plan.Platform == "" || plan.NATS == "") {
				return err
			}
			if plan.Platform == "" {
				plan.Platform = at.URL
			}
			if plan.NATS == "" {
				plan.NATS = at.NATS
			}
			if out == "" {
				return errors.New("--out is missing: the folder to make, like --out ./" + args[0])
			}
			plan.ID, plan.Keys, plan.Now = args[0], secrets.Dir(filepath.Join(data, "keys")), time.Now()
			steps, err := plan.Write(out, renew)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, "gateway %s may join %s; what it needs is in %s. Keep the folder secret. Start:\n", plan.ID, plan.Platform, out)
			for _, s := range steps {
				fmt.Fprintf(w, "  %s\n", s)
			}
			fmt.Fprintln(w, "castor gateway list shows it once it runs.")
			return nil
		}}
	f := c.Flags()
	f.StringVar(&data, "data", defaultData(), "castor up's data directory")
	f.StringVar(&out, "out", "", "folder to make")
	f.BoolVar(&renew, "renew", false, "write a folder that is there anew, with a new certificate")
	f.StringVar(&plan.Connector, "as", "mqtt", "what it is: "+strings.Join(join.Connectors, ", "))
	f.StringVar(&plan.Phase, "phase", "operational", "what devices come for: operational or provisioning")
	f.StringVar(&plan.URL, "dial", "", "what devices dial, like tls://plant.example:8983 (grpcs:// and https:// for grpc and http)")
	f.StringSliceVar(&plan.Hosts, "host", nil, "further names and addresses of it, for its certificate")
	f.StringVar(&plan.Listen, "listen", "", "address it listens on (default the port of --dial on all interfaces); of a mosquitto, where it listens for its connector (default 127.0.0.1:1883); of a foreign gateway, of --relay")
	f.StringVar(&plan.Region, "region", "", "where it stands, in your own words; devices of this region get their place here first")
	f.StringVar(&plan.Location, "at", "", "where it stands, as latitude,longitude in degrees, like 48.137,11.575")
	f.Int64Var(&plan.Capacity, "capacity", 0, "how many devices have room (default 10000)")
	f.StringVar(&plan.Kind, "kind", "certificate", "what devices show at a mosquitto or a foreign gateway: certificate or password")
	f.StringVar(&plan.Contract, "contract", "", "where a foreign gateway implements the contract of docs/gateways.md")
	f.StringVar(&plan.ContractCA, "contract-ca", "", "file with the CA of the contract's certificate, PEM (default those that this machine trusts)")
	f.StringVar(&plan.Relay, "relay", "", "where a foreign gateway brings what its devices say, like https://relay.example:8889; without it they come by other means")
	f.StringVar(&plan.Account, "account", "", "id of the service account that a foreign gateway shows at --relay")
	f.StringVar(&plan.Protocol, "protocol", "", "what the devices of a foreign gateway speak: "+strings.Join(join.Protocols, ", ")+" (default mqtt)")
	f.StringVar(&plan.Key, "key", "", "public X25519 key of a foreign gateway that takes passwords, base64")
	f.StringVar(&plan.NATS, "nats-url", "", "the bus, as the gateway reaches it (default as this machine does)")
	f.StringVar(&plan.Platform, "platform", "", "the user gateway's URL, as the gateway reaches it (default as this machine does)")
	return c
}
