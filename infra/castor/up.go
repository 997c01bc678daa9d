package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/castor-iot/castor/infra/castor/up"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/spf13/cobra"
)

func upCommand() *cobra.Command {
	var flags up.Config
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the whole platform on this machine, with this machine as its first device",
		Long: `Starts the whole platform in one process: store, NATS JetStream, object store, every function behind an
OpenFaaS-compatible gateway, a provisioning and an operational gateway for each of MQTT, gRPC and HTTP with their
connectors, and the triggers.
Then it enrols this machine itself: the agent provisions itself with a claim and reports what it measures.

Everything is kept in the data directory; a restart goes on where it was. Settings may also be in castor.yaml there, with
the names of the flags (mongoUrl, noAgent in one word); flags go above the file. Ctrl-C stops cleanly.

The log is castor.log in the data directory. The environment variable CASTOR_LOG is the least that is logged there: debug, info,
warn or error (default info).`,
		Example: `  castor up
  castor up --data /var/lib/castor --hosts plant.example,10.0.0.5 --tls
  castor up --listen 127.0.0.1:9080 --operational 127.0.0.1:9883 --provisioning 127.0.0.1:9884 --provisioning-grpc off --operational-grpc off
  CASTOR_MONGO_URL=mongodb://localhost/castor castor up
  castor up --smtp smtp://castor@mail.example:587 --from castor@plant.example`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runUp(cmd, flags) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.Dir, "data", defaultData(), "data directory")
	f.StringVar(&flags.Listen, "listen", "", "address of the user gateway (default 127.0.0.1:8080)")
	f.StringVar(&flags.Provisioning, "provisioning", "", "address of the provisioning gateway for MQTT (default 127.0.0.1:8884)")
	f.StringVar(&flags.Operational, "operational", "", "address of the operational gateway for MQTT (default 127.0.0.1:8883)")
	f.StringVar(&flags.ProvisioningGRPC, "provisioning-grpc", "", "address of the provisioning gateway for gRPC, or off (default 127.0.0.1:8885)")
	f.StringVar(&flags.OperationalGRPC, "operational-grpc", "", "address of the operational gateway for gRPC, or off (default 127.0.0.1:8886)")
	f.StringVar(&flags.ProvisioningHTTP, "provisioning-http", "", "address of the provisioning gateway for HTTP, or off (default 127.0.0.1:8887)")
	f.StringVar(&flags.OperationalHTTP, "operational-http", "", "address of the operational gateway for HTTP, or off (default 127.0.0.1:8888)")
	f.StringSliceVar(&flags.Hosts, "hosts", nil, "names and addresses of this machine; devices dial the first (default 127.0.0.1,localhost)")
	f.BoolVar(&flags.TLS, "tls", false, "serve the user gateway on HTTPS, with a certificate by the platform's CA")
	f.StringVar(&flags.Certificate, "certificate", "", "serve the user gateway on HTTPS with this certificate (PEM file)")
	f.StringVar(&flags.Key, "key", "", "the key of --certificate (PEM file)")
	f.StringVar(&flags.MongoURL, "mongo", "", "MongoDB instead of the embedded store; also CASTOR_MONGO_URL")
	f.StringVar(&flags.NATS, "nats", "", "address on which other processes may reach NATS (default none)")
	f.StringVar(&flags.Objects, "objects", "", "address of the object store, for uploads and downloads from other machines (default any free port of 127.0.0.1)")
	f.StringVar(&flags.SMTP, "smtp", "", "send alarms by e-mail: smtp://user@host:port; the password is in DATA/secrets/castor-smtp")
	f.StringVar(&flags.From, "from", "", "sender of e-mail")
	f.BoolVar(&flags.PrivateWebhooks, "private-webhooks", false, "let webhooks, and commands for network servers, go to private addresses, though people reach the gateway from the network")
	f.DurationVar(&flags.Interval, "interval", 0, "how often this machine measures (default 5s)")
	f.BoolVar(&flags.NoAgent, "no-agent", false, "leave this machine out: no device of its own")
	f.StringVar(&flags.Region, "region", "", "where the gateways are, in your own words")
	return cmd
}

func defaultData() string {
	if dir, err := os.UserHomeDir(); err == nil {
		return filepath.Join(dir, ".castor")
	}
	return "castor-data"
}

func runUp(cmd *cobra.Command, flags up.Config) error {
	config, err := merged(cmd, flags)
	if err != nil {
		return err
	}
	if config.LogLevel, err = platform.LogLevel(os.Getenv); err != nil {
		return err
	}
	ctx := cmd.Context()
	if err := serveProfiles(ctx, os.Getenv("CASTOR_PPROF")); err != nil {
		return err
	}
	t := newTerminal(cmd.OutOrStdout())
	config.Tell, config.Version = t.phase, version
	begin := time.Now()
	t.title("Castor " + version)
	c, err := up.Start(ctx, config)
	if err != nil {
		return err
	}
	t.ready(c, time.Since(begin))
	err = watch(ctx, c, t)
	t.line("stopping; what devices were told is stored, is stored")
	if stopErr := c.Stop(); err == nil {
		err = stopErr
	}
	if err == nil {
		t.line("stopped")
	}
	return err
}

// merged puts the flags that were given above the file in the data directory.
func merged(cmd *cobra.Command, flags up.Config) (up.Config, error) {
	config := up.Config{Dir: flags.Dir}
	if err := config.ReadFile(flags.Dir); err != nil {
		return config, err
	}
	if flags.MongoURL == "" {
		flags.MongoURL = os.Getenv("CASTOR_MONGO_URL")
	}
	changed := cmd.Flags().Changed
	set := func(name string, apply func()) {
		if changed(name) {
			apply()
		}
	}
	set("listen", func() { config.Listen = flags.Listen })
	set("provisioning", func() { config.Provisioning = flags.Provisioning })
	set("operational", func() { config.Operational = flags.Operational })
	set("provisioning-grpc", func() { config.ProvisioningGRPC = flags.ProvisioningGRPC })
	set("operational-grpc", func() { config.OperationalGRPC = flags.OperationalGRPC })
	set("provisioning-http", func() { config.ProvisioningHTTP = flags.ProvisioningHTTP })
	set("operational-http", func() { config.OperationalHTTP = flags.OperationalHTTP })
	set("hosts", func() { config.Hosts = flags.Hosts })
	set("tls", func() { config.TLS = flags.TLS })
	set("certificate", func() { config.Certificate = flags.Certificate })
	set("key", func() { config.Key = flags.Key })
	set("nats", func() { config.NATS = flags.NATS })
	set("objects", func() { config.Objects = flags.Objects })
	set("smtp", func() { config.SMTP = flags.SMTP })
	set("from", func() { config.From = flags.From })
	set("private-webhooks", func() { config.PrivateWebhooks = flags.PrivateWebhooks })
	set("interval", func() { config.Interval = flags.Interval })
	set("no-agent", func() { config.NoAgent = flags.NoAgent })
	set("region", func() { config.Region = flags.Region })
	if flags.MongoURL != "" {
		config.MongoURL = flags.MongoURL
	}
	return config, nil
}

// watch shows what is going on until the platform is told to stop or a part of it fails.
func watch(ctx context.Context, c *up.Castor, t *terminal) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-c.Failed():
			return err
		case <-tick.C:
			counts, err := c.Counts(ctx)
			if err != nil && !errors.Is(err, context.Canceled) {
				t.live(fmt.Sprintf("counts are not to be had: %v", err))
				continue
			}
			t.counts(counts)
		}
	}
}
