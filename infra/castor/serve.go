package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/castor-iot/castor/infra/castor/serve"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/spf13/cobra"
)

func serveCommand() *cobra.Command {
	var c serve.Config
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the user gateway in front of functions that are processes of their own",
		Long: `Serves /function/NAME, /async-function/NAME and /system as OpenFaaS does, in front of functions that run as processes or
containers, several replicas each. On Kubernetes the OpenFaaS gateway stands here instead.

Which functions there are, and what they want to be called for, is in the stack file. Where they are is made of --upstream, in
which {name} is the function's; a host name counts as one replica for each of its addresses. --functions FILE says it for
functions by name, and is read again when it changes or at SIGHUP:

  twins:
    urls: [http://10.0.0.5:8080, http://10.0.0.6:8080]
  alerts:
    urls: [http://alerts.example:8080]
    annotations: {schedule: "@every 2s"}

A replica that refuses a connection is left out for a moment, and the call goes to another. A connection that breaks during a
call is answered 502: the call may have been done. Without any replica calls are answered 503. Both say when to try again.

Secrets are files in the folder CASTOR_SECRETS (/var/openfaas/secrets): basic-auth-user and basic-auth-password, which /system is
entered with, and castor-nats-token, if the bus wants one. Environment:
  CASTOR_NATS_URL       the bus, for asynchronous calls; they are refused without it
  CASTOR_NATS_REPLICAS  on how many servers of a NATS cluster the queue is kept: 1, 3 or 5
  CASTOR_NATS_CREDS     file with NATS credentials, if the bus wants some
  CASTOR_BALANCERS      addresses or networks of proxies in front, with commas between them: their X-Forwarded-For and
                        X-Forwarded-Proto say where a call comes from, nobody else's
  CASTOR_METRICS        address of /metrics, /healthz and /readyz (default :9102; "off")
  CASTOR_LOG            the least that is logged: debug, info, warn or error (default info)`,
		Example: `  castor serve
  castor serve --listen :8080 --stack stack.yml --upstream 'http://{name}:8080'
  castor serve --stack stack.yml --functions functions.yml --upstream ''
  castor serve --listen :8443 --tls-cert gateway.pem --tls-key gateway-key.pem
  kill -HUP $(pidof castor)          read the files again`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("functions") && !cmd.Flags().Changed("stack") {
				if _, err := os.Stat(c.Stack); os.IsNotExist(err) {
					c.Stack = "" // the file alone says what there is
				}
			}
			if c.Stack == "" && c.Functions == "" {
				return fmt.Errorf("no functions are named: use --stack stack.yml or --functions FILE")
			}
			if c.Timeout < time.Second || c.Timeout > 9*time.Minute {
				return fmt.Errorf("--timeout: %s is not between 1s and 9m", c.Timeout)
			}
			reload, stop := hangUps()
			defer stop()
			c.Env, c.Reload, c.Version = os.Getenv, reload, version
			if _, err := platform.LogLevel(os.Getenv); err != nil {
				return err
			}
			c.Log = platform.LogTo(cmd.ErrOrStderr(), os.Getenv)
			c.Ready = func(a net.Addr) { fmt.Fprintf(cmd.OutOrStdout(), "user gateway at %s\n", a) }
			err := serve.Run(cmd.Context(), c)
			if os.IsNotExist(err) && !cmd.Flags().Changed("stack") {
				return fmt.Errorf("%w: name the platform's stack file by --stack", err)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Listen, "listen", ":8080", "address to serve on")
	f.StringVar(&c.Stack, "stack", "stack.yml", "stack file that names the functions")
	f.StringVar(&c.Upstream, "upstream", "http://{name}:8080", "where functions are that --functions does not name; '' for nowhere")
	f.StringSliceVar(&c.Streams, "stream", nil, "where the connector of streams is, for /stream: http://stream:8080 (default none)")
	f.StringVar(&c.Functions, "functions", "", "YAML file that says where functions are")
	f.StringVar(&c.Cert, "tls-cert", "", "serve HTTPS with this certificate (PEM file)")
	f.StringVar(&c.Key, "tls-key", "", "the key of --tls-cert (PEM file)")
	f.DurationVar(&c.Timeout, "timeout", 70*time.Second, "how long one call may take")
	return cmd
}

// hangUps yields at each SIGHUP.
func hangUps() (<-chan struct{}, func()) {
	signals, reload := make(chan os.Signal, 1), make(chan struct{}, 1)
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		for range signals {
			select {
			case reload <- struct{}{}:
			default:
			}
		}
	}()
	return reload, func() { signal.Stop(signals); close(signals) }
}
